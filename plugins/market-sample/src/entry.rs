//! Parses one entry of a recording. This module does no I/O.

use std::collections::BTreeMap;

use hotbay_market::{Fixed, Side};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A quote, which is the price and the size of the best bid and of the best ask.
    Quote {
        /// The exchange's time in nanoseconds since 1970, UTC.
        time_ns: i64,
        /// The number of the instrument in the recording.
        instrument: usize,
        /// The price and the size of the best bid.
        bid: (Fixed, Fixed),
        /// The price and the size of the best ask.
        ask: (Fixed, Fixed),
    },
    /// A trade.
    Trade {
        /// The exchange's time in nanoseconds since 1970, UTC.
        time_ns: i64,
        /// The number of the instrument in the recording.
        instrument: usize,
        /// The price of the trade.
        price: Fixed,
        /// The quantity of the trade.
        quantity: Fixed,
        /// The exchange's id of the trade.
        id: u64,
        /// The side of the trade's aggressor.
        side: Side,
    },
    /// A book with one side empty, which gives no quote.
    OneSided,
    /// The recorder lost its connection to this exchange.
    Reconnecting(String),
    /// An entry of an unknown kind.
    Unknown(String),
}

/// An error that is returned for an entry that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The JSON is invalid or of another structure.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A time is invalid.
    #[error("time `{0}`: expected one such as 2025-03-25T23:07:00.77Z")]
    Time(String),
    /// A number is invalid or has too many digits.
    #[error("number `{0}`: expected a decimal number")]
    Number(String),
}

#[derive(Deserialize)]
enum Outer<'a> {
    Item(#[serde(borrow)] &'a RawValue),
    Reconnecting(String),
}

#[derive(Deserialize)]
struct Received<'a> {
    #[serde(borrow, rename = "Ok")]
    ok: &'a RawValue,
}

#[derive(Deserialize)]
struct Item<'a> {
    time_exchange: &'a str,
    instrument: usize,
    #[serde(borrow)]
    kind: BTreeMap<&'a str, &'a RawValue>,
}

#[derive(Deserialize)]
struct L1<'a> {
    #[serde(borrow)]
    best_bid: Option<Level<'a>>,
    #[serde(borrow)]
    best_ask: Option<Level<'a>>,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    amount: &'a RawValue,
}

#[derive(Deserialize)]
struct RawTrade<'a> {
    id: &'a str,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    amount: &'a RawValue,
    side: &'a str,
}

/// Parses one entry.
///
/// # Errors
/// If the entry is damaged. An entry of an unknown kind is not an error.
pub fn parse(json: &str) -> Result<Entry, EntryError> {
    let item = match serde_json::from_str(json)? {
        Outer::Item(item) => item.get(),
        Outer::Reconnecting(exchange) => return Ok(Entry::Reconnecting(exchange)),
    };
    // An item may be wrapped in a result; if it does not parse as one, it is not wrapped.
    let item = serde_json::from_str::<Received<'_>>(item).map_or(item, |it| it.ok.get());
    let Item { time_exchange, instrument, kind } = serde_json::from_str(item)?;
    let time_ns = time(time_exchange)?;
    let Some((name, body)) = kind.into_iter().next() else {
        return Ok(Entry::Unknown("(nothing)".to_owned()));
    };
    match name {
        "OrderBookL1" => match serde_json::from_str(body.get())? {
            L1 { best_bid: Some(bid), best_ask: Some(ask) } => {
                Ok(Entry::Quote { time_ns, instrument, bid: level(&bid)?, ask: level(&ask)? })
            }
            L1 { .. } => Ok(Entry::OneSided),
        },
        "Trade" => {
            let trade: RawTrade<'_> = serde_json::from_str(body.get())?;
            let side = match trade.side {
                "Buy" => Side::Buy,
                "Sell" => Side::Sell,
                other => return Ok(Entry::Unknown(format!("Trade of side {other}"))),
            };
            Ok(Entry::Trade {
                time_ns,
                instrument,
                price: number(trade.price)?,
                quantity: number(trade.amount)?,
                // Some exchanges use trade ids that are not numbers.
                id: trade.id.parse().unwrap_or(0),
                side,
            })
        }
        other => Ok(Entry::Unknown(other.to_owned())),
    }
}

fn level(level: &Level<'_>) -> Result<(Fixed, Fixed), EntryError> {
    Ok((number(level.price)?, number(level.amount)?))
}

fn time(text: &str) -> Result<i64, EntryError> {
    let wrong = || EntryError::Time(text.to_owned());
    let time: Timestamp = text.parse().map_err(|_| wrong())?;
    i64::try_from(time.as_nanosecond()).map_err(|_| wrong())
}

/// Parses a number, or a string that holds one, from its digits without a binary conversion.
fn number(raw: &RawValue) -> Result<Fixed, EntryError> {
    let text = raw.get().trim_matches('"');
    let wrong = || EntryError::Number(text.to_owned());
    if let Ok(number) = Fixed::parse(text.as_bytes()) {
        return Ok(number);
    }
    let number = Decimal::from_scientific(text).map_err(|_| wrong())?;
    Fixed::try_from(number).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRADE: &str = r#"{"Item":{"Ok":{"time_exchange":"2024-12-20T19:05:18.175Z","time_received":"2024-12-20T19:05:18.319Z","exchange":"binance_spot","instrument":2,"kind":{"Trade":{"id":"4314349047","price":96962.51,"amount":6e-5,"side":"Buy"}}}}}"#;
    const QUOTE: &str = r#"{"Item":{"time_exchange":"2025-03-25T23:07:00.773674205Z","exchange":"binance_spot","instrument":1,"kind":{"OrderBookL1":{"best_bid":{"price":"2059.10000000","amount":"33.09140000"},"best_ask":{"price":"2059.11000000","amount":"3.01460000"}}}}}"#;

    #[test]
    fn a_trade_keeps_every_digit_also_in_scientific_notation() {
        let Entry::Trade { time_ns, instrument, price, quantity, id, side } = parse(TRADE).unwrap()
        else {
            panic!("a trade")
        };
        assert_eq!((time_ns, instrument), (1_734_721_518_175_000_000, 2));
        assert_eq!((price.to_string().as_str(), id, side), ("96962.51", 4_314_349_047, Side::Buy));
        assert_eq!(quantity, Fixed::new(6, 5));
    }

    #[test]
    fn a_quote_has_its_time_to_the_nanosecond() {
        let Entry::Quote { time_ns, bid, ask, .. } = parse(QUOTE).unwrap() else {
            panic!("a quote")
        };
        assert_eq!(time_ns, 1_742_944_020_773_674_205);
        assert_eq!(
            (bid.0.to_string(), ask.1.to_string()),
            ("2059.10000000".into(), "3.01460000".into())
        );
    }

    #[test]
    fn what_is_no_event_is_told_apart_from_what_is_damaged() {
        let entry = |json: &str| parse(json).unwrap();
        let reconnecting = r#"{"Reconnecting":"binance_spot"}"#;
        assert_eq!(entry(reconnecting), Entry::Reconnecting("binance_spot".to_owned()));
        let empty = QUOTE.replace(r#"{"price":"2059.11000000","amount":"3.01460000"}"#, "null");
        assert_eq!(entry(&empty), Entry::OneSided);
        assert_eq!(
            entry(&QUOTE.replace("OrderBookL1", "Candle")),
            Entry::Unknown("Candle".to_owned())
        );
        for damaged in ["", "{", "[]", &QUOTE[..QUOTE.len() - 1], &QUOTE.replace("2059.1", "x")] {
            assert!(parse(damaged).is_err(), "{damaged}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", at in 0..200usize, with in any::<char>()) {
            let _outcome = parse(&text);
            let mut mutated: Vec<char> = TRADE.chars().collect();
            let at = at % mutated.len();
            mutated[at] = with;
            let _outcome = parse(&mutated.into_iter().collect::<String>());
        }
    }
}
