//! The serde types of the exchange's messages.
//!
//! Field names are those of Binance's documentation of the market streams. Fields
//! that the feed has no use for are not named here, so nothing in them can lose a message.
//! Numbers are of a type `N`, see [`Number`].

mod number;

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

pub(crate) use number::{Levels, Loose, Number, Quoted, WrongNumber};

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Number<'de>"))]
pub(crate) struct BookTicker<'a, N> {
    #[serde(borrow, rename = "s")]
    pub(crate) symbol: Cow<'a, str>,
    #[serde(rename = "b")]
    pub(crate) bid: N,
    #[serde(rename = "B")]
    pub(crate) bid_size: N,
    #[serde(rename = "a")]
    pub(crate) ask: N,
    #[serde(rename = "A")]
    pub(crate) ask_size: N,
    #[serde(rename = "T")]
    pub(crate) transaction: Option<Millis>,
    #[serde(rename = "E")]
    pub(crate) event: Option<Millis>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Number<'de>"))]
pub(crate) struct Trade<'a, N> {
    #[serde(borrow, rename = "s")]
    pub(crate) symbol: Cow<'a, str>,
    #[serde(rename = "t")]
    pub(crate) id: u64,
    #[serde(rename = "p")]
    pub(crate) price: N,
    #[serde(rename = "q")]
    pub(crate) quantity: N,
    #[serde(rename = "m")]
    pub(crate) maker: Maker,
    /// Only present in messages of USD-M.
    #[serde(default, rename = "X")]
    pub(crate) execution: Execution,
    #[serde(rename = "T")]
    pub(crate) transaction: Option<Millis>,
    #[serde(rename = "E")]
    pub(crate) event: Option<Millis>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Number<'de>"))]
pub(crate) struct DepthUpdate<'a, N> {
    #[serde(borrow, rename = "s")]
    pub(crate) symbol: Cow<'a, str>,
    #[serde(rename = "U")]
    pub(crate) first_update: u64,
    #[serde(rename = "u")]
    pub(crate) last_update: u64,
    #[serde(default, rename = "pu")]
    pub(crate) previous_update: u64,
    #[serde(rename = "b")]
    pub(crate) bids: Levels<N>,
    #[serde(rename = "a")]
    pub(crate) asks: Levels<N>,
    #[serde(rename = "T")]
    pub(crate) transaction: Option<Millis>,
    #[serde(rename = "E")]
    pub(crate) event: Option<Millis>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Number<'de>"))]
pub(crate) struct Snapshot<'a, N> {
    /// Only present in messages of COIN-M.
    #[serde(borrow)]
    pub(crate) symbol: Option<Cow<'a, str>>,
    #[serde(rename = "lastUpdateId")]
    pub(crate) last_update: u64,
    pub(crate) bids: Levels<N>,
    pub(crate) asks: Levels<N>,
    #[serde(rename = "T")]
    pub(crate) transaction: Option<Millis>,
    #[serde(rename = "E")]
    pub(crate) event: Option<Millis>,
}

/// The maker of a trade: the side whose order was in the book.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub(crate) enum Maker {
    Buyer,
    Seller,
}

impl From<bool> for Maker {
    fn from(buyer_is_maker: bool) -> Self {
        if buyer_is_maker { Self::Buyer } else { Self::Seller }
    }
}

/// How a trade of USD-M was executed. A type that nobody knows counts as the market's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Execution {
    /// Against an order in the book.
    #[default]
    Market,
    /// By the insurance fund or by auto-deleveraging, at a price that is not the market's.
    OffBook,
    /// Not at all: the message says that there is nothing to say.
    None,
}

impl<'de> Deserialize<'de> for Execution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExecutionVisitor)
    }
}

struct ExecutionVisitor;

impl<'de> Visitor<'de> for ExecutionVisitor {
    type Value = Execution;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type of a trade")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Execution, E> {
        Ok(match text {
            "INSURANCE_FUND" | "ADL" => Execution::OffBook,
            "NA" => Execution::None,
            _ => Execution::Market,
        })
    }

    fn visit_unit<E: Error>(self) -> Result<Execution, E> {
        Ok(Execution::Market)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Execution, E> {
        Ok(Execution::Market)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Execution, E> {
        Ok(Execution::Market)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Execution, E> {
        Ok(Execution::Market)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Execution, E> {
        Ok(Execution::Market)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Execution, A::Error> {
        while parts.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Execution::Market)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Execution, A::Error> {
        while parts.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Execution::Market)
    }
}

/// Milliseconds since 1970, or microseconds: a connection can ask for these.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(crate) struct Millis(i64);

/// In milliseconds the year 5138, in microseconds the year 1973.
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

impl Millis {
    /// Converts to nanoseconds since 1970; `None` for a time after the year 2262.
    pub(crate) fn nanoseconds(self) -> Option<i64> {
        let unit = if self.0.unsigned_abs() < MICROSECONDS_FROM { 1_000_000 } else { 1_000 };
        self.0.checked_mul(unit)
    }
}
