//! Decimal numbers in messages, parsed without rounding.

use std::{fmt, marker::PhantomData};

use hotbay_line_source::excerpt;
use hotbay_market::{Fixed, Level, ParseFixedError};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// A number in a message.
///
/// A message is first read with [`Quoted`] numbers, which are the usual ones. If that fails, it
/// is read again with [`Loose`] ones, which take more and tell what is wrong with which number.
pub(crate) trait Number<'de>: Deserialize<'de> {
    /// Returns the number.
    ///
    /// # Errors
    /// If it is none, or out of range.
    fn value(&self) -> Result<Fixed, WrongNumber>;
}

/// An error that is returned for a number that can't be used, with the start of its text.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is {error}")]
pub(crate) struct WrongNumber {
    text: String,
    pub(crate) error: ParseFixedError,
}

/// A decimal number in quotes, as the exchange writes it.
#[derive(Clone, Copy)]
pub(crate) struct Quoted(Fixed);

impl Number<'_> for Quoted {
    #[inline]
    fn value(&self) -> Result<Fixed, WrongNumber> {
        Ok(self.0)
    }
}

impl<'de> Deserialize<'de> for Quoted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(QuotedVisitor)
    }
}

struct QuotedVisitor;

impl Visitor<'_> for QuotedVisitor {
    type Value = Quoted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quoted, E> {
        Fixed::parse(text.as_bytes()).map(Quoted).map_err(E::custom)
    }
}

/// Any value, which may be a number in quotes or without, with spaces around it.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(crate) struct Loose<'a>(#[serde(borrow)] &'a RawValue);

impl<'de> Number<'de> for Loose<'de> {
    fn value(&self) -> Result<Fixed, WrongNumber> {
        let raw = self.0.get();
        let quoted = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let text = quoted.unwrap_or(raw).trim_ascii();
        Fixed::parse(text.as_bytes()).map_err(|error| WrongNumber { text: excerpt(text), error })
    }
}

/// The levels of one side of a book, without those whose price or quantity can't be used.
pub(crate) struct Levels<N> {
    pub(crate) levels: Vec<Level>,
    /// How many levels can't be used, and why the first of them.
    pub(crate) lost: Option<(u64, WrongNumber)>,
    number: PhantomData<N>,
}

impl<'de, N: Number<'de>> Deserialize<'de> for Levels<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LevelsVisitor(PhantomData))
    }
}

struct LevelsVisitor<N>(PhantomData<N>);

impl<'de, N: Number<'de>> Visitor<'de> for LevelsVisitor<N> {
    type Value = Levels<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [price, quantity]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Levels<N>, A::Error> {
        // Most messages have fewer levels, and few have many more.
        let levels = Vec::with_capacity(32);
        let mut all = Levels { levels, lost: None, number: PhantomData };
        while let Some(PriceLevel { price, quantity }) = parts.next_element::<PriceLevel<N>>()? {
            let values = price.value().and_then(|price| Ok((price, quantity.value()?)));
            match values {
                Ok((price, quantity)) => all.levels.push(Level { price, quantity }),
                Err(wrong) => {
                    let (count, first) = all.lost.take().unwrap_or((0, wrong));
                    all.lost = Some((count + 1, first));
                }
            }
        }
        Ok(all)
    }
}

/// A level as `[price, quantity]`; further elements are ignored.
struct PriceLevel<N> {
    price: N,
    quantity: N,
}

impl<'de, N: Number<'de>> Deserialize<'de> for PriceLevel<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LevelVisitor(PhantomData))
    }
}

struct LevelVisitor<N>(PhantomData<N>);

impl<'de, N: Number<'de>> Visitor<'de> for LevelVisitor<N> {
    type Value = PriceLevel<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[price, quantity]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<PriceLevel<N>, A::Error> {
        let mut part = |index| {
            parts.next_element::<N>()?.ok_or_else(|| A::Error::invalid_length(index, &self))
        };
        let (price, quantity) = (part(0)?, part(1)?);
        while parts.next_element::<IgnoredAny>()?.is_some() {}
        Ok(PriceLevel { price, quantity })
    }
}
