//! The connector as its host runs it, on the sample that ships with it and on an array.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use hotbay_market::{Quote, Trade};
use hotbay_plugin_api::{
    prelude::*,
    testing::{TestHost, block_on},
};
use market_sample::Sample;
use serde_json::{Value, json};

fn run(path: &Path) -> (TestHost, SchedulerError) {
    let config = json!({ "path": path, "instruments": ["BTCUSDT", "ETHUSDT", "SOLUSDT"] });
    let host = TestHost::new().with_config(config).with_output("events", "out");
    let mut sample: Sample = host.create().unwrap();
    let end = block_on(async {
        if let Err(error) = sample.initialize().await {
            return error;
        }
        let end = loop {
            if let Err(end) = sample.execute().await {
                break end;
            }
        };
        sample.shutdown().await.unwrap();
        end
    });
    (host, end)
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/binance_spot_trades_l1_btcusdt_ethusdt_solusdt.json.gz")
}

fn row(host: &TestHost) -> Value {
    let rows = host.reports("sources");
    assert_eq!(rows.len(), 1, "one report, once");
    rows[0].clone()
}

#[test]
fn the_shipped_sample_has_fifty_thousand_events() {
    let (host, end) = run(&sample());
    assert_eq!(end, SchedulerError::Finished);
    let row = row(&host);
    assert_eq!((&row["quotes"], &row["trades"]), (&json!(38_968), &json!(11_032)));
    assert_eq!((&row["damaged"], &row["unknown"]), (&json!(0), &json!(0)));
    let of = |name: &str| {
        let trades = host.events::<Trade>("out");
        trades.iter().filter(|(_, trade)| trade.instrument.as_str() == name).count()
    };
    assert_eq!((of("BTCUSDT"), of("ETHUSDT"), of("SOLUSDT")), (6_770, 1_805, 2_457));
}

#[test]
fn an_array_with_lost_connections_and_damage_is_read_to_its_end() {
    let item = |price: &str| {
        format!(
            r#"{{"Item":{{"Ok":{{"time_exchange":"2024-12-20T19:05:18.175Z","instrument":0,"kind":{{"OrderBookL1":{{"best_bid":{{"price":"{price}","amount":"1"}},"best_ask":{{"price":"2","amount":"1"}}}}}}}}}}}}"#
        )
    };
    let text = format!(
        "[\n{},\n{{\"Reconnecting\":\"binance_spot\"}},\n{},\n{},\n{}]",
        item("1.5"),
        item("one"),
        item("1.6").replace("\"instrument\":0", "\"instrument\":9"),
        item("1.7")
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let (host, end) = run(file.path());
    assert_eq!(end, SchedulerError::Finished);
    let bids: Vec<_> = host.events::<Quote>("out").iter().map(|it| it.1.bid.to_string()).collect();
    assert_eq!(bids, ["1.5", "1.7"]);
    let row = row(&host);
    assert_eq!(
        (&row["reconnects"], &row["damaged"], &row["unknown"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(row["damaged_lines"], "3");
}

#[test]
fn a_missing_file_is_named_at_the_start() {
    let (_, end) = run(Path::new("/nowhere/sample.gz"));
    assert!(end.to_string().contains("/nowhere/sample.gz"), "{end}");
}

#[test]
fn a_truncated_recording_fails_after_publishing_what_it_held() {
    let whole = std::fs::read(sample()).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&whole[..whole.len() / 2]).unwrap();
    let (host, end) = run(file.path());
    let SchedulerError::TaskExecution(message) = end else { panic!("{end}") };
    assert!(message.contains("is truncated") && message.contains("gzip -t"), "{message}");
    let lines = row(&host)["lines"].as_u64().unwrap();
    assert!(lines > 20_000, "{lines}");
    assert!(message.contains(&format!("after line {lines};")), "{message}");
    let published: usize = host.published("out").iter().map(|batch| batch.len()).sum();
    assert_eq!(published as u64, lines);
}

#[test]
#[ignore = "needs HOTBAY_CAPTURES"]
fn needs_captures_the_recording_with_lost_connections_is_read_whole() {
    let folder = std::env::var("HOTBAY_CAPTURES").unwrap();
    let file = Path::new(&folder).join("binance_spot_market_data_with_disconnect_events.json");
    let (host, end) = run(&file);
    assert_eq!(end, SchedulerError::Finished);
    let row = row(&host);
    assert_eq!(
        (&row["lines"], &row["events"], &row["reconnects"]),
        (&json!(24), &json!(21), &json!(3))
    );
    assert_eq!((&row["damaged"], &row["unknown"]), (&json!(0), &json!(0)));
}
