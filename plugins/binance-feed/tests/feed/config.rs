//! Configurations that are refused, and what they are told.

use binance_feed::{Config, Feed};
use hotbay_plugin_api::Component;
use serde_json::{Value, json};

fn problem(config: Value) -> String {
    match serde_json::from_value::<Config>(config) {
        Ok(config) => Feed::check(&config).expect_err("a wrong configuration"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_the_key_at_fault() {
    let url = "ws://localhost";
    for (config, says) in [
        (json!({}), "set `path`"),
        (json!({ "path": "a", "url": url }), "both"),
        (json!({ "path": "" }), "path: is empty"),
        (json!({ "url": "https://x" }), "url: expected ws://"),
        (json!({ "path": "a", "kinds": [] }), "kinds: is empty"),
        (json!({ "path": "a", "kinds": ["ticker"] }), "unknown variant `ticker`"),
        (json!({ "path": "a", "speed": 0 }), "speed: expected a number above 0"),
        (json!({ "url": url, "speed": 1 }), "speed: only for a capture"),
        (json!({ "path": "a", "paths": "b" }), "unknown field `paths`"),
        (json!({ "path": "a", "instruments": { "btcusdt": "x" } }), "\"BTCUSDT\""),
        (json!({ "path": "a", "instruments": { "BTCUSDT": "" } }), "1 to 24 bytes"),
        (
            json!({ "url": url, "connection": { "idle_timeout_ms": 0 } }),
            "connection.idle_timeout_ms",
        ),
        (
            json!({ "url": url, "connection": { "longest_delay_ms": 1 } }),
            "connection.longest_delay_ms",
        ),
    ] {
        let problem = problem(config.clone());
        assert!(problem.contains(says), "{config}: {problem}");
    }
}

#[test]
fn a_full_configuration_is_accepted() {
    let config: Config = serde_json::from_value(json!({
        "path": "spot.gz",
        "instruments": { "BTCUSDT": "BTCUSDT@spot" },
        "kinds": ["book_ticker", "trade", "depth", "snapshot"],
        "event_time": "exchange",
        "speed": 2.5,
        "snapshot_symbol": "BTCUSDT",
        "connection": { "max_reconnects": 3 },
    }))
    .unwrap();
    Feed::check(&config).unwrap();
}
