//! Parses one message of the exchange into one event.

use std::borrow::Cow;

use hotbay_market::{Depth, DepthHeader, Fixed, ParseFixedError, Quote, Side, Trade};
use hotbay_plugin_api::Kind;

use crate::{
    Body, Config, Damaged, Message, MessageKind, Nature, Parsed, SymbolError,
    envelope::{Envelope, Found, open_any, open_usual},
    instruments::{Instruments, Seen},
    wire::{self, Levels, Number},
};

/// Turns messages of Binance spot, USD-M and COIN-M into events.
#[derive(Debug)]
pub struct Parser {
    wanted: [Wanted; 4],
    instruments: Instruments,
    payload: Vec<u8>,
    /// The values of the message being read that can't be used.
    lost_values: Option<String>,
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
        Ok(Self { wanted, instruments, payload: Vec::new(), lost_values: None })
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
        let usual = open_usual(json).map(|envelope| self.read::<wire::Quoted>(envelope));
        let read = match usual {
            Some(Ok(read)) => read,
            // The layout is not the usual one, or only appeared to be.
            None | Some(Err(Damaged::Json(_))) => self.read::<wire::Loose<'_>>(open_any(json)?)?,
            Some(Err(damaged)) => return Err(damaged),
        };
        Ok(match read {
            Read::Skipped(kind) => Parsed::Skipped(kind),
            Read::Unknown(name) => Parsed::Unknown(name),
            Read::Message { kind, content: (exchange_ns, content) } => {
                let (nature, body) = match content {
                    Content::Quote(quote) => (Nature::Market, Body::Quote(quote)),
                    Content::Trade(nature, trade) => (nature, Body::Trade(trade)),
                    Content::Payload(kind) => {
                        (Nature::Market, Body::Depth { kind, payload: &self.payload })
                    }
                };
                let lost_values = self.lost_values.take();
                Parsed::Message(Message { kind, exchange_ns, nature, lost_values, body })
            }
        })
    }

    fn read<'a, N: Number<'a>>(&mut self, envelope: Envelope<'a>) -> Result<Read<'a>, Damaged> {
        self.lost_values = None;
        let kind = match envelope.kind {
            Found::Unknown(name) => return Ok(Read::Unknown(name)),
            Found::Known(kind) => kind,
        };
        if self.wanted[kind as usize] == Wanted::No {
            return Ok(Read::Skipped(kind));
        }
        // Checked once here, so that serde_json need not check every string.
        let data = std::str::from_utf8(envelope.data)?;
        let content = match kind {
            MessageKind::BookTicker => self.book_ticker::<N>(data)?,
            MessageKind::Trade => self.trade::<N>(data)?,
            MessageKind::Depth => self.depth::<N>(data)?,
            MessageKind::Snapshot => self.snapshot::<N>(data, envelope.stream.as_deref())?,
        };
        Ok(Read::Message { kind, content })
    }

    fn book_ticker<'a, N: Number<'a>>(&mut self, data: &'a str) -> Result<TimedContent, Damaged> {
        let ticker: wire::BookTicker<'_, N> = serde_json::from_str(data)?;
        let quote = Quote {
            instrument: self.instruments.of(&ticker.symbol)?,
            bid: self.or_zero("bid", &ticker.bid)?,
            bid_size: self.or_zero("bid's size", &ticker.bid_size)?,
            ask: self.or_zero("ask", &ticker.ask)?,
            ask_size: self.or_zero("ask's size", &ticker.ask_size)?,
        };
        Ok((time(ticker.transaction, ticker.event), Content::Quote(quote)))
    }

    fn trade<'a, N: Number<'a>>(&mut self, data: &'a str) -> Result<TimedContent, Damaged> {
        let message: wire::Trade<'_, N> = serde_json::from_str(data)?;
        let aggressor = match message.maker {
            wire::Maker::Buyer => Side::Sell,
            wire::Maker::Seller => Side::Buy,
        };
        let trade = Trade {
            instrument: self.instruments.of(&message.symbol)?,
            price: message.price.value()?,
            quantity: message.quantity.value()?,
            id: message.id,
            side: aggressor.code(),
        };
        let nature = match message.execution {
            _ if !trade.is_trade() => Nature::NoTrade,
            wire::Execution::None => Nature::NoTrade,
            wire::Execution::OffBook => Nature::OffBook,
            wire::Execution::Market => Nature::Market,
        };
        Ok((time(message.transaction, message.event), Content::Trade(nature, trade)))
    }

    fn depth<'a, N: Number<'a>>(&mut self, data: &'a str) -> Result<TimedContent, Damaged> {
        let update: wire::DepthUpdate<'_, N> = serde_json::from_str(data)?;
        let header = DepthHeader {
            instrument: self.instruments.of(&update.symbol)?,
            first_update: update.first_update,
            last_update: update.last_update,
            previous_update: update.previous_update,
            bids: 0,
        };
        self.book(header, &update.bids, &update.asks);
        Ok((time(update.transaction, update.event), Content::Payload(Depth::UPDATE)))
    }

    fn snapshot<'a, N: Number<'a>>(
        &mut self,
        data: &'a str,
        stream: Option<&str>,
    ) -> Result<TimedContent, Damaged> {
        let book: wire::Snapshot<'_, N> = serde_json::from_str(data)?;
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
        self.book(header, &book.bids, &book.asks);
        Ok((time(book.transaction, book.event), Content::Payload(Depth::SNAPSHOT)))
    }

    fn book<N>(&mut self, header: DepthHeader, bids: &Levels<N>, asks: &Levels<N>) {
        for (side, Levels { lost, .. }) in [("bids", bids), ("asks", asks)] {
            if let Some((count, first)) = lost {
                self.note(&format!("{count} of the {side}, first {first}"));
            }
        }
        Depth::write(&mut self.payload, header, &bids.levels, &asks.levels);
    }

    /// Returns a number of a quote; zero for one that is out of range, which is noted.
    fn or_zero<'a>(&mut self, name: &str, number: &impl Number<'a>) -> Result<Fixed, Damaged> {
        match number.value() {
            Err(wrong) if wrong.error == ParseFixedError::OutOfRange => {
                self.note(&format!("the {name}: {wrong}"));
                Ok(Fixed::ZERO)
            }
            other => Ok(other?),
        }
    }

    fn note(&mut self, lost: &str) {
        match &mut self.lost_values {
            Some(before) => {
                before.push_str("; ");
                before.push_str(lost);
            }
            none @ None => *none = Some(lost.to_owned()),
        }
    }
}

/// An event without its payload, and the exchange's time of it.
type TimedContent = (Option<i64>, Content);

/// A [`Parsed`] whose payload is still in the parser's buffer.
enum Read<'a> {
    Message { kind: MessageKind, content: TimedContent },
    Skipped(MessageKind),
    Unknown(Cow<'a, str>),
}

enum Content {
    Quote(Quote),
    Trade(Nature, Trade),
    Payload(Kind),
}

fn time(transaction: Option<wire::Millis>, event: Option<wire::Millis>) -> Option<i64> {
    transaction.or(event)?.nanoseconds()
}
