use super::super::{Diagnostic, Diagnostics, Position, Severity};
use super::{changed, findings};

#[test]
fn one_pass_finds_all_problems_in_the_order_of_the_lines() {
    let text = r#"plugins: { foldr: ./plugins }
channels:
  spot: { capacity: many, color: red, size: 3 }
  prices: { capacity: 64, overflow: dropoldest }
  prices: { capacity: 32 }
  orders: 3
pipeline:
  time: replay
  connectors:
    - id: a
      plugn: x
      outputs: spoot
    - plugin: y
      config: { path: ${UNSET}, also: "${UNSET_TOO}" }
  executors: none
tasks: [{ plugin: p, task: t, interval: often }, { plugin: p, task: u, enabled: ja }]
drain: 5s
"#;
    let expected = [
        "1:12: unknown key `foldr`; did you mean `folder`? \
         expected one of `folder`, `settings`, `probe_timeout`, `trust`",
        "3:21: expected a whole number from 1 to 16777216, found the string \"many\"",
        "3:27: unknown key `color`; expected one of `capacity`, `description`, `overflow`",
        "3:39: unknown key `size`; expected one of `capacity`, `description`, `overflow`",
        "4:37: unknown value `dropoldest`; did you mean `drop-oldest`? \
         expected one of `block`, `drop-oldest`, `drop-newest`, `reject`",
        "5:3: the key `prices` is already on line 4; leave one of the two",
        "6:11: expected a mapping, found the number 3; \
         it may have the keys `capacity`, `description`, `overflow`",
        "7:1: the pipeline has no aggregator; add one under `aggregator:`",
        "7:1: the pipeline has no strategy; add at least one under `strategies:`",
        "11:7: unknown key `plugn`; did you mean `plugin`? \
         expected one of `id`, `plugin`, `component`, `inputs`, `outputs`, `config`, `state`",
        "12:16: no channel is named `spoot`; did you mean `spot`? \
         declared are `spot`, `prices`, `orders`",
        "13:7: the key `id` is missing; add it here",
        "14:23: the environment variable `UNSET` is not set; set it, or write `${UNSET:-default}`",
        "14:40: the environment variable `UNSET_TOO` is not set; \
         set it, or write `${UNSET_TOO:-default}`",
        "15:14: expected a list of components, found the string \"none\"; \
         start each component with `- id: …`",
        "16:41: expected a duration such as `5s` or `250ms`, found the string \"often\"",
        "16:81: expected `true` or `false`, found the string \"ja\"",
        "17:1: unknown key `drain`; \
         expected one of `plugins`, `channels`, `pipeline`, `tasks`, `limits`, `history`, `reload`, `state_folder`, `shutdown`",
    ];
    let expected = expected.map(|line| format!("etc/x.yaml:{line}")).join("\n");
    assert_eq!(findings(text), expected);
}

#[test]
fn types_are_told_in_plain_words() {
    let wrong =
        |from: &str, to: &str| findings(&changed(from, to)).split_once(": ").unwrap().1.to_owned();
    assert_eq!(
        wrong("capacity: 8192", "capacity: -1"),
        "expected a whole number from 1 to 16777216, found the number -1"
    );
    assert_eq!(
        wrong("capacity: 8192", "capacity: 1.5"),
        "expected a whole number from 1 to 16777216, found the number 1.5"
    );
    assert_eq!(
        wrong("description: Binance spot", "description: 12"),
        "expected text, found the number 12; put it in quotes"
    );
    assert_eq!(
        wrong("enabled: false", "enabled: no"),
        "expected `true` or `false`, found the string \"no\""
    );
    assert_eq!(
        wrong("overflow: drop-oldest", "overflow: [block]"),
        "expected one of `block`, `drop-oldest`, `drop-newest`, `reject`, found a list"
    );
    assert_eq!(
        wrong("outputs: { events: spot }", "outputs: { events: { a: spot } }"),
        "expected a channel or a list of channels, found a mapping"
    );
    assert_eq!(
        wrong("config: { greeting: hi }", "config: hi"),
        "expected a mapping of settings, found the string \"hi\""
    );
    assert_eq!(
        wrong("binance-feed: { threads: 2 }", "binance-feed: 2"),
        "expected a mapping, found the number 2; it may have the keys `threads`"
    );
}

#[test]
fn findings_display_with_place_severity_and_help() {
    let file = std::path::Path::new("a.yaml");
    let at = |line, column| Position { line, column };
    let mut found = Diagnostics::new();
    found.push(Diagnostic::new(file, Severity::Warning, "late").at(at(10, 1)).with_help("do"));
    found.push(Diagnostic::new(file, Severity::Error, "early").at(at(9, 30)));
    found.push(Diagnostic::new(file, Severity::Error, "whole"));
    found.push(Diagnostic::new(file, Severity::Error, "whole"));
    assert_eq!(
        found.to_string(),
        "a.yaml: whole\na.yaml:9:30: early\na.yaml:10:1: warning: late; do"
    );
    assert!(found.has_errors() && found.len() == 3);
}
