//! What a plugin tells about the types of its events.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::num::NonZeroUsize;

use hotbay::runtime::{BayConfig, Generation};
use hotbay_market::{FairValue, Fixed, Instrument};
use hotbay_plugin_api::{Event, Kind};
use serde_json::{Value, json};

/// A payload as the plugin renders it.
fn rendered(kind: Kind, payload: &[u8]) -> Option<Value> {
    let json = mean_reversion_linked::hotbay_plugin().event_to_json()(kind.code(), payload.into());
    json.into_option().map(|json| serde_json::from_str(&json).unwrap())
}

fn fair_value() -> Vec<u8> {
    let (bid, ask) = (Fixed::new(6_180_000, 2), Fixed::new(6_180_010, 2));
    let instrument = Instrument::new("BTCUSDT@usdm").unwrap();
    let mut payload = Vec::new();
    FairValue { instrument, fair: 61_800.0, mid: 61_800.05, bid, ask }.encode(&mut payload);
    payload
}

#[test]
fn a_plugin_renders_the_payloads_that_its_ports_name_as_json() {
    let expected = json!({
        "instrument": "BTCUSDT@usdm",
        "fair": 61800.0,
        "mid": 61800.05,
        "bid": "61800.00",
        "ask": "61800.10",
    });
    assert_eq!(rendered(FairValue::KIND, &fair_value()), Some(expected));
}

#[test]
fn a_payload_that_is_damaged_or_of_an_unknown_kind_is_not_rendered() {
    assert_eq!(rendered(FairValue::KIND, &fair_value()[1..]), None);
    assert_eq!(rendered(Kind::BYTES, b"abc"), None);
}

#[tokio::test]
async fn the_manifest_has_the_schema_of_one_event_of_each_port() {
    let bay = BayConfig { name: "linked".to_owned(), threads: NonZeroUsize::MIN };
    let plugin = Generation::linked(mean_reversion_linked::hotbay_plugin(), &bay).await.unwrap();
    let fair = &plugin.info().manifest.components[0].inputs[0].events[0];
    assert_eq!(fair.to_string(), "hotbay.market/fair-value/2");
    assert_eq!(fair.schema["properties"]["mid"]["type"], "number");
    plugin.close(std::time::Duration::from_secs(5)).await;
}
