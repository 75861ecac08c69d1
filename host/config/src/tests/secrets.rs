//! What came from an environment variable is shown by the variable's name.

use super::super::ConfigPath;
use super::{changed, parse_with};

const SECRET: &str = "hunter2-s3cr3t";

/// What is said of the whole configuration with one place changed, where `TOP` is the secret.
fn said(from: &str, to: &str) -> String {
    let variables = [("CAPTURES", "/data"), ("TOP", SECRET), ("SHORT", "no"), ("MANY", "77777777")];
    let found = match parse_with(&changed(from, to), &variables) {
        Ok(config) => config.warnings.to_string(),
        Err(found) => found.to_string(),
    };
    assert!(!found.is_empty(), "{to} is wrong");
    for secret in ["hunter2", "\"no\"", "77777777"] {
        assert!(!found.contains(secret), "{found}");
    }
    found.split_once(": ").map_or(found.clone(), |(_, message)| message.to_owned())
}

#[test]
fn a_wrong_value_from_a_variable_is_shown_by_its_name() {
    assert_eq!(
        said("interval: 1m 30s", "interval: \"${TOP}\""),
        "expected a duration such as `5s` or `250ms`, found `${TOP}`"
    );
    assert_eq!(
        said("interval: 1m 30s", "interval: \"5s and ${TOP}\""),
        "expected a duration such as `5s` or `250ms`, found `5s and ${TOP}`"
    );
    assert_eq!(
        said("capacity: 8192", "capacity: ${MANY}"),
        "expected a whole number from 1 to 16777216, found `${MANY}`"
    );
    assert_eq!(
        said("enabled: false", "enabled: ${SHORT}"),
        "expected `true` or `false`, found `${SHORT}`"
    );
    assert_eq!(
        said("time: replay", "time: ${TOP}"),
        "unknown value `${TOP}`; expected one of `replay`, `live`"
    );
    assert_eq!(
        said("description: Binance spot", "description: ${MANY}"),
        "expected text, found `${MANY}`; put it in quotes"
    );
    assert_eq!(
        said("binance-feed: { threads: 2 }", "binance-feed: ${TOP}"),
        "expected a mapping, found `${TOP}`; it may have the keys `threads`"
    );
}

#[test]
fn names_from_variables_are_shown_by_the_variable_too() {
    assert_eq!(
        said("inputs: [prices], outputs", "inputs: [\"${TOP}\"], outputs"),
        "no channel is named `${TOP}`; declare it under `channels:`; \
         declared are `spot`, `prices`, `orders`"
    );
}

#[test]
fn the_error_of_a_plugin_about_its_settings_does_not_show_them() {
    let text = changed("quantity: ${QUANTITY:-0.001}", "quantity: \"at ${TOP}\"");
    let config = parse_with(&text, &[("CAPTURES", "/data"), ("TOP", SECRET)]).unwrap();
    let at = ConfigPath::from("pipeline.connectors[0].config.quantity");
    let error = config.error_at(&at, format!("invalid value: string {:?}", format!("at {SECRET}")));
    assert_eq!(error.to_string(), "etc/x.yaml:17:56: invalid value: string \"at ${TOP}\"");
}

#[test]
fn a_default_stands_in_the_file_and_is_shown() {
    let text = changed("interval: 1m 30s", "interval: ${PAUSE:-often}");
    let found = parse_with(&text, &[("CAPTURES", "/data")]).unwrap_err().to_string();
    assert!(found.ends_with("found the string \"often\""), "{found}");
}

#[test]
fn a_long_value_is_shown_by_its_name_too() {
    let long = SECRET.repeat(6);
    let shown = |text: &str| {
        let found = parse_with(text, &[("CAPTURES", "/data"), ("LONG", &long)]).unwrap_err();
        let found = found.to_string();
        assert!(!found.contains("hunter2"), "{found}");
        assert!(found.contains("`${LONG}`"), "{found}");
    };
    shown(&changed("inputs: [prices], outputs", "inputs: [\"${LONG}\"], outputs"));
    let tasks = changed("    task: heartbeat", "    task: ${LONG}");
    shown(&tasks.replace("shutdown:", "  - { plugin: hello, task: \"${LONG}\" }\nshutdown:"));
    let cycle = changed("sources: [spot]", "sources: [spot, prices, orders]");
    shown(&cycle.replace("id: merge", "id: ${LONG}"));
    shown(&cycle.replace("id: cross", "id: ${LONG}"));
}
