//! The results and errors of parsing a line or a message.

use std::borrow::Cow;

use hotbay_market::{Quote, Trade};
use hotbay_plugin_api::Kind;

use crate::{MessageKind, SymbolError};

/// The result of parsing a message.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// An event to publish.
    Message(Message<'a>),
    /// A message of a kind that is not configured; its content was not parsed.
    Skipped(MessageKind),
    /// A message of a kind that the feed doesn't know, with the kind's name.
    Unknown(Cow<'a, str>),
}

/// One event of the market.
#[derive(Debug)]
pub struct Message<'a> {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The exchange's time in ns since 1970: of the transaction if given, else of the event.
    pub exchange_ns: Option<i64>,
    /// Whether the message is of the market.
    pub nature: Nature,
    /// The values of the message that can't be used, in words, if there are any. In a quote zero
    /// stands for a number out of range; in a book the levels of wrong numbers are missing.
    pub lost_values: Option<String>,
    /// The content of the event.
    pub body: Body<'a>,
}

/// Whether a message is of the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A quote, a book, or a trade against an order in the book.
    Market,
    /// A trade of the insurance fund, or by auto-deleveraging.
    OffBook,
    /// A message in the form of a trade, by which nothing was traded: it has no price or no
    /// quantity, or says so itself.
    NoTrade,
}

/// The content of an event.
#[derive(Debug)]
pub enum Body<'a> {
    /// The best bid and ask.
    Quote(Quote),
    /// A trade.
    Trade(Trade),
    /// A book update or snapshot, in the layout of [`Depth::write`](hotbay_market::Depth::write).
    Depth {
        /// Whether it is an update or a snapshot.
        kind: Kind,
        /// The payload of the event.
        payload: &'a [u8],
    },
}

/// An error that is returned for a line or a message that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damaged {
    /// A line of a capture doesn't start with the receiver's timestamp.
    #[error("the line does not start with a time in nanoseconds and a space")]
    NoTime,
    /// The message is not enclosed in braces.
    #[error("the message does not start with {{ and end with }}")]
    Outline,
    /// The message is not UTF-8.
    #[error("the message is not UTF-8")]
    Encoding(#[from] std::str::Utf8Error),
    /// The JSON is invalid, or a field is missing or of another type.
    #[error("{}", without_line(.0))]
    Json(serde_json::Error),
    /// A number is none, or is out of range.
    #[error("{0}")]
    Number(String),
    /// The instrument can't be determined.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
}

/// Splits a line of a capture into the receiver's timestamp and the message.
///
/// # Errors
/// If the line does not start with a number and a space.
pub fn split_line(line: &[u8]) -> Result<(i64, &[u8]), Damaged> {
    let space = line.iter().position(|&byte| byte == b' ').ok_or(Damaged::NoTime)?;
    let (digits, json) = line.split_at(space);
    // Nineteen digits always fit into 64 bits.
    if !(1..=19).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Damaged::NoTime);
    }
    let time = digits.iter().fold(0, |time: u64, digit| time * 10 + u64::from(digit & 0xf));
    let time = i64::try_from(time).map_err(|_| Damaged::NoTime)?;
    Ok((time, json.trim_ascii()))
}

/// Returns serde_json's message without its line number, which is always 1 and not the capture's.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => format!("{} at byte {} of the message", &text[..end], error.column()),
        None => text,
    }
}

impl From<crate::wire::WrongNumber> for Damaged {
    fn from(wrong: crate::wire::WrongNumber) -> Self {
        Self::Number(wrong.to_string())
    }
}

impl From<serde_json::Error> for Damaged {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}
