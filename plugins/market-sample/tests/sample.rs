//! The connector as its host runs it, on the sample that ships with it and on an array.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use hotbay_market::{Quote, Trade};
use hotbay_plugin_api::{
    EventRef,
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
    // Asked for when the test runs: a copied checkout has its own.
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
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

/// Runs a recording of this text.
fn run_text(text: &str) -> (TestHost, SchedulerError) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    run(file.path())
}

#[test]
fn the_layout_of_a_recording_does_not_matter() {
    let entries: Vec<_> = (1..8)
        .map(|price| {
            format!(
                r#"{{"Item":{{"time_exchange":"2024-12-20T19:05:18.175Z","instrument":0,"kind":{{"Trade":{{"id":"1","price":{price},"amount":"1","side":"Buy"}}}}}}}}"#
            )
        })
        .collect();
    let array = format!("[{}]", entries.join(","));
    let value: Value = serde_json::from_str(&array).unwrap();
    for (name, text) in [
        ("lines", entries.join("\n")),
        ("lines of Windows with blank ones", format!("\r\n{}\r\n\r\n", entries.join("\r\n\r\n"))),
        ("several on a line", format!("{} {}", entries[..3].join(""), entries[3..].join("\n"))),
        ("an array", array.clone()),
        ("an array, pretty-printed", serde_json::to_string_pretty(&value).unwrap()),
        ("an array, one on a line", format!("[\n{}\n]\n", entries.join(",\n"))),
        ("an array behind blank lines", format!("\n \n{array}")),
    ] {
        for mark in ["", "\u{feff}"] {
            let (host, end) = run_text(&format!("{mark}{text}"));
            assert_eq!(end, SchedulerError::Finished, "{name} {mark:?}");
            assert_eq!(host.events::<Trade>("out").len(), 7, "{name} {mark:?}");
            assert_eq!(row(&host)["damaged"], 0, "{name} {mark:?}");
        }
    }
}

#[test]
fn trades_that_are_none_and_books_with_one_side_are_told() {
    let trade = |price: &str, amount: &str| {
        format!(
            r#"{{"Item":{{"time_exchange":"2024-12-20T19:05:18.175Z","instrument":0,"kind":{{"Trade":{{"id":"1","price":{price},"amount":{amount},"side":"Buy"}}}}}}}}"#
        )
    };
    let book = r#"{"Item":{"time_exchange":"2024-12-20T19:05:18.175Z","instrument":0,"kind":{"OrderBookL1":{"best_bid":null,"best_ask":{"price":"2","amount":"1"}}}}}"#;
    let trades = [("0", "0"), ("100", "0.01"), ("-37.63", "0.01"), ("100", "0"), ("99", "1")];
    let lines = trades.map(|(price, amount)| trade(price, amount));
    let (host, _) = run_text(&format!("{}\n{book}", lines.join("\n")));
    let prices: Vec<_> =
        host.events::<Trade>("out").iter().map(|it| it.1.price.to_string()).collect();
    assert_eq!(prices, ["100", "99"]);
    let [(_, quote)] = host.events::<Quote>("out").try_into().unwrap();
    assert!(quote.bid.is_zero() && !quote.is_two_sided());
    let row = row(&host);
    assert_eq!(
        (&row["trades"], &row["no_trade"], &row["one_sided"]),
        (&json!(2), &json!(3), &json!(1))
    );
}

#[test]
fn a_recording_without_anything_of_use_is_an_error() {
    for (text, says) in [
        ("", "is empty"),
        ("[]", "is empty"),
        ("id,price\n1,2\n", "no line of"),
        (
            "{\"Item\":{\"time_exchange\":\"2024-12-20T19:05:18.175Z\",\"instrument\":0,\"kind\":{\"Candle\":1}}}",
            "unknown kinds: Candle 1",
        ),
    ] {
        let (_, end) = run_text(text);
        assert!(matches!(end, SchedulerError::TaskExecution(_)), "{text}: {end}");
        assert!(end.to_string().contains(says), "{text}: {end}");
    }
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

/// Everything that was published: time, kind and payload.
fn published(hosts: &[&TestHost]) -> Vec<(i64, u32, Vec<u8>)> {
    let batches = hosts.iter().flat_map(|host| host.published("out"));
    let events = |batch: Batch| {
        let event = |it: EventRef<'_>| (it.time_ns(), it.kind().code(), it.payload().to_vec());
        batch.iter().map(event).collect::<Vec<_>>()
    };
    batches.flat_map(events).collect()
}

fn configured(path: &Path) -> TestHost {
    let config = json!({ "path": path, "instruments": ["BTCUSDT", "ETHUSDT"] });
    TestHost::new().with_config(config).with_output("events", "out")
}

/// The shipped sample's first entries with some that are not usable, as lines and as an array.
fn recordings() -> [tempfile::NamedTempFile; 2] {
    let recording = hotbay_line_source::Recording::open(&sample()).unwrap();
    let mut lines = hotbay_line_source::LineReader::new(recording);
    let mut entries = Vec::new();
    while entries.len() < 1000 {
        let line = lines.peek().unwrap().unwrap();
        entries.push(String::from_utf8(line.bytes.to_vec()).unwrap());
        lines.advance();
    }
    entries[100] = r#"{"Reconnecting":"binance_spot"}"#.to_owned();
    entries[700] = r#"{"Item":{"Ok":7}}"#.to_owned();
    let texts = [entries.join("\n\n"), format!("[{}]", entries.join(",\n"))];
    texts.map(|text| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    })
}

fn finish(sample: &mut Sample) {
    let end = block_on(async {
        loop {
            if let Err(end) = sample.execute().await {
                break end;
            }
        }
    });
    assert_eq!(end, SchedulerError::Finished);
}

#[test]
fn a_build_that_takes_over_publishes_what_the_old_one_had_not() {
    for file in recordings() {
        let whole = configured(file.path());
        let mut one: Sample = whole.create().unwrap();
        block_on(one.initialize()).unwrap();
        finish(&mut one);

        let (first, second) = (configured(file.path()), configured(file.path()));
        let (mut old, mut new): (Sample, Sample) =
            (first.create().unwrap(), second.create().unwrap());
        let state = block_on(async {
            old.initialize().await.unwrap();
            old.execute().await.unwrap();
            old.execute().await.unwrap();
            old.save_state().await.unwrap().unwrap()
        });
        block_on(async {
            new.restore(state.clone()).await.unwrap();
            assert_eq!(new.save_state().await.unwrap().unwrap(), state, "before it has read on");
            new.initialize().await.unwrap();
        });
        finish(&mut new);
        assert_eq!(published(&[&first, &second]), published(&[&whole]));
        assert_eq!(row(&second), row(&whole));
    }
}

#[test]
fn a_build_that_is_rolled_back_to_goes_on_behind_its_successor() {
    for file in recordings() {
        let whole = configured(file.path());
        let mut one: Sample = whole.create().unwrap();
        block_on(one.initialize()).unwrap();
        finish(&mut one);

        let (first, second) = (configured(file.path()), configured(file.path()));
        let (mut old, mut new): (Sample, Sample) =
            (first.create().unwrap(), second.create().unwrap());
        let before = block_on(async {
            old.initialize().await.unwrap();
            old.execute().await.unwrap();
            let state = old.save_state().await.unwrap().unwrap();
            let before = published(&[&first]).len();
            new.restore(state).await.unwrap();
            new.initialize().await.unwrap();
            for _ in 0..2 {
                new.execute().await.unwrap();
            }
            old.restore(new.save_state().await.unwrap().unwrap()).await.unwrap();
            before
        });
        finish(&mut old);
        let mut events = published(&[&first]);
        let rest = events.split_off(before);
        events.extend(published(&[&second]));
        events.extend(rest);
        assert_eq!(events, published(&[&whole]));
        assert_eq!(row(&first), row(&whole));
    }
}

#[test]
fn a_state_of_another_version_is_refused() {
    let mut sample: Sample = configured(&sample()).create().unwrap();
    let state = block_on(sample.save_state()).unwrap().unwrap();
    let newer = SavedState { version: 3, ..state };
    let error = block_on(sample.restore(newer)).unwrap_err();
    assert!(matches!(error, SchedulerError::State(_)), "{error}");
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
