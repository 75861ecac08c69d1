//! What a strategy holds, and what it wants.

use hotbay_plugin_api::Context;
use serde::{Deserialize, Serialize};

use crate::{Fixed, Instrument, Intent, Side};

/// Which way a position points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// Nothing is held.
    Flat,
    /// Bought more than sold.
    Long,
    /// Sold more than bought.
    Short,
}

impl Stance {
    /// The stance of a position, which is negative when short.
    pub fn of(position: Fixed) -> Self {
        match position.cmp(&Fixed::ZERO) {
            std::cmp::Ordering::Less => Self::Short,
            std::cmp::Ordering::Equal => Self::Flat,
            std::cmp::Ordering::Greater => Self::Long,
        }
    }

    /// The side that closes a position of this stance; `None` if there is none to close.
    pub const fn closing_side(self) -> Option<Side> {
        match self {
            Self::Flat => None,
            Self::Long => Some(Side::Sell),
            Self::Short => Some(Side::Buy),
        }
    }
}

/// What a strategy wants done, before it has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Which way.
    pub side: Side,
    /// Why.
    pub intent: Intent,
    /// How much.
    pub quantity: Fixed,
    /// The best bid at the event that triggered it.
    pub bid: Fixed,
    /// The best ask at the event that triggered it.
    pub ask: Fixed,
}

/// What a strategy holds of one instrument, and what it did there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Which instrument.
    pub instrument: Instrument,
    /// How much; negative when short.
    pub position: Fixed,
    /// How many signals were placed, filled or not; closing at the end is none.
    pub signals: u64,
    /// How many signals came back denied.
    pub denied: u64,
}

impl Holding {
    /// Nothing yet.
    pub const fn new(instrument: Instrument) -> Self {
        Self { instrument, position: Fixed::ZERO, signals: 0, denied: 0 }
    }

    /// Which way the position points.
    pub fn stance(&self) -> Stance {
        Stance::of(self.position)
    }

    /// What closes the position at the end of the data; `None` if there is none.
    pub fn close_at_end(&self, bid: Fixed, ask: Fixed) -> Option<Ticket> {
        let (side, intent) = (self.stance().closing_side()?, Intent::CloseAtEnd);
        Some(Ticket { side, intent, quantity: self.position.abs(), bid, ask })
    }

    /// A row of the report's section `strategies`.
    pub fn report(&self, context: &Context, updates: u64) {
        let position = self.position.to_decimal().normalize().to_string();
        let row = StrategyRow {
            strategy: context.id(),
            instrument: self.instrument,
            updates,
            signals: self.signals,
            denied: self.denied,
            position,
        };
        context.report("strategies", &row);
    }
}

#[derive(Serialize)]
struct StrategyRow<'a> {
    strategy: &'a str,
    instrument: Instrument,
    updates: u64,
    signals: u64,
    denied: u64,
    position: String,
}
