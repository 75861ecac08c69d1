//! What the market says: quotes, trades, depth, and what an aggregator makes of them.

use hotbay_plugin_api::{Event, EventRef, Kind};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Fixed, Instrument};

/// Who was the aggressor of a trade, or the direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buys: pays the ask.
    Buy,
    /// Sells: takes the bid.
    Sell,
}

impl Side {
    /// The number that stands in an event: 0 for buy, 1 for sell.
    pub const fn code(self) -> u64 {
        match self {
            Self::Buy => 0,
            Self::Sell => 1,
        }
    }

    /// The side of this number; anything but 0 is a sell.
    pub const fn from_code(code: u64) -> Self {
        if code == 0 { Self::Buy } else { Self::Sell }
    }

    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// The best bid and ask of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Quote {
    /// Whose quote this is.
    pub instrument: Instrument,
    /// The best bid.
    pub bid: Fixed,
    /// The quantity there, in the venue's unit (contracts on COIN-M).
    pub bid_size: Fixed,
    /// The best ask.
    pub ask: Fixed,
    /// The quantity there.
    pub ask_size: Fixed,
}

impl Event for Quote {
    const KIND: Kind = Kind::of("hotbay.market/quote/1");
}

impl Quote {
    /// `(bid + ask) / 2`, for statistics.
    pub fn mid(&self) -> f64 {
        (self.bid.to_f64() + self.ask.to_f64()) / 2.0
    }
}

/// One trade of the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Trade {
    /// What was traded.
    pub instrument: Instrument,
    /// At which price.
    pub price: Fixed,
    /// How much, in the venue's unit.
    pub quantity: Fixed,
    /// The venue's number of the trade.
    pub id: u64,
    /// The aggressor's [`Side`], as [`Side::code`].
    pub side: u64,
}

impl Event for Trade {
    const KIND: Kind = Kind::of("hotbay.market/trade/1");
}

/// One price level of a book; quantity zero removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Level {
    /// The price.
    pub price: Fixed,
    /// The quantity that now stands there.
    pub quantity: Fixed,
}

/// The fixed part of a depth event; the levels follow it in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DepthHeader {
    /// Whose book.
    pub instrument: Instrument,
    /// The first update number in this event; for a snapshot, its last.
    pub first_update: u64,
    /// The last update number in this event.
    pub last_update: u64,
    /// The last number of the event before, where the venue gives it (futures), else 0.
    pub previous_update: u64,
    /// How many of the levels are bids; they stand before the asks.
    pub bids: u64,
}

/// A change of the book, or a whole book, with its levels.
#[derive(Debug, Clone, Copy)]
pub struct Depth<'a> {
    /// Whose book, and which updates.
    pub header: DepthHeader,
    /// The bids.
    pub bids: &'a [u8],
    /// The asks.
    pub asks: &'a [u8],
}

impl<'a> Depth<'a> {
    /// The kind of a change to the book.
    pub const UPDATE: Kind = Kind::of("hotbay.market/depth-update/1");
    /// The kind of a whole book.
    pub const SNAPSHOT: Kind = Kind::of("hotbay.market/depth-snapshot/1");

    /// Reads a depth event; `None` for another kind or a damaged payload.
    pub fn read(event: &EventRef<'a>) -> Option<Self> {
        if event.kind() != Self::UPDATE && event.kind() != Self::SNAPSHOT {
            return None;
        }
        let (header, levels) = DepthHeader::read_from_prefix(event.payload()).ok()?;
        let split = usize::try_from(header.bids).ok()?.checked_mul(size_of::<Level>())?;
        let (bids, asks) = levels.split_at_checked(split)?;
        (asks.len() % size_of::<Level>() == 0).then_some(Self { header, bids, asks })
    }

    /// Writes the payload of a depth event into `buffer`, replacing what it held.
    pub fn write(buffer: &mut Vec<u8>, header: DepthHeader, bids: &[Level], asks: &[Level]) {
        buffer.clear();
        let header = DepthHeader { bids: bids.len() as u64, ..header };
        buffer.extend_from_slice(header.as_bytes());
        buffer.extend_from_slice(bids.as_bytes());
        buffer.extend_from_slice(asks.as_bytes());
    }

    /// The levels of one side, as [`Depth::bids`] or [`Depth::asks`] hold them.
    pub fn levels(side: &'a [u8]) -> impl Iterator<Item = Level> + 'a {
        side.chunks_exact(size_of::<Level>()).filter_map(|level| Level::read_from_bytes(level).ok())
    }
}

/// A bar of trades, and the quote known when it closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Bar {
    /// Of which instrument.
    pub instrument: Instrument,
    /// The price of the first trade.
    pub open: Fixed,
    /// The highest price.
    pub high: Fixed,
    /// The lowest price.
    pub low: Fixed,
    /// The price of the last trade.
    pub close: Fixed,
    /// The traded quantity.
    pub volume: Fixed,
    /// The best bid known at the closing trade; zero while none was seen.
    pub bid: Fixed,
    /// The best ask known at the closing trade; zero while none was seen.
    pub ask: Fixed,
    /// How many trades the bar holds.
    pub trades: u64,
    /// The event time of the first trade, ns since 1970 UTC.
    pub opened_ns: i64,
}

impl Event for Bar {
    const KIND: Kind = Kind::of("hotbay.market/bar/1");
}

/// The mid of several venues beside the quote of the one that is traded.
#[derive(Debug, Clone, Copy, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FairValue {
    /// The instrument that is traded.
    pub instrument: Instrument,
    /// The mean of the venues' mids.
    pub fair: f64,
    /// The mid of the traded instrument.
    pub mid: f64,
    /// Its best bid at this event.
    pub bid: Fixed,
    /// Its best ask at this event.
    pub ask: Fixed,
}

impl Event for FairValue {
    const KIND: Kind = Kind::of("hotbay.market/fair-value/1");
}
