//! The risk limits, which deny orders before they are sent.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use hotbay_market::{DenyReason, Fixed};
use hotbay_plugin_api::JsonSchema;
use rust_decimal::Decimal;
use serde::Deserialize;

/// At most so many orders in a window of event time.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxOrders {
    /// How many orders of a strategy may be sent within the window; at least 1.
    pub count: usize,
    /// The length of the sliding window, in event time: `1s`, `100ms`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub window: Duration,
}

/// The times of the orders sent within the window. They are kept per strategy, so that the
/// result doesn't depend on how the orders of several strategies interleave.
pub type Sent = HashMap<u64, VecDeque<i64>>;

/// The limits that every signal must pass. They use event time and read no clock.
#[derive(Debug)]
pub struct Limits {
    halt_at_ns: Option<i64>,
    max_notional: Option<Decimal>,
    max_orders: Option<(usize, i64)>,
    sent: Sent,
}

impl Limits {
    /// Creates the limits: the event time of the halt, the largest notional and the order rate.
    pub fn new(
        halt_at_ns: Option<i64>,
        max_notional: Option<Fixed>,
        max_orders: Option<MaxOrders>,
    ) -> Self {
        let window = |window: Duration| i64::try_from(window.as_nanos()).unwrap_or(i64::MAX);
        Self {
            halt_at_ns,
            max_notional: max_notional.map(Fixed::to_decimal),
            max_orders: max_orders.map(|limit| (limit.count, window(limit.window))),
            sent: Sent::new(),
        }
    }

    /// Returns the orders that count as sent, for the saved state.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Restores the orders that count as sent, keeping the configured limits.
    pub fn go_on_from(&mut self, sent: Sent) {
        self.sent = sent;
    }

    /// Returns `true` if trading is halted at this time.
    pub fn halted(&self, time_ns: i64) -> bool {
        self.halt_at_ns.is_some_and(|halt| time_ns >= halt)
    }

    /// Checks a signal against the limits, and counts it as sent if it passes.
    ///
    /// # Errors
    /// The limit that denies the signal, which then doesn't count as sent.
    pub fn pass(
        &mut self,
        time_ns: i64,
        strategy: u64,
        notional: Decimal,
    ) -> Result<(), DenyReason> {
        if self.halted(time_ns) {
            return Err(DenyReason::Halted);
        }
        if self.max_notional.is_some_and(|max| notional > max) {
            return Err(DenyReason::Notional);
        }
        if let Some((count, window)) = self.max_orders {
            let sent = self.sent.entry(strategy).or_default();
            while sent.front().is_some_and(|&at| at <= time_ns.saturating_sub(window)) {
                sent.pop_front();
            }
            if sent.len() >= count {
                return Err(DenyReason::Rate);
            }
            sent.push_back(time_ns);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_halt_on_everything_is_denied() {
        let mut limits = Limits::new(Some(100), None, None);
        assert_eq!(limits.pass(99, 1, Decimal::ONE), Ok(()));
        assert_eq!(limits.pass(100, 1, Decimal::ONE), Err(DenyReason::Halted));
    }

    #[test]
    fn the_largest_notional_itself_passes() {
        let mut limits = Limits::new(None, Some(Fixed::new(10, 0)), None);
        assert_eq!(limits.pass(0, 1, Decimal::TEN), Ok(()));
        let above = "10.00000001".parse().unwrap();
        assert_eq!(limits.pass(0, 1, above), Err(DenyReason::Notional));
    }

    #[test]
    fn the_window_slides_and_denied_orders_take_no_place_in_it() {
        let max = MaxOrders { count: 2, window: Duration::from_nanos(10) };
        let mut limits = Limits::new(None, None, Some(max));
        let mut pass = |time_ns, strategy| limits.pass(time_ns, strategy, Decimal::ONE).is_ok();
        assert!(pass(0, 1) && pass(5, 1));
        assert!(!pass(9, 1), "two were sent in the ten before");
        assert!(pass(9, 2), "another strategy has its own window");
        assert!(pass(10, 1), "the first has left the window");
        assert!(!pass(14, 1));
        assert!(pass(15, 1));
    }
}
