//! A strategy's position in an instrument, and the orders that it wants to place.

use hotbay_plugin_api::Context;
use serde::{Deserialize, Serialize};

use crate::{Fixed, Instrument, Intent, Side};

/// The direction of a position: flat, long or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// Nothing of the instrument is held.
    Flat,
    /// More was bought than sold, so the position is above zero.
    Long,
    /// More was sold than bought, so the position is below zero.
    Short,
}

impl Stance {
    /// Returns the stance of a position, which is negative when short.
    pub fn of(position: Fixed) -> Self {
        match position.cmp(&Fixed::ZERO) {
            std::cmp::Ordering::Less => Self::Short,
            std::cmp::Ordering::Equal => Self::Flat,
            std::cmp::Ordering::Greater => Self::Long,
        }
    }

    /// Returns the side that closes a position of this stance, or `None` if there is none to close.
    pub const fn closing_side(self) -> Option<Side> {
        match self {
            Self::Flat => None,
            Self::Long => Some(Side::Sell),
            Self::Short => Some(Side::Buy),
        }
    }
}

/// An order that a strategy wants to place, before it is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The side of the order.
    pub side: Side,
    /// The reason for the order.
    pub intent: Intent,
    /// The quantity to trade.
    pub quantity: Fixed,
    /// The best bid at the event that triggered it.
    pub bid: Fixed,
    /// The best ask at the event that triggered it.
    pub ask: Fixed,
}

/// A strategy's position in one instrument, and counts of its signals there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The instrument in which the position is held.
    pub instrument: Instrument,
    /// The quantity held; negative when short.
    pub position: Fixed,
    /// The number of signals placed, filled or not; closing at the end is not a signal.
    pub signals: u64,
    /// The number of signals that were denied.
    pub denied: u64,
}

impl Holding {
    /// Creates an empty position.
    pub const fn new(instrument: Instrument) -> Self {
        Self { instrument, position: Fixed::ZERO, signals: 0, denied: 0 }
    }

    /// Returns the direction of the position.
    pub fn stance(&self) -> Stance {
        Stance::of(self.position)
    }

    /// Returns the order that closes the position at the end of the data, or `None` if it is flat.
    pub fn close_at_end(&self, bid: Fixed, ask: Fixed) -> Option<Ticket> {
        let (side, intent) = (self.stance().closing_side()?, Intent::CloseAtEnd);
        Some(Ticket { side, intent, quantity: self.position.abs(), bid, ask })
    }

    /// Adds a row to the report's section `strategies`.
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
