//! Orders of strategies, and the reports with which executors answer them.

use hotbay_plugin_api::{Event, JsonSchema};
use serde::Serialize;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Fixed, Instrument};

/// The reason for which a strategy places an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// A signal of the strategy.
    Signal,
    /// Closes an open position at the end of the data. It is not a signal: while
    /// trading is halted, the order is not sent.
    CloseAtEnd,
}

impl Intent {
    /// Returns the number that represents the intent in an event.
    pub const fn code(self) -> u64 {
        match self {
            Self::Signal => 0,
            Self::CloseAtEnd => 1,
        }
    }

    /// Returns the intent of a number; an unknown number counts as a signal.
    pub const fn from_code(code: u64) -> Self {
        if code == 1 { Self::CloseAtEnd } else { Self::Signal }
    }
}

/// A market order, with the quote upon which it was decided.
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
#[event(name = "hotbay.market/order", version = 2, layout = "fixed")]
#[repr(C)]
pub struct Order {
    /// The strategy's own number for the order, from 1.
    pub id: u64,
    /// The instrument to trade.
    pub instrument: Instrument,
    /// The [`Side`](crate::Side), as its code.
    pub side: u64,
    /// The [`Intent`], as its code.
    pub intent: u64,
    /// The quantity to trade.
    pub quantity: Fixed,
    /// The best bid at the event that triggered the order.
    pub bid: Fixed,
    /// The best ask at the event that triggered the order.
    pub ask: Fixed,
}

/// The result of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Filled in full at the price of the report.
    Filled,
    /// Denied by the risk limits; nothing was sent.
    Denied,
}

/// The reason why the risk limits denied an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyReason {
    /// Trading is halted.
    Halted,
    /// Price times quantity is above the largest notional of an order.
    Notional,
    /// There were too many orders in the sliding window.
    Rate,
    /// The order is invalid, for example without a price or with quantity zero.
    Invalid,
}

/// The executor's answer to one order.
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
#[event(name = "hotbay.market/order-report", version = 2, layout = "fixed")]
#[repr(C)]
pub struct OrderReport {
    /// The [`Order::id`] that this answers.
    pub order: u64,
    /// The source number of the strategy that sent it: reports share one channel.
    pub strategy: u64,
    /// The instrument that was to be traded.
    pub instrument: Instrument,
    /// 0 when filled, otherwise the denying limit's code.
    pub outcome: u64,
    /// The price of the fill; zero if denied.
    pub price: Fixed,
    /// The strategy's position in the instrument afterwards, negative when short.
    pub position: Fixed,
}

impl OrderReport {
    /// Returns the result of the order.
    pub const fn result(&self) -> Outcome {
        if self.outcome == 0 { Outcome::Filled } else { Outcome::Denied }
    }
}

impl DenyReason {
    /// Returns the number that represents the reason in a report; never 0.
    pub const fn code(self) -> u64 {
        match self {
            Self::Halted => 1,
            Self::Notional => 2,
            Self::Rate => 3,
            Self::Invalid => 4,
        }
    }
}
