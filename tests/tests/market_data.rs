//! Recordings as they come: what is no price does not trade, what is exact is not lost, and a run
//! that could not use its data does not end as if all were well.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Signal, until};
use serde_json::json;
use tempfile::TempDir;

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;

/// A folder with recordings, and where the fills go.
struct Data {
    folder: TempDir,
    plugins: PluginsFolder,
}

impl Data {
    fn new() -> Self {
        let plugins = ["binance-feed", "market-aggregator", "ema-cross", "mean-reversion"];
        let plugins = PluginsFolder::with(&[plugins.as_slice(), &["paper-executor"]].concat());
        Self { folder: tempfile::tempdir().unwrap(), plugins }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Bars of two trades of one recording, and a strategy that follows them.
    fn trades(&self, recording: &Path, fills: &Path, more: &str) -> ConfigFile {
        let (recording, fills) = (recording.display(), fills.display());
        let yaml = format!(
            "\
channels:
  raw: {{ capacity: 64 }}
  bars: {{ capacity: 64 }}
  orders: {{ capacity: 64 }}
  reports: {{ capacity: 64 }}
pipeline:
  time: replay
  connectors:
    - id: feed
      plugin: binance-feed
      outputs: {{ events: raw }}
      config: {{ path: {recording}{more} }}
  aggregator:
    id: merge
    plugin: market-aggregator
    inputs: {{ sources: raw }}
    outputs: {{ bars: bars }}
    config: {{ bars: {{ trades: 2 }} }}
  strategies:
    - id: cross
      plugin: ema-cross
      inputs: {{ bars: bars, reports: reports }}
      outputs: {{ orders: orders }}
      config: {{ instruments: {{ BTCUSDT: 1 }}, fast: 1, slow: 2, warmup: 1 }}
  executors:
    - id: paper
      plugin: paper-executor
      inputs: {{ orders: orders }}
      outputs: {{ reports: reports }}
      config: {{ fee_rate: 0, fills: {fills} }}
"
        );
        ConfigFile::new(&self.plugins, &yaml)
    }

    fn run_trades(&self, recording: &str) -> (Ended, Vec<String>) {
        let fills = self.path("fills.csv");
        let recording = self.write("capture", recording);
        let config = self.trades(&recording, &fills, "");
        let ended = Run::config(config.path()).log("warn").finish();
        (ended, rows(&fills))
    }

    /// The fills of a strategy on the fair value of two venues.
    fn run_fair(&self, spot: &str, future: &str) -> Vec<String> {
        let (spot, future) = (self.write("spot", spot), self.write("future", future));
        let fills = self.path("fair.csv");
        let yaml = format!(
            "\
channels:
  spot: {{ capacity: 64 }}
  future: {{ capacity: 64 }}
  fair: {{ capacity: 64 }}
  orders: {{ capacity: 64 }}
  reports: {{ capacity: 64 }}
pipeline:
  time: replay
  connectors:
    - id: spot
      plugin: binance-feed
      outputs: {{ events: spot }}
      config: {{ path: {}, instruments: {{ BTCUSDT: BTCUSDT@spot }} }}
    - id: future
      plugin: binance-feed
      outputs: {{ events: future }}
      config: {{ path: {}, instruments: {{ BTCUSDT: BTCUSDT@usdm }} }}
  aggregator:
    id: merge
    plugin: market-aggregator
    inputs: {{ sources: [spot, future] }}
    outputs: {{ fair: fair }}
    config: {{ fair: {{ instruments: [BTCUSDT@spot, BTCUSDT@usdm], trade: BTCUSDT@usdm }} }}
  strategies:
    - id: reversion
      plugin: mean-reversion
      inputs: {{ fair: fair, reports: reports }}
      outputs: {{ orders: orders }}
      config: {{ quantity: 1, theta: 5, span: 100, warmup: 3 }}
  executors:
    - id: paper
      plugin: paper-executor
      inputs: {{ orders: orders }}
      outputs: {{ reports: reports }}
      config: {{ fee_rate: 0, fills: {} }}
",
            spot.display(),
            future.display(),
            fills.display()
        );
        let config = ConfigFile::new(&self.plugins, &yaml);
        let ended = Run::config(config.path()).finish().expect_code(0);
        assert_eq!(ended.report().outcome(), "finished");
        rows(&fills)
    }
}

fn rows(fills: &Path) -> Vec<String> {
    let text = fs::read_to_string(fills).unwrap_or_default();
    text.lines().skip(1).map(str::to_owned).collect()
}

fn quote(time_ns: i64, bid: &str, size: &str, ask: &str) -> String {
    format!(
        r#"{time_ns} {{"stream":"btcusdt@bookTicker","data":{{"u":1,"s":"BTCUSDT","b":"{bid}","B":"{size}","a":"{ask}","A":"1.0"}}}}"#
    )
}

fn trade(time_ns: i64, price: &str, quantity: &str, execution: &str) -> String {
    format!(
        r#"{time_ns} {{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":1,"p":"{price}","q":"{quantity}","X":"{execution}","m":false}}}}"#
    )
}

/// A quote, and trades at rising prices, at these times.
fn rising(times: impl IntoIterator<Item = i64>) -> Vec<String> {
    let trades = times.into_iter().enumerate().map(|(at, time_ns)| {
        let price = format!("100.{:02}", at + 1);
        trade(time_ns, &price, "0.01", "MARKET")
    });
    [quote(START, "100", "1", "101")].into_iter().chain(trades).collect()
}

#[test]
fn quantities_of_cheap_coins_are_exact_and_a_value_out_of_range_loses_itself() {
    let data = Data::new();
    let huge = "9".repeat(40);
    let lines = [
        quote(START, "0.00000070", "512345678901.00000000", "0.00000071"),
        quote(START + 1, "0.00000070", "92233720368.54775808", "0.00000071"),
        trade(START + 2, "0.00000070", "184467440737.10000000", "MARKET"),
        quote(START + 3, "0.00000070", &huge, "0.00000071"),
    ];
    let (ended, _) = data.run_trades(&lines.join("\n"));
    let ended = ended.expect_code(0);
    ended.expect_stderr(&["values that can't be used", "the bid's size: ", "999999"]);
    let report = ended.report();
    let row = &report.section("sources")[0];
    assert_eq!((&row["events"], &row["damaged"]), (&json!(4), &json!(0)), "{row}");
    assert_eq!((&row["lost_values"], &row["lost_values_lines"]), (&json!(1), &json!("4")), "{row}");
}

#[test]
fn what_is_no_trade_of_the_market_does_not_trade() {
    let data = Data::new();
    let plain = rising((1..9).map(|at| START + at));
    let (ended, expected) = data.run_trades(&plain.join("\n"));
    assert_eq!(ended.expect_code(0).report().outcome(), "finished");
    assert_eq!(expected.len(), 2, "one buy, and the sale at the end");
    for (price, quantity, execution) in [
        ("0", "0", "NA"),
        ("0", "0", "MARKET"),
        ("80", "0", "MARKET"),
        ("-37.63", "1", "MARKET"),
        ("80", "5", "INSURANCE_FUND"),
        ("80", "5", "ADL"),
    ] {
        let mut lines = plain.clone();
        lines.insert(4, trade(START + 3, price, quantity, execution));
        let (ended, rows) = data.run_trades(&lines.join("\n"));
        let report = ended.expect_code(0).report();
        assert_eq!(rows, expected, "{price} {quantity} {execution}");
        let row = &report.section("sources")[0];
        let counted = row["no_trade"].as_u64().unwrap() + row["off_book"].as_u64().unwrap();
        assert_eq!(counted, 1, "{row}");
    }
}

#[test]
fn a_book_without_two_sides_does_not_trade() {
    let data = Data::new();
    let future: Vec<_> =
        (0..8).map(|at| quote(START + 10 * at + 5, "100.00", "3", "101.00")).collect();
    for (bid, size, ask) in
        [("0.00", "0.00", "101"), ("100", "3", "0"), ("-100", "3", "101"), ("300", "3", "101")]
    {
        let mut spot: Vec<_> =
            (0..8).map(|at| quote(START + 10 * at, "100.00", "3", "101.00")).collect();
        spot[5] = quote(START + 50, bid, size, ask);
        let fills = data.run_fair(&spot.join("\n"), &future.join("\n"));
        assert_eq!(fills, Vec::<String>::new(), "{bid} {size} {ask}");
    }
}

#[test]
fn a_venue_that_has_been_silent_does_not_trade() {
    let data = Data::new();
    let spot = quote(START, "100.00", "3", "101.00");
    let future: Vec<_> = (0..30)
        .map(|at| {
            let (bid, ask) = (format!("{}", 100 + at), format!("{}", 101 + at));
            quote(START + at * SECOND + 5, &bid, "3", &ask)
        })
        .collect();
    assert_eq!(data.run_fair(&spot, &future.join("\n")), Vec::<String>::new());
}

#[test]
fn a_time_that_jumps_is_named_and_what_follows_is_used() {
    let data = Data::new();
    let mut ahead = rising((1..11).map(|at| START + at));
    ahead[2] = ahead[2].replace(&(START + 2).to_string(), "4102444800000000000");
    let (ended, _) = data.run_trades(&ahead.join("\n"));
    let ended = ended.expect_code(0);
    ended.expect_stderr(&["times far from those around them"]);
    let report = ended.report();
    let row = &report.section("merge")[0];
    assert_eq!((&row["late"], &row["jumped"]), (&json!(0), &json!(1)), "{row}");
    assert_eq!(report.section("aggregator")[0]["bars"], 4);

    let back = (1..6).chain((6..11).map(|at| at - 30)).map(|at| START + at * SECOND);
    let (ended, _) = data.run_trades(&rising(back).join("\n"));
    let ended = ended.expect_code(0);
    ended.expect_stderr(&["were set back", "29000000000"]);
    let report = ended.report();
    let row = &report.section("merge")[0];
    assert_eq!((&row["late"], &row["set_back"]), (&json!(0), &json!(1)), "{row}");
    assert_eq!(report.section("aggregator")[0]["bars"], 5);
}

#[test]
fn a_run_that_lost_most_of_its_events_fails() {
    let data = Data::new();
    // Less than a jump, so they are late.
    let times = [900, 1, 2, 3, 4, 5, 6, 7].map(|at| START + at * 1_000_000);
    let (ended, _) = data.run_trades(&rising(times).join("\n"));
    let ended = ended.expect_code(1);
    assert_eq!(ended.report().outcome(), "failed");
    ended.expect_stderr(&["most events were left out because of their times, of raw (7 of 9"]);
}

#[test]
fn a_recording_of_which_nothing_can_be_used_fails_the_run_and_is_named() {
    let data = Data::new();
    let utf16: Vec<u8> = "\u{feff}17 {}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let agg_trade = r#"1 {"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","s":"BTCUSDT"}}"#;
    for (content, says) in [
        (b"PK\x03\x04".as_slice(), "is a zip archive"),
        (&utf16, "is UTF-16 text"),
        (b"id,price\n1,2\n", "no line of"),
        (b"\x1f", "no line of"),
        (agg_trade.as_bytes(), "unknown kinds: aggTrade 1"),
        (b"", "is empty"),
    ] {
        let recording = data.write("capture", content);
        let config = data.trades(&recording, &data.path("fills.csv"), "");
        let ended = Run::config(config.path()).finish().expect_code(1);
        ended.expect_stderr(&[recording.to_str().unwrap(), says]);
    }
}

#[test]
fn fills_do_not_overwrite_the_recording() {
    let data = Data::new();
    let text = rising((1..9).map(|at| START + at)).join("\n");
    let recording = data.write("capture", &text);
    let link = data.path("link");
    fs::hard_link(&recording, &link).unwrap();
    for fills in [&recording, &link] {
        let config = data.trades(&recording, fills, "");
        let ended = Run::config(config.path()).finish().expect_code(1);
        ended.expect_stderr(&[fills.to_str().unwrap(), "is no fills file"]);
        assert_eq!(fs::read_to_string(&recording).unwrap(), text);
    }
}

#[test]
fn fills_are_in_the_file_while_the_run_goes_on_and_whole_after_a_kill() {
    let data = Data::new();
    // Prices that go up and down, ten seconds long.
    let trades = (0..1_000).map(|at| {
        let price = format!("{}.{:02}", 100 + (at / 4) % 2, at % 100);
        trade(START + at * SECOND / 100, &price, "0.01", "MARKET")
    });
    let lines: Vec<_> = [quote(START, "100", "1", "101")].into_iter().chain(trades).collect();
    let (recording, fills) = (data.write("capture", lines.join("\n")), data.path("fills.csv"));
    let config = data.trades(&recording, &fills, ", speed: 1");
    let running = Run::config(config.path()).start();
    until("fills in the file", || (rows(&fills).len() >= 5).then_some(()));
    running.signal(Signal::Kill);
    drop(running);
    let text = fs::read_to_string(&fills).unwrap();
    assert!(text.ends_with('\n'));
    assert!(text.lines().all(|row| row.split(',').count() == 11), "{text}");
    // A fills file of an earlier run is replaced.
    let config = data.trades(&recording, &fills, "");
    Run::config(config.path()).finish().expect_code(0).report();
    assert!(rows(&fills).len() > 100);
}
