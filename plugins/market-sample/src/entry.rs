//! Parses one entry of a recording. This module does no I/O.

use std::collections::BTreeMap;

use hotbay_line_source::excerpt;
use hotbay_market::{Fixed, ParseFixedError, Side};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A quote, which is the price and the size of the best bid and of the best ask. Zeros stand
    /// for a side that is empty, and for a number that is out of range.
    Quote {
        /// The exchange's time in nanoseconds since 1970, UTC.
        time_ns: i64,
        /// The number of the instrument in the recording.
        instrument: usize,
        /// The price and the size of the best bid.
        bid: (Fixed, Fixed),
        /// The price and the size of the best ask.
        ask: (Fixed, Fixed),
        /// The numbers that are out of range, in words, if there are any.
        lost_values: Option<String>,
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
    /// A number is invalid or out of range.
    #[error("\"{0}\" is {1}")]
    Number(String, ParseFixedError),
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
        "OrderBookL1" => {
            let book: L1<'_> = serde_json::from_str(body.get())?;
            let mut lost = Vec::new();
            let bid = level("bid", book.best_bid.as_ref(), &mut lost)?;
            let ask = level("ask", book.best_ask.as_ref(), &mut lost)?;
            let lost_values = (!lost.is_empty()).then(|| lost.join("; "));
            Ok(Entry::Quote { time_ns, instrument, bid, ask, lost_values })
        }
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
                price: number(trade.price).map_err(|(_, error)| error)?,
                quantity: number(trade.amount).map_err(|(_, error)| error)?,
                // Some exchanges use trade ids that are not numbers.
                id: trade.id.parse().unwrap_or(0),
                side,
            })
        }
        other => Ok(Entry::Unknown(other.to_owned())),
    }
}

/// Reads one side of a book, with zeros for an empty one and for numbers that are out of range.
fn level(
    side: &str,
    level: Option<&Level<'_>>,
    lost: &mut Vec<String>,
) -> Result<(Fixed, Fixed), EntryError> {
    let Some(Level { price, amount }) = level else { return Ok((Fixed::ZERO, Fixed::ZERO)) };
    let mut value = |name, raw| match number(raw) {
        Err((ParseFixedError::OutOfRange, error)) => {
            lost.push(format!("the {name} of the {side}: {error}"));
            Ok(Fixed::ZERO)
        }
        Err((ParseFixedError::Malformed, error)) => Err(error),
        Ok(value) => Ok(value),
    };
    Ok((value("price", price)?, value("amount", amount)?))
}

fn time(text: &str) -> Result<i64, EntryError> {
    let wrong = || EntryError::Time(text.to_owned());
    let time: Timestamp = text.parse().map_err(|_| wrong())?;
    i64::try_from(time.as_nanosecond()).map_err(|_| wrong())
}

/// Parses a number, or a string that holds one, from its digits without a binary conversion.
fn number(raw: &RawValue) -> Result<Fixed, (ParseFixedError, EntryError)> {
    let text = raw.get().trim_matches('"').trim_ascii();
    Fixed::parse(text.as_bytes()).map_err(|error| (error, EntryError::Number(excerpt(text), error)))
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
        let Entry::Quote { bid, ask, .. } = entry(&empty) else { panic!("a quote") };
        assert_eq!(bid.0.to_string(), "2059.10000000");
        assert_eq!(ask, (Fixed::ZERO, Fixed::ZERO), "an empty side is told");
        assert_eq!(
            entry(&QUOTE.replace("OrderBookL1", "Candle")),
            Entry::Unknown("Candle".to_owned())
        );
        for damaged in ["", "{", "[]", &QUOTE[..QUOTE.len() - 1], &QUOTE.replace("2059.1", "x")] {
            assert!(parse(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_number_out_of_range_loses_itself_and_a_large_one_nothing() {
        let Entry::Quote { bid, lost_values, .. } =
            parse(&QUOTE.replace("33.09140000", "512345678901.00000000")).unwrap()
        else {
            panic!("a quote")
        };
        assert_eq!((bid.1.to_string().as_str(), lost_values), ("512345678901.00000000", None));
        let Entry::Quote { bid, ask, lost_values, .. } =
            parse(&QUOTE.replace("33.09140000", "1e40")).unwrap()
        else {
            panic!("a quote")
        };
        assert_eq!(
            lost_values.unwrap(),
            "the amount of the bid: \"1e40\" is a decimal number out of \
                                          range: more than 28 digits or decimals"
        );
        assert_eq!((bid.0.to_string().as_str(), bid.1), ("2059.10000000", Fixed::ZERO));
        assert_eq!(ask.1.to_string(), "3.01460000");
        let huge = parse(&TRADE.replace("6e-5", "1e40")).unwrap_err().to_string();
        assert!(huge.contains("out of range"), "{huge}");
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
