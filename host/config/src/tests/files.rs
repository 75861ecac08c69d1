use std::path::Path;

use super::super::Config;
use super::findings;

fn load(file: &Path) -> String {
    let unset = |_: &str| Err(std::env::VarError::NotPresent);
    match Config::load(file, &unset) {
        Ok(config) => config.warnings.to_string(),
        Err(found) => found.to_string(),
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.yaml");
    assert_eq!(
        load(&missing),
        format!("{}: there is no such file; check the path", missing.display())
    );
    assert_eq!(
        load(folder.path()),
        format!("{}: this is a folder; give the path of a file in it", folder.path().display())
    );
}

#[test]
fn a_file_is_read_with_its_folder_as_base() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.yaml");
    std::fs::write(&file, "plugins: { folder: my/plugins }").unwrap();
    let unset = |_: &str| Err(std::env::VarError::NotPresent);
    let config = Config::load(&file, &unset).unwrap();
    assert_eq!(config.plugins.folder, folder.path().join("my/plugins"));
    assert_eq!((config.file(), config.base_dir.as_path()), (file.as_path(), folder.path()));
}

#[test]
fn a_bare_file_name_has_the_current_folder_as_base() {
    let unset = |_: &str| Err(std::env::VarError::NotPresent);
    let config = Config::parse(Path::new("x.yaml"), "plugins: { folder: p }", &unset).unwrap();
    assert_eq!(config.base_dir, Path::new("."));
    assert_eq!(config.plugins.folder, Path::new("p"));
}

#[test]
fn bytes_that_are_no_text_are_shown_at_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.yaml");
    std::fs::write(&file, b"plugins:\n  f\xc3\xa9: \xff").unwrap();
    let expected = format!("{}:2:7: the file isn't UTF-8 text; save it as UTF-8", file.display());
    assert_eq!(load(&file), expected);
}

#[test]
fn a_file_without_content_says_what_it_needs() {
    for empty in ["", "\n", "# only a comment\n", "---\n", "~"] {
        assert_eq!(
            findings(empty),
            "etc/x.yaml:1:1: the file is empty; \
             a configuration has at least `plugins: { folder: ./plugins }`"
        );
    }
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    assert_eq!(findings("\u{feff}plugins: { folder: p }"), "");
    assert!(findings("\u{feff}plugns: { folder: p }").contains("x.yaml:1:1: unknown key"));
}

#[test]
fn what_is_no_yaml_is_told_at_its_place() {
    let cases = [
        (
            "plugins: { folder: p\nchannels: {}",
            "2:9: this isn't YAML: did not find expected ',' or '}', while parsing a flow mapping \
             at line 1 column 10; close the bracket, or put a value with `{`, `[` or `,` in quotes",
        ),
        (
            "plugins:\n\tfolder: p",
            "2:1: this isn't YAML: found character that cannot start any token, while scanning \
             for the next token; indent with spaces; YAML doesn't take tabs",
        ),
        (
            "plugins: a: b",
            "1:11: this isn't YAML: mapping values are not allowed in this context; \
             put a value with special characters in quotes, and check the indentation",
        ),
        (
            "a: 1\nb: \u{1}",
            "2:4: this isn't YAML: a control character; \
             leave it out, or write it as `\"\\x00\"`",
        ),
        (
            "a: 1\n---\nb: 2",
            "2:1: the file has more than one document; \
             leave one, without the lines `---` that part them",
        ),
        ("a: *b", "1:4: this isn't YAML: unknown anchor"),
    ];
    for (text, expected) in cases {
        assert_eq!(findings(text), format!("etc/x.yaml:{expected}"), "{text}");
    }
}

#[test]
fn a_list_or_a_text_is_no_configuration() {
    assert!(findings("[a]").starts_with("etc/x.yaml:1:1: expected a mapping, found a list"));
    assert!(findings("hello").contains("found the string \"hello\"; it may have the keys"));
}

#[test]
fn tags_and_merge_keys_are_refused() {
    let text = "plugins: { folder: !secret p }";
    assert!(findings(text).contains("no use for YAML tags"), "{}", findings(text));
    let text = "plugins: &p { folder: p }\nshutdown: { <<: *p }";
    assert_eq!(findings(text), "etc/x.yaml:2:13: merge keys aren't supported; write the keys out");
}
