//! Quotes and trades, and the bars and fair values that an aggregator computes from them.

use hotbay_plugin_api::{Event, JsonSchema};
use serde::Serialize;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Fixed, Instrument};

/// The side of a trade's aggressor, or the direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The side that buys, and pays the ask.
    Buy,
    /// The side that sells, and takes the bid.
    Sell,
}

impl Side {
    /// Returns the number that represents the side in an event: 0 for buy, 1 for sell.
    pub const fn code(self) -> u64 {
        match self {
            Self::Buy => 0,
            Self::Sell => 1,
        }
    }

    /// Returns the side of a number; anything but 0 is a sell.
    pub const fn from_code(code: u64) -> Self {
        if code == 0 { Self::Buy } else { Self::Sell }
    }

    /// Returns the opposite side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// The best bid and ask of one instrument.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Serialize,
    JsonSchema,
    Event,
)]
#[event(name = "hotbay.market/quote", version = 2, layout = "fixed")]
#[repr(C)]
pub struct Quote {
    /// The instrument whose quote this is.
    pub instrument: Instrument,
    /// The best bid price.
    pub bid: Fixed,
    /// The quantity at the best bid, in the venue's unit (contracts on COIN-M).
    pub bid_size: Fixed,
    /// The best ask price.
    pub ask: Fixed,
    /// The quantity at the best ask, in the venue's unit.
    pub ask_size: Fixed,
}

impl Quote {
    /// Returns `(bid + ask) / 2`, for statistics; `None` unless the book has [two
    /// sides](Self::is_two_sided).
    pub fn mid(&self) -> Option<f64> {
        self.is_two_sided().then(|| (self.bid.to_f64() + self.ask.to_f64()) / 2.0)
    }

    /// Returns `true` if there is a bid and an ask, each above zero and with a quantity, and
    /// the bid is not above the ask.
    ///
    /// Venues send zeros for a side that is empty, and a crossed or negative quote is a fault:
    /// neither is a price at which anything could be traded or valued.
    pub fn is_two_sided(&self) -> bool {
        let Self { bid, bid_size, ask, ask_size, .. } = self;
        [bid, bid_size, ask, ask_size].into_iter().all(|it| it.is_positive()) && bid <= ask
    }
}

/// One trade of the market.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Serialize,
    JsonSchema,
    Event,
)]
#[event(name = "hotbay.market/trade", version = 2, layout = "fixed")]
#[repr(C)]
pub struct Trade {
    /// The instrument that was traded.
    pub instrument: Instrument,
    /// The price at which the trade was made.
    pub price: Fixed,
    /// The quantity that was traded, in the venue's unit.
    pub quantity: Fixed,
    /// The venue's number of the trade.
    pub id: u64,
    /// The aggressor's [`Side`], as [`Side::code`].
    pub side: u64,
}

impl Trade {
    /// Returns `true` if something was traded: price and quantity are above zero.
    ///
    /// Venues also send messages of this form with zeros, when nothing was.
    pub fn is_trade(&self) -> bool {
        self.price.is_positive() && self.quantity.is_positive()
    }
}

/// A bar of trades, and the quote known when it closed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Serialize,
    JsonSchema,
    Event,
)]
#[event(name = "hotbay.market/bar", version = 2, layout = "fixed")]
#[repr(C)]
pub struct Bar {
    /// The instrument whose trades the bar holds.
    pub instrument: Instrument,
    /// The price of the first trade.
    pub open: Fixed,
    /// The highest price of a trade in the bar.
    pub high: Fixed,
    /// The lowest price of a trade in the bar.
    pub low: Fixed,
    /// The price of the last trade.
    pub close: Fixed,
    /// The quantity traded in the bar, in the venue's unit.
    pub volume: Fixed,
    /// The best bid at the closing trade; zero while the book has no two sides.
    pub bid: Fixed,
    /// The best ask at the closing trade; zero while the book has no two sides.
    pub ask: Fixed,
    /// The number of trades that the bar holds.
    pub trades: u64,
    /// The event time of the first trade, ns since 1970 UTC.
    pub opened_ns: i64,
}

/// The mid of several venues beside the quote of the one that is traded.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Serialize,
    JsonSchema,
    Event,
)]
#[event(name = "hotbay.market/fair-value", version = 2, layout = "fixed")]
#[repr(C)]
pub struct FairValue {
    /// The instrument that is traded.
    pub instrument: Instrument,
    /// The mean of the venues' mids.
    pub fair: f64,
    /// The mid of the traded instrument.
    pub mid: f64,
    /// The best bid of the traded instrument at this event.
    pub bid: Fixed,
    /// The best ask of the traded instrument at this event.
    pub ask: Fixed,
}
