//! The connector as its host runs it, on the sample that ships with it and on an array.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{io::Write, path::Path};

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
        sample.initialize().await?;
        while sample.execute().await.map_err(|end| end == SchedulerError::Finished) == Ok(()) {}
        sample.shutdown().await?;
        Err::<(), _>(SchedulerError::Finished)
    });
    (host, end.unwrap_err())
}

fn row(host: &TestHost) -> Value {
    let rows = host.reports("sources");
    assert_eq!(rows.len(), 1, "one report, once");
    rows[0].clone()
}

#[test]
fn the_shipped_sample_has_fifty_thousand_events() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/binance_spot_trades_l1_btcusdt_ethusdt_solusdt.json.gz");
    let (host, end) = run(&data);
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
    let (host, _) = run(file.path());
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
