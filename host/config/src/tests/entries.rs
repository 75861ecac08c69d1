use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use hotbay_plugin_api::Overflow;

use super::super::{History, Ports, Role, Shutdown, TimeMode};
use super::{WHOLE, changed, findings, parse};

#[test]
fn a_whole_file_is_read_without_a_finding() {
    let config = parse(WHOLE).unwrap();
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(config.plugins.folder, Path::new("etc/plugins"));
    assert_eq!(config.plugins.settings["binance-feed"].threads.map(NonZeroUsize::get), Some(2));
    assert_eq!(config.plugins.probe_timeout, Duration::from_secs(3));
    assert_eq!(config.base_dir, Path::new("etc"));
    assert_eq!(config.shutdown, Shutdown { drain: Duration::from_secs(2) });
    let names: Vec<_> = config.channels.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["spot", "prices", "orders"]);
    assert_eq!(config.channels[0].1.capacity, 8192);
    assert_eq!(config.channels[0].1.overflow, Overflow::DropOldest);
    let task = &config.tasks[0];
    assert_eq!(task.target(), (Some("hello"), "heartbeat"));
    assert_eq!((task.enabled, task.interval), (Some(false), Some(Duration::from_secs(90))));
}

#[test]
fn components_stand_in_the_order_of_the_flow() {
    let pipeline = parse(WHOLE).unwrap().pipeline.unwrap();
    assert_eq!(pipeline.time, TimeMode::Replay);
    let components: Vec<_> = pipeline.components().map(|it| (it.role, it.id.as_str())).collect();
    let expected = ["spot", "merge", "cross", "paper"];
    assert_eq!(components, Role::ALL.into_iter().zip(expected).collect::<Vec<_>>());
    assert_eq!(pipeline.connectors[0].component.as_deref(), Some("feed"));
    assert_eq!(pipeline.aggregator.component, None);
    assert_eq!(pipeline.aggregator.config, serde_json::json!({}));
}

#[test]
fn ports_are_named_or_the_first_one() {
    let pipeline = parse(WHOLE).unwrap().pipeline.unwrap();
    let named = |port: &str, channel: &str| Ports::Named(vec![(port.into(), vec![channel.into()])]);
    assert_eq!(pipeline.connectors[0].outputs, named("events", "spot"));
    assert_eq!(pipeline.aggregator.inputs, named("sources", "spot"));
    assert_eq!(pipeline.aggregator.outputs, Ports::First(vec!["prices".into()]));
    assert_eq!(pipeline.strategies[0].inputs, Ports::First(vec!["prices".into()]));
    assert!(pipeline.connectors[0].inputs.is_empty());
}

#[test]
fn a_host_can_do_without_everything_but_plugins() {
    let config = parse("plugins: { folder: /srv/plugins }").unwrap();
    assert_eq!(config.plugins.folder, Path::new("/srv/plugins"));
    assert!(config.pipeline.is_none() && config.channels.is_empty() && config.tasks.is_empty());
    assert_eq!(config.shutdown, Shutdown::default());
}

#[test]
fn one_run_of_each_concurrency_key_is_under_way_unless_the_limits_say_otherwise() {
    let limits = |text: &str| parse(&format!("plugins: {{ folder: p }}\n{text}")).unwrap().limits;
    assert_eq!(limits("limits:").at_once_per_key, 1);
    let some = limits("limits: { at_once: 8, at_once_per_plugin: 2, at_once_per_key: 3 }");
    let numbers = (some.at_once, some.at_once_per_plugin, some.at_once_per_key);
    assert_eq!(numbers, (NonZeroUsize::new(8), NonZeroUsize::new(2), 3));
}

#[test]
fn runs_are_kept_for_30_days_unless_the_history_says_otherwise() {
    let history = |text: &str| parse(&format!("plugins: {{ folder: p }}\n{text}")).unwrap().history;
    assert_eq!(history("history:"), History::default());
    assert_eq!(history("history:").max_age, Duration::from_secs(30 * 24 * 60 * 60));
    let some = history("history: { max_age: 7d, max_runs: 50, keep_at_least: 5 }");
    assert_eq!(some.max_age, Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!((some.max_runs, some.keep_at_least), (50, 5));
    for (wrong, expected) in [
        ("{ max_age: 30 }", "expected a duration"),
        ("{ keep_at_least: 0 }", "from 1 to 100000000"),
        ("{ max_run: 5 }", "max_runs"),
    ] {
        let text = format!("plugins: {{ folder: p }}\nhistory: {wrong}");
        let found = parse(&text).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn empty_sections_are_as_good_as_none() {
    let text = "plugins: { folder: p }\nchannels:\npipeline:\ntasks:\nshutdown:\n";
    assert_eq!(findings(text), "");
}

#[test]
fn plugins_are_needed() {
    assert_eq!(
        findings("channels: { a: { capacity: 1 } }"),
        "etc/x.yaml:1:1: the key `plugins` is missing; add `plugins: { folder: ./plugins }`"
    );
    assert_eq!(
        findings("plugins:"),
        "etc/x.yaml:1:8: expected a mapping, found nothing; \
         it may have the keys `folder`, `settings`, `probe_timeout`, `trust`"
    );
    assert_eq!(
        findings("plugins: { folder: '' }"),
        "etc/x.yaml:1:20: expected text, found the string \"\""
    );
}

#[test]
fn durations_are_written_with_their_unit() {
    assert_eq!(
        findings(&changed("interval: 1m 30s", "interval: 5")),
        "etc/x.yaml:31:15: expected a duration such as `5s` or `250ms`, found the number 5"
    );
    assert_eq!(
        findings(&changed("interval: 1m 30s", "interval: 5 parsecs")),
        "etc/x.yaml:31:15: expected a duration such as `5s` or `250ms`, \
         found the string \"5 parsecs\""
    );
    assert_eq!(
        findings(&changed("interval: 1m 30s", "interval: 0s")),
        "etc/x.yaml:31:15: expected a duration from 1ms to 10years, found the string \"0s\""
    );
}

#[test]
fn a_task_is_adjusted_once() {
    let twice = "  - { plugin: hello, task: heartbeat }\nshutdown: {";
    assert_eq!(
        findings(&changed("shutdown: {", twice)),
        "etc/x.yaml:33:28: the task `heartbeat` of `hello` is already adjusted; \
         leave one of the two entries"
    );
}
