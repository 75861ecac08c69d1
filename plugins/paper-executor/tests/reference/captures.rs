//! A minimal reader of the recordings, with one serde type for each kind of line.

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
};

use flate2::read::MultiGzDecoder;
use hotbay_market::{Fixed, Instrument, Quote, Trade};
use serde::Deserialize;

pub(crate) enum Market {
    Quote(Quote),
    Trade(Trade),
}

#[derive(Deserialize)]
struct Raw {
    data: Ticker,
}

#[derive(Deserialize)]
struct Ticker {
    #[serde(rename = "b")]
    bid: Fixed,
    #[serde(rename = "B")]
    bid_size: Fixed,
    #[serde(rename = "a")]
    ask: Fixed,
    #[serde(rename = "A")]
    ask_size: Fixed,
}

/// The quotes of a raw capture, with the receiver's clock.
pub(crate) fn raw_quotes(file: &str, instrument: &str) -> Vec<(i64, Quote)> {
    let instrument = Instrument::new(instrument).unwrap();
    let quotes = lines(file).filter(|line| line.contains("@bookTicker\"")).map(|line| {
        let (time, json) = line.split_once(' ').unwrap();
        let Raw { data } = serde_json::from_str(json).unwrap();
        let Ticker { bid, bid_size, ask, ask_size } = data;
        (time.parse().unwrap(), Quote { instrument, bid, bid_size, ask, ask_size })
    });
    quotes.collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
struct Item {
    time_exchange: String,
    instrument: usize,
    kind: Kind,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "Item")]
    item: Item,
}

#[derive(Deserialize)]
enum Kind {
    OrderBookL1 { best_bid: Level, best_ask: Level },
    Trade { price: Fixed, amount: Fixed },
}

#[derive(Deserialize)]
struct Level {
    price: Fixed,
    amount: Fixed,
}

/// The events of the barter sample, with the exchange's clock, in the order of the file.
pub(crate) fn sample() -> Vec<(i64, Market)> {
    let names = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(|name| Instrument::new(name).unwrap());
    lines("binance_spot_trades_l1_btcusdt_ethusdt_solusdt.json.gz")
        .map(|line| {
            let Line { item } =
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            let instrument = names[item.instrument];
            let market = match item.kind {
                Kind::OrderBookL1 { best_bid, best_ask } => Market::Quote(Quote {
                    instrument,
                    bid: best_bid.price,
                    bid_size: best_bid.amount,
                    ask: best_ask.price,
                    ask_size: best_ask.amount,
                }),
                Kind::Trade { price, amount } => {
                    Market::Trade(Trade { instrument, price, quantity: amount, id: 0, side: 0 })
                }
            };
            (nanoseconds(&item.time_exchange), market)
        })
        .collect()
}

/// `2025-03-25T23:07:00.773674205Z`: all lines are of one day, so that the time of day orders them.
fn nanoseconds(text: &str) -> i64 {
    let time = text.strip_prefix("2025-03-25T").and_then(|rest| rest.strip_suffix('Z')).unwrap();
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let seconds = clock.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap());
    seconds * 1_000_000_000 + format!("{fraction:0<9}").parse::<i64>().unwrap()
}

fn lines(file: &str) -> impl Iterator<Item = String> {
    let folder = env::var_os("HOTBAY_CAPTURES").expect("HOTBAY_CAPTURES names the recordings");
    let path = PathBuf::from(folder).join(file);
    let opened = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    BufReader::new(MultiGzDecoder::new(opened)).lines().map(Result::unwrap)
}
