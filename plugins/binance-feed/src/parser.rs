//! Parses one message of the exchange into one event.

use std::borrow::Cow;

use hotbay_market::{Depth, DepthHeader, Quote, Side, Trade};
use hotbay_plugin_api::Kind;

use crate::{
    Body, Config, Damaged, Message, MessageKind, Parsed, SymbolError,
    envelope::{Envelope, Found, open_any, open_usual},
    instruments::{Instruments, Seen},
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

impl Parser {
    /// Creates a parser for the kinds and instruments of a configuration.
    ///
    /// # Errors
    /// If `snapshot_symbol` is not a valid name of an instrument.
    pub fn new(config: &Config) -> Result<Self, SymbolError> {
        let mut wanted = [Wanted::No; 4];
        for kind in &config.kinds {
            wanted[*kind as usize] = Wanted::Yes;
        }
        let instruments = Instruments::new(config)?;
        Ok(Self { wanted, instruments, payload: Vec::new() })
    }

    /// Returns the parser's state to save, on which the instrument of a snapshot depends.
    ///
    /// Update numbers of a book are not part of it: they are published unchanged, and the
    /// consumer that keeps the book compares them.
    pub(crate) fn seen(&self) -> &Seen {
        self.instruments.seen()
    }

    /// Restores the saved state of an earlier build's parser.
    pub(crate) fn resume(&mut self, seen: Seen) {
        self.instruments.resume(seen);
    }

    /// Parses one message, with or without the wrapper of combined streams.
    ///
    /// # Errors
    /// If the message is damaged. Of a message of a kind that is not configured, only
    /// the outline is checked.
    pub fn parse<'a>(&'a mut self, json: &'a [u8]) -> Result<Parsed<'a>, Damaged> {
        if !(json.starts_with(b"{") && json.ends_with(b"}")) {
            return Err(Damaged::Outline);
        }
        let usual = open_usual(json).map(|envelope| self.read(envelope));
        let read = match usual {
            Some(Ok(read)) => read,
            // The layout is not the usual one, or only appeared to be.
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
        // Checked once here, so that serde_json need not check every string.
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

/// A [`Parsed`] whose payload is still in the parser's buffer.
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

fn time(transaction: Option<wire::Millis>, event: Option<wire::Millis>) -> Option<i64> {
    transaction.or(event)?.nanoseconds()
}
