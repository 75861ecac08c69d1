//! One message of the exchange, one event.

use std::borrow::Cow;

use hotbay_market::{Depth, DepthHeader, Quote, Side, Trade};
use hotbay_plugin_api::Kind;

use crate::{
    Config, MessageKind, SymbolError,
    envelope::{Envelope, Found, open_any, open_usual},
    instruments::Instruments,
    wire,
};

/// Turns messages of Binance spot, USD-M and COIN-M into events.
#[derive(Debug)]
pub struct Parser {
    wanted: [Wanted; 4],
    instruments: Instruments,
    payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

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
    /// A change of the book or a whole one, as [`Depth::write`] lays it out.
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

impl Parser {
    /// A parser for the kinds and instruments of a configuration.
    ///
    /// # Errors
    /// If `snapshot_symbol` does not fit as a name.
    pub fn new(config: &Config) -> Result<Self, SymbolError> {
        let mut wanted = [Wanted::No; 4];
        for kind in &config.kinds {
            wanted[*kind as usize] = Wanted::Yes;
        }
        let instruments = Instruments::new(config)?;
        Ok(Self { wanted, instruments, payload: Vec::new() })
    }

    /// Reads one message, bare or wrapped as the combined streams do.
    ///
    /// # Errors
    /// If the message is damaged. Of a kind that was not asked for only the
    /// outline is checked.
    pub fn parse<'a>(&'a mut self, json: &'a [u8]) -> Result<Parsed<'a>, Damaged> {
        if !(json.starts_with(b"{") && json.ends_with(b"}")) {
            return Err(Damaged::Outline);
        }
        let usual = open_usual(json).map(|envelope| self.read(envelope));
        let read = match usual {
            Some(Ok(read)) => read,
            // Laid out otherwise, or only seemingly as usual.
            None | Some(Err(Damaged::Json(_))) => self.read(open_any(json)?)?,
            Some(Err(damaged)) => return Err(damaged),
        };
        Ok(match read {
            Read::Skipped(kind) => Parsed::Skipped(kind),
            Read::Unknown(name) => Parsed::Unknown(name),
            Read::Message { kind, exchange_ns, content } => {
                let body = match content {
                    Content::Quote(quote) => Body::Quote(quote),
                    Content::Trade(trade) => Body::Trade(trade),
                    Content::Payload(kind) => Body::Depth { kind, payload: &self.payload },
                };
                Parsed::Message(Message { kind, exchange_ns, body })
            }
        })
    }

    fn read<'a>(&mut self, envelope: Envelope<'a>) -> Result<Read<'a>, Damaged> {
        let kind = match envelope.kind {
            Found::Unknown(name) => return Ok(Read::Unknown(name)),
            Found::Known(kind) => kind,
        };
        if self.wanted[kind as usize] == Wanted::No {
            return Ok(Read::Skipped(kind));
        }
        // Checked once, so that serde_json need not check every string.
        let data = std::str::from_utf8(envelope.data)?;
        let (exchange_ns, content) = match kind {
            MessageKind::BookTicker => self.book_ticker(data)?,
            MessageKind::Trade => self.trade(data)?,
            MessageKind::Depth => self.depth(data)?,
            MessageKind::Snapshot => self.snapshot(data, envelope.stream.as_deref())?,
        };
        Ok(Read::Message { kind, exchange_ns, content })
    }

    fn book_ticker(&mut self, data: &str) -> Result<(Option<i64>, Content), Damaged> {
        let ticker: wire::BookTicker<'_> = serde_json::from_str(data)?;
        let quote = Quote {
            instrument: self.instruments.of(&ticker.symbol)?,
            bid: ticker.bid.0,
            bid_size: ticker.bid_size.0,
            ask: ticker.ask.0,
            ask_size: ticker.ask_size.0,
        };
        Ok((time(ticker.transaction, ticker.event), Content::Quote(quote)))
    }

    fn trade(&mut self, data: &str) -> Result<(Option<i64>, Content), Damaged> {
        let message: wire::Trade<'_> = serde_json::from_str(data)?;
        let aggressor = match message.maker {
            wire::Maker::Buyer => Side::Sell,
            wire::Maker::Seller => Side::Buy,
        };
        let trade = Trade {
            instrument: self.instruments.of(&message.symbol)?,
            price: message.price.0,
            quantity: message.quantity.0,
            id: message.id,
            side: aggressor.code(),
        };
        Ok((time(message.transaction, message.event), Content::Trade(trade)))
    }

    fn depth(&mut self, data: &str) -> Result<(Option<i64>, Content), Damaged> {
        let update: wire::DepthUpdate<'_> = serde_json::from_str(data)?;
        let header = DepthHeader {
            instrument: self.instruments.of(&update.symbol)?,
            first_update: update.first_update,
            last_update: update.last_update,
            previous_update: update.previous_update,
            bids: 0,
        };
        Depth::write(&mut self.payload, header, &update.bids, &update.asks);
        Ok((time(update.transaction, update.event), Content::Payload(Depth::UPDATE)))
    }

    fn snapshot(
        &mut self,
        data: &str,
        stream: Option<&str>,
    ) -> Result<(Option<i64>, Content), Damaged> {
        let book: wire::Snapshot<'_> = serde_json::from_str(data)?;
        let of_stream = stream.and_then(|stream| stream.split('@').next());
        let instrument = match (&book.symbol, of_stream) {
            (Some(symbol), _) => self.instruments.of(symbol)?,
            (None, Some(symbol)) => self.instruments.of(&symbol.to_uppercase())?,
            (None, None) => self.instruments.of_snapshot()?,
        };
        let header = DepthHeader {
            instrument,
            first_update: book.last_update,
            last_update: book.last_update,
            previous_update: 0,
            bids: 0,
        };
        Depth::write(&mut self.payload, header, &book.bids, &book.asks);
        Ok((time(book.transaction, book.event), Content::Payload(Depth::SNAPSHOT)))
    }
}

/// A [`Parsed`] whose payload still stands in the parser.
enum Read<'a> {
    Message { kind: MessageKind, exchange_ns: Option<i64>, content: Content },
    Skipped(MessageKind),
    Unknown(Cow<'a, str>),
}

enum Content {
    Quote(Quote),
    Trade(Trade),
    Payload(Kind),
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

fn time(transaction: Option<wire::Millis>, event: Option<wire::Millis>) -> Option<i64> {
    transaction.or(event)?.nanoseconds()
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
