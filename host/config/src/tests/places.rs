use super::super::{ConfigPath, Position, Segment};
use super::{WHOLE, parse};

fn at(line: usize, column: usize) -> Position {
    Position { line, column }
}

#[test]
fn every_value_and_key_has_its_place() {
    let config = parse(WHOLE).unwrap();
    let path = |text: &str| ConfigPath::from(text);
    let quantity = path("pipeline.connectors[0].config.quantity");
    assert_eq!(config.position_of(&quantity), at(17, 56));
    assert_eq!(config.key_position_of(&quantity), at(17, 46));
    assert_eq!(config.position_of(&path("pipeline.aggregator.inputs.sources[0]")), at(21, 25));
    assert_eq!(config.position_of(&path("pipeline.connectors[0]")), at(13, 7));
    assert_eq!(config.key_position_of(&path("pipeline.connectors[0]")), at(13, 7));
    assert_eq!(config.position_of(&path("plugins")), at(2, 3));
    assert_eq!(config.key_position_of(&path("plugins")), at(1, 1));
    assert_eq!(config.position_of(&ConfigPath::root()), at(1, 1));
}

#[test]
fn what_is_not_there_has_the_place_of_what_is_around_it() {
    let config = parse(WHOLE).unwrap();
    let missing = ConfigPath::from("pipeline.connectors[0].config.depth.levels[3]");
    assert_eq!(config.position_of(&missing), at(17, 15));
    assert_eq!(config.key_position_of(&missing), at(17, 7));
    let of_scalar = ConfigPath::from("pipeline.connectors[0].id[4].x");
    assert_eq!(config.position_of(&of_scalar), at(13, 11));
}

#[test]
fn a_finding_of_a_plugin_is_shown_in_the_file() {
    let config = parse(WHOLE).unwrap();
    let connector = &config.pipeline.as_ref().unwrap().connectors[0];
    let setting = connector.location.key("config").join(&ConfigPath::from("path"));
    assert_eq!(
        config
            .error_at(&setting, "the capture is truncated")
            .with_help("copy it again")
            .to_string(),
        "etc/x.yaml:17:23: the capture is truncated; copy it again"
    );
    let output = connector.outputs.uses().next().unwrap();
    let output = output.path(&connector.location.key("outputs"));
    assert_eq!(
        config.error_at(&output, "no such port").to_string(),
        "etc/x.yaml:16:26: no such port"
    );
    assert_eq!(
        config.error_at_key(&setting, "unknown setting").to_string(),
        "etc/x.yaml:17:17: unknown setting"
    );
    assert_eq!(config.warning_at(&setting, "odd").to_string(), "etc/x.yaml:17:23: warning: odd");
}

#[test]
fn an_alias_has_the_place_of_its_use_and_the_inside_of_its_anchor() {
    let text = "plugins: { folder: p, settings: { a: &s { threads: 1 }, b: *s } }";
    let config = parse(text).unwrap();
    assert_eq!(config.position_of(&ConfigPath::from("plugins.settings.b")), at(1, 60));
    assert_eq!(config.position_of(&ConfigPath::from("plugins.settings.b.threads")), at(1, 52));
}

#[test]
fn columns_count_characters() {
    let config = parse("plugins: { folder: 'é😀', probe_timeout: 5s }").unwrap();
    assert_eq!(config.position_of(&ConfigPath::from("plugins.probe_timeout")), at(1, 41));
}

#[test]
fn a_path_reads_as_it_is_written() {
    for text in ["", "a", "a.b[0].c", "a[1][2].b", "pipeline.connectors[10].config"] {
        assert_eq!(ConfigPath::from(text).to_string(), text);
    }
    assert_eq!(ConfigPath::from("a[1]").segments(), [Segment::Key("a".into()), Segment::Index(1)]);
}
