//! What a line or a message turns out to be, and what can be wrong with it.

use std::borrow::Cow;

use hotbay_market::{Quote, Trade};
use hotbay_plugin_api::Kind;

use crate::{MessageKind, SymbolError};

/// What a message turned out to be.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// An event to publish.
    Message(Message<'a>),
    /// A message of a kind that was not asked for; its content was not looked at.
    Skipped(MessageKind),
    /// A message of a kind that the feed doesn't know, with the kind's name.
    Unknown(Cow<'a, str>),
}

/// One event of the market.
#[derive(Debug)]
pub struct Message<'a> {
    /// What kind of message it was.
    pub kind: MessageKind,
    /// The exchange's time: of the transaction if it tells, else of the event; ns since 1970.
    pub exchange_ns: Option<i64>,
    /// What it says.
    pub body: Body<'a>,
}

/// What an event says.
#[derive(Debug)]
pub enum Body<'a> {
    /// The best bid and ask.
    Quote(Quote),
    /// A trade.
    Trade(Trade),
    /// A change of the book or a whole one, as [`Depth::write`](hotbay_market::Depth::write) lays it out.
    Depth {
        /// Which of the two.
        kind: Kind,
        /// The payload of the event.
        payload: &'a [u8],
    },
}

/// What is wrong with a line or a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damaged {
    /// A line of a capture that doesn't start with the receiver's clock.
    #[error("the line does not start with a time in nanoseconds and a space")]
    NoTime,
    /// Not even the outline of an object.
    #[error("the message does not start with {{ and end with }}")]
    Outline,
    /// Bytes that are no text.
    #[error("the message is not UTF-8")]
    Encoding(#[from] std::str::Utf8Error),
    /// Broken JSON, or a field that is missing or of another form.
    #[error("{}", without_line(.0))]
    Json(serde_json::Error),
    /// No instrument can be named.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
}

/// Takes a line of a capture apart: the receiver's clock, and the message.
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

/// serde_json's message without its line, which is always 1 and not that of the capture.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => format!("{} at byte {} of the message", &text[..end], error.column()),
        None => text,
    }
}

impl From<serde_json::Error> for Damaged {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}
