//! The serde types of the exchange's messages.
//!
//! Field names are those of Binance's documentation of the market streams. Fields
//! that the feed has no use for are not named here, so nothing in them, such as a
//! new order type in `X`, can lose a message.

use std::{borrow::Cow, fmt};

use hotbay_market::{Fixed, Level};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};

#[derive(Deserialize)]
pub(crate) struct BookTicker<'a> {
    #[serde(borrow, rename = "s")]
    pub(crate) symbol: Cow<'a, str>,
    #[serde(rename = "b")]
    pub(crate) bid: Exact,
    #[serde(rename = "B")]
    pub(crate) bid_size: Exact,
    #[serde(rename = "a")]
    pub(crate) ask: Exact,
    #[serde(rename = "A")]
    pub(crate) ask_size: Exact,
    #[serde(rename = "T")]
    pub(crate) transaction: Option<Millis>,
    #[serde(rename = "E")]
    pub(crate) event: Option<Millis>,
}

#[derive(Deserialize)]
pub(crate) struct Trade<'a> {
    #[serde(borrow, rename = "s")]
    pub(crate) symbol: Cow<'a, str>,
    #[serde(rename = "t")]
    pub(crate) id: u64,
    #[serde(rename = "p")]
    pub(crate) price: Exact,
    #[serde(rename = "q")]
    pub(crate) quantity: Exact,
    #[serde(rename = "m")]
    pub(crate) maker: Maker,
    #[serde(rename = "T")]
    pub(crate) transaction: Option<Millis>,
    #[serde(rename = "E")]
    pub(crate) event: Option<Millis>,
}

#[derive(Deserialize)]
pub(crate) struct DepthUpdate<'a> {
    #[serde(borrow, rename = "s")]
    pub(crate) symbol: Cow<'a, str>,
    #[serde(rename = "U")]
    pub(crate) first_update: u64,
    #[serde(rename = "u")]
    pub(crate) last_update: u64,
    #[serde(default, rename = "pu")]
    pub(crate) previous_update: u64,
    #[serde(rename = "b", deserialize_with = "levels")]
    pub(crate) bids: Vec<Level>,
    #[serde(rename = "a", deserialize_with = "levels")]
    pub(crate) asks: Vec<Level>,
    #[serde(rename = "T")]
    pub(crate) transaction: Option<Millis>,
    #[serde(rename = "E")]
    pub(crate) event: Option<Millis>,
}

#[derive(Deserialize)]
pub(crate) struct Snapshot<'a> {
    /// Only present in messages of COIN-M.
    #[serde(borrow)]
    pub(crate) symbol: Option<Cow<'a, str>>,
    #[serde(rename = "lastUpdateId")]
    pub(crate) last_update: u64,
    #[serde(deserialize_with = "levels")]
    pub(crate) bids: Vec<Level>,
    #[serde(deserialize_with = "levels")]
    pub(crate) asks: Vec<Level>,
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

/// Milliseconds since 1970.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(crate) struct Millis(i64);

impl Millis {
    /// Converts to nanoseconds since 1970; `None` for a time after the year 2262.
    pub(crate) fn nanoseconds(self) -> Option<i64> {
        self.0.checked_mul(1_000_000)
    }
}

/// A decimal number in quotes, parsed without rounding.
#[derive(Clone, Copy)]
pub(crate) struct Exact(pub(crate) Fixed);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ExactVisitor)
    }
}

struct ExactVisitor;

impl Visitor<'_> for ExactVisitor {
    type Value = Exact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Exact, E> {
        Fixed::parse(text.as_bytes())
            .map(Exact)
            .map_err(|error| E::custom(format_args!("{text:?} is {error}")))
    }
}

fn levels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Level>, D::Error> {
    let levels = Vec::<PriceLevel>::deserialize(deserializer)?;
    Ok(levels.into_iter().map(|PriceLevel(level)| level).collect())
}

/// A level as `[price, quantity]`; further elements are ignored.
struct PriceLevel(Level);

impl<'de> Deserialize<'de> for PriceLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LevelVisitor)
    }
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = PriceLevel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[price, quantity]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<PriceLevel, A::Error> {
        let mut part = |index| {
            parts.next_element::<Exact>()?.ok_or_else(|| A::Error::invalid_length(index, &self))
        };
        let (Exact(price), Exact(quantity)) = (part(0)?, part(1)?);
        while parts.next_element::<IgnoredAny>()?.is_some() {}
        Ok(PriceLevel(Level { price, quantity }))
    }
}
