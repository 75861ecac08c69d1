//! Captures, whole and damaged.

use std::{convert::Infallible, io::Write, path::PathBuf, time::Duration};

use binance_feed::Feed;
use flate2::{Compression, write::GzEncoder};
use hotbay_market::{Depth, Quote, Trade};
use hotbay_plugin_api::{
    BackgroundTask, SchedulerError,
    testing::{TestHost, block_on},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::samples::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn replay(bytes: &[u8], more: Value) -> (TestHost, SchedulerError) {
    let (_folder, path) = file(bytes);
    let host = replaying(&path, more);
    let end = run(&host);
    (host, end)
}

fn row(host: &TestHost) -> Value {
    let [row] = host.reports("sources").try_into().expect("exactly one row");
    row
}

#[test]
fn every_message_of_a_capture_becomes_an_event_in_its_order() {
    let text = USUAL.join("\n");
    for bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), format!("{text}\n").into()] {
        let (host, end) = replay(&bytes, json!({}));
        assert_eq!(end, SchedulerError::Finished);
        let times: Vec<_> = host
            .published("market")
            .iter()
            .flat_map(|b| b.iter().map(|e| e.time_ns()).collect::<Vec<_>>())
            .collect();
        assert_eq!(times, (1..=9).map(|at| 1_700_000_000_000_000_000 + at).collect::<Vec<i64>>());
        let row = row(&host);
        assert_eq!(
            (
                &row["lines"],
                &row["events"],
                &row["book_ticker"],
                &row["trade"],
                &row["depth"],
                &row["snapshot"]
            ),
            (&json!(9), &json!(9), &json!(3), &json!(2), &json!(2), &json!(2))
        );
        assert_eq!(
            (&row["source"], &row["damaged"], &row["unknown"]),
            (&json!("spot"), &json!(0), &json!(0))
        );
        let size = bytes.len() as u64;
        assert_eq!(host.progress(), Some((size, size)));
    }
}

#[test]
fn a_damaged_line_is_counted_with_its_number_and_the_rest_goes_on() {
    let cut = &SPOT_TRADE[..SPOT_TRADE.len() - 9];
    let lines =
        [SPOT_TICKER, cut, "no time {}", "", SPOT_TRADE, "17 {\"e\":\"trade\"}", USDM_TICKER];
    let (host, end) = replay(lines.join("\n").as_bytes(), json!({}));
    assert_eq!(end, SchedulerError::Finished);
    assert_eq!(
        (host.events::<Quote>("market").len(), host.events::<Trade>("market").len()),
        (2, 1)
    );
    let row = row(&host);
    // A blank line is none.
    assert_eq!((&row["lines"], &row["damaged"]), (&json!(6), &json!(3)));
    assert_eq!(row["damaged_lines"], "2, 3, 6");
    assert_eq!(host.counter("damaged"), 3);
}

#[test]
fn kinds_that_are_not_asked_for_are_counted_and_not_published() {
    let lines = [USUAL.as_slice(), &[AGG_TRADE, AGG_TRADE]].concat().join("\n");
    let (host, _) = replay(lines.as_bytes(), json!({ "kinds": ["book_ticker"] }));
    assert_eq!(host.events::<Quote>("market").len(), 3);
    let row = row(&host);
    assert_eq!((&row["events"], &row["skipped"], &row["depth"]), (&json!(3), &json!(6), &json!(2)));
    assert_eq!((&row["unknown"], &row["unknown_kinds"]), (&json!(2), &json!("aggTrade 2")));
}

#[test]
fn the_exchanges_time_is_used_where_there_is_one() {
    let lines = [SPOT_TICKER, USDM_TICKER, SPOT_DEPTH].join("\n");
    let (host, _) = replay(lines.as_bytes(), json!({ "event_time": "exchange" }));
    let times: Vec<_> = host.published("market")[0].iter().map(|event| event.time_ns()).collect();
    // Spot's ticker has none, USD-M's transaction is older than its event, spot's depth has an event.
    assert_eq!(
        times,
        [1_700_000_000_000_000_001, 1_700_000_000_313_000_000, 1_700_000_000_208_000_000]
    );
    assert_eq!(row(&host)["without_exchange_time"], 1);
}

#[test]
fn a_truncated_gzip_fails_with_what_to_do_after_publishing_what_it_held() {
    let text = format!("{SPOT_TICKER}\n{SPOT_TRADE}\n{SPOT_DEPTH}\n").repeat(5000);
    let whole = gzip(text.as_bytes());
    // Of several symbols in one recording, a bare snapshot must be told whose it is.
    let config = json!({ "snapshot_symbol": "BTCUSDT" });
    let (host, end) = replay(&whole[..whole.len() / 2], config);
    let SchedulerError::TaskExecution(message) = end else { panic!("{end}") };
    let row = row(&host);
    let lines = row["lines"].as_u64().unwrap();
    assert!(lines > 1000, "{lines}");
    assert_eq!(host.published("market").iter().map(|batch| batch.len() as u64).sum::<u64>(), lines);
    for part in ["capture is truncated", &format!("after line {lines};"), "gzip -t"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_wrong_checksum_is_an_error_and_not_the_end() {
    let mut bytes = gzip(USUAL.join("\n").as_bytes());
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 1;
    let (host, end) = replay(&bytes, json!({}));
    assert!(end.to_string().contains("is damaged"), "{end}");
    // The last line has no line end, so nothing says that it is whole.
    assert_eq!(row(&host)["events"], 8);
}

#[test]
fn trades_that_are_none_are_counted_and_those_off_the_book_are_kept_if_asked_for() {
    let none = USDM_TRADE.replace("0.006", "0").replace("61800.30", "0").replace("MARKET", "NA");
    let insurance = USDM_TRADE.replace("MARKET", "INSURANCE_FUND");
    let text = [SPOT_TRADE, &none, USDM_TRADE, &insurance].join("\n");
    for (more, events) in [
        (json!({}), 2),
        (json!({ "off_book_trades": "drop" }), 2),
        (json!({ "off_book_trades": "keep" }), 3),
    ] {
        let (host, end) = replay(text.as_bytes(), more);
        assert_eq!(end, SchedulerError::Finished);
        assert_eq!(host.events::<Trade>("market").len(), events);
        let row = row(&host);
        assert_eq!(
            (&row["trade"], &row["no_trade"], &row["off_book"], &row["events"]),
            (&json!(4), &json!(1), &json!(1), &json!(events))
        );
    }
}

#[test]
fn a_value_out_of_range_is_counted_with_its_line() {
    let huge = SPOT_TICKER.replace("3.78826000", &"9".repeat(40));
    let text = [SPOT_TICKER, &huge, SPOT_TICKER].join("\n");
    let (host, _) = replay(text.as_bytes(), json!({}));
    assert_eq!(host.events::<Quote>("market").len(), 3);
    let row = row(&host);
    assert_eq!((&row["lost_values"], &row["lost_values_lines"]), (&json!(1), &json!("2")));
    assert_eq!((&row["events"], &row["damaged"]), (&json!(3), &json!(0)));
}

#[test]
fn a_recording_without_anything_of_use_is_an_error_that_says_what_it_is() {
    let csv = "id,price,qty\n1,2,3\n";
    for (text, says) in [
        ("", "capture is empty"),
        ("\n\r\n  \n", "capture is empty"),
        (csv, "line 1: the line does not start with a time in nanoseconds"),
        (&format!("{AGG_TRADE}\n{AGG_TRADE}"), "(2 in all); unknown kinds: aggTrade 2"),
    ] {
        let (host, end) = replay(text.as_bytes(), json!({}));
        let SchedulerError::TaskExecution(message) = end else { panic!("{text:?}: {end}") };
        assert!(message.contains(says), "{text:?}: {message}");
        assert_eq!(host.reports("sources").len(), 1);
    }
    let (_, end) = replay(format!("{csv}\u{feff}\r\n\r\n{SPOT_TICKER}\r\n").as_bytes(), json!({}));
    assert_eq!(end, SchedulerError::Finished, "one line is of use");
    let (_, end) = replay(SPOT_TICKER.as_bytes(), json!({ "kinds": ["trade"] }));
    assert_eq!(end, SchedulerError::Finished, "nothing of what there is was asked for");
    let (_, end) = replay(&gzip(&gzip(SPOT_TICKER.as_bytes())), json!({}));
    assert!(end.to_string().contains("is gzip data inside of its gzip"), "{end}");
}

#[test]
fn what_is_no_recording_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.gz");
    for (path, says) in
        [(missing.as_path(), "no such recording"), (folder.path(), "not a regular file")]
    {
        let host = replaying(path, json!({}));
        let end = run(&host);
        let SchedulerError::TaskInitialization(message) = &end else { panic!("{end}") };
        assert!(message.contains(says) && message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains("set `path`"), "{message}");
    }
}

#[test]
fn a_capture_keeps_its_pace_at_the_speed_that_was_asked_for() {
    let at =
        |ms: u64| SPOT_TICKER.replacen("1700000000000000001", &(ms * 1_000_000).to_string(), 1);
    let (_folder, path) = file([at(1000), at(1400), at(1399), at(3000)].join("\n").as_bytes());
    let host = replaying(&path, json!({ "speed": 2.0 }));
    let mut feed: Feed = host.create().unwrap();
    block_on(feed.initialize()).unwrap();
    let mut seen = Vec::new();
    loop {
        let turn = block_on(async {
            tokio::select! {
                biased;
                turn = feed.execute() => turn,
                // The clock moves only while the feed waits.
                never = run_clock(&host) => match never {},
            }
        });
        let events: usize = host.published("market").iter().map(|batch| batch.len()).sum();
        seen.push((host.context().now_ns() / 1_000_000, events));
        if turn.is_err() {
            break;
        }
    }
    // Due at 0, 200, 199 and 1000 ms. A turn publishes what is due, then waits for the next.
    assert_eq!(seen, [(200, 1), (1000, 3), (1000, 4)]);
}

async fn run_clock(host: &TestHost) -> Infallible {
    loop {
        host.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_report_is_given_once_also_when_stopped_in_the_middle() {
    let (_folder, path) = file(USUAL.join("\n").repeat(2).as_bytes());
    let host = replaying(&path, json!({}));
    let mut feed: Feed = host.create().unwrap();
    block_on(async {
        feed.initialize().await.unwrap();
        feed.shutdown().await.unwrap();
        feed.shutdown().await.unwrap();
    });
    assert_eq!(row(&host)["lines"], 0);
}

#[test]
fn an_instrument_has_the_name_that_the_configuration_gives_it() {
    let instruments = json!({ "instruments": { "BTCUSDT": "BTCUSDT@spot" } });
    let lines = [SPOT_SNAPSHOT, SPOT_TICKER, COINM_TICKER].join("\n");
    let (host, _) = replay(lines.as_bytes(), instruments);
    let names: Vec<_> = host
        .events::<Quote>("market")
        .iter()
        .map(|(_, quote)| quote.instrument.to_string())
        .collect();
    assert_eq!(names, ["BTCUSDT@spot", "BTCUSD_PERP"]);
    let batches = host.published("market");
    let book = Depth::read(&batches[0].get(0).unwrap()).unwrap();
    assert_eq!(book.header.instrument.as_str(), "BTCUSDT@spot", "the only one that is listed");
}
