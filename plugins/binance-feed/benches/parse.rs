//! Measures how many raw lines a second the feed reads: decompressed only, parsed only, both,
//! and by three feeds on two threads.
//!
//! `HOTBAY_CAPTURES=… cargo bench -p binance-feed` reads the recorded captures in that folder;
//! without the variable, three generated captures with the same mix of messages are read.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use binance_feed::{Config, Feed, Parsed, Parser, split_line};
use divan::{Bencher, counter::ItemsCount};
use flate2::{Compression, write::GzEncoder};
use hotbay_line_source::{LineReader, Recording};
use hotbay_plugin_api::{
    BackgroundTask, SchedulerError,
    testing::{TestHost, block_on},
};

const TICKERS: &[&str] = &["book_ticker"];
const ALL: &[&str] = &["book_ticker", "trade", "depth", "snapshot"];
const NAMES: [&str; 3] =
    ["spot_btcusdt_20240808.gz", "usdm_btcusdt_20240808.gz", "cm_btcusd_perp_20240808.gz"];

static CAPTURES: LazyLock<Vec<PathBuf>> =
    LazyLock::new(|| match std::env::var("HOTBAY_CAPTURES") {
        Ok(folder) => NAMES.iter().map(|name| Path::new(&folder).join(name)).collect(),
        Err(_) => NAMES.iter().map(|name| made(name)).collect(),
    });

static TEXT: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut lines = Vec::new();
    for path in CAPTURES.iter() {
        each_line(path, |line| lines.push(line.to_vec()));
    }
    lines
});

fn main() {
    divan::main();
}

#[divan::bench]
fn gunzip(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(TEXT.len())).bench(|| {
        let mut count = 0;
        CAPTURES.iter().for_each(|path| each_line(path, |_| count += 1));
        count
    });
}

#[divan::bench(args = [TICKERS, ALL])]
fn parse(bencher: Bencher<'_, '_>, kinds: &&[&str]) {
    bencher.counter(ItemsCount::new(TEXT.len())).bench(|| {
        let mut parser = parser(kinds);
        TEXT.iter().filter(|line| is_event(&mut parser, line)).count()
    });
}

#[divan::bench(args = [TICKERS, ALL])]
fn gunzip_and_parse(bencher: Bencher<'_, '_>, kinds: &&[&str]) {
    bencher.counter(ItemsCount::new(TEXT.len())).bench(|| {
        let (mut parser, mut events) = (parser(kinds), 0);
        for path in CAPTURES.iter() {
            each_line(path, |line| events += usize::from(is_event(&mut parser, line)));
        }
        events
    });
}

#[divan::bench(args = [TICKERS, ALL])]
fn three_feeds_on_two_threads(bencher: Bencher<'_, '_>, kinds: &&[&str]) {
    let [spot, usdm, cm] = [0, 1, 2].map(|index| &CAPTURES[index]);
    bencher.counter(ItemsCount::new(TEXT.len())).bench(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| feed(usdm, kinds));
            feed(spot, kinds);
            feed(cm, kinds);
        });
    });
}

fn feed(path: &Path, kinds: &[&str]) {
    let host = TestHost::new()
        .with_config(serde_json::json!({ "path": path, "kinds": kinds }))
        .with_output("events", "market");
    let mut feed: Feed = host.create().expect("the configuration is right");
    block_on(async {
        feed.initialize().await.expect("the capture opens");
        let end = loop {
            if let Err(end) = feed.execute().await {
                break end;
            }
        };
        assert_eq!(end, SchedulerError::Finished);
    });
}

fn parser(kinds: &[&str]) -> Parser {
    let config = serde_json::json!({ "path": "x", "kinds": kinds, "snapshot_symbol": "BTCUSDT" });
    let config: Config = serde_json::from_value(config).expect("a configuration");
    Parser::new(&config).expect("a short symbol")
}

fn is_event(parser: &mut Parser, line: &[u8]) -> bool {
    let (_, json) = split_line(line).expect("a whole line");
    matches!(parser.parse(json).expect("a whole message"), Parsed::Message(_))
}

fn each_line(path: &Path, mut use_line: impl FnMut(&[u8])) {
    let mut lines = LineReader::new(Recording::open(path).expect("a capture"));
    while let Some(line) = lines.peek().expect("a whole capture") {
        use_line(line.bytes);
        lines.advance();
    }
}

/// Writes a capture of 60,000 lines: 60 % quotes, 30 % trades, 10 % depths of 40 levels.
fn made(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("hotbay-bench-{}-{name}", std::process::id()));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    for index in 0..60_000u64 {
        let (time, cents) = (1_723_161_255_088_169_167 + index * 5_000_000, index * 7919 % 10_000);
        let millis = time / 1_000_000;
        let json = match index % 10 {
            0..=5 => format!(
                r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{index},"s":"BTCUSDT","b":"618{cents:04}.20","B":"2.{cents}","a":"618{cents:04}.30","A":"1.{cents}","T":{millis},"E":{millis}}}}}"#
            ),
            6..=8 => format!(
                r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{millis},"T":{millis},"s":"BTCUSDT","t":{index},"p":"618{cents:04}.30","q":"0.{cents}","X":"MARKET","m":false}}}}"#
            ),
            _ => {
                let levels: Vec<_> = (0..40)
                    .map(|at| format!(r#"["6{at:02}{cents:04}.10","{at}.{cents}"]"#))
                    .collect();
                let levels = levels.join(",");
                format!(
                    r#"{{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","E":{millis},"T":{millis},"s":"BTCUSDT","U":{index},"u":{index},"pu":{index},"b":[{levels}],"a":[]}}}}"#
                )
            }
        };
        writeln!(gzip, "{time} {json}").expect("memory takes it");
    }
    fs::write(&path, gzip.finish().expect("memory takes it")).expect("a temporary folder");
    path
}
