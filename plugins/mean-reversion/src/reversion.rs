//! Decides when to sell above and buy below the fair value.

use hotbay_market::{Ema, Side, Stance};
use serde::{Deserialize, Serialize};

/// Trades the distance of a mid from its fair value against that distance's own average.
///
/// It does no I/O. With d = mid − fair, e = the exponential moving average of d and
/// z = d − e, it opens short above θ and long below −θ, and closes once z returns to 0.
#[derive(Debug)]
pub struct Reversion {
    theta: f64,
    warmup: u64,
    average: Ema,
    updates: u64,
}

/// The saved state of a [`Reversion`], with the average as [`Ema::bits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReversionState {
    average: Option<u64>,
    updates: u64,
}

impl Reversion {
    /// Creates a decision that acts at a distance of `theta`, from update number `warmup` on.
    pub fn new(theta: f64, span: u32, warmup: u64) -> Self {
        Self { theta, warmup, average: Ema::new(span), updates: 0 }
    }

    /// Adds a fair value and returns the side to trade with a position of this stance, if any.
    pub fn update(&mut self, mid: f64, fair: f64, stance: Stance) -> Option<Side> {
        let distance = mid - fair;
        let z = distance - self.average.update(distance);
        self.updates += 1;
        if self.updates < self.warmup {
            return None;
        }
        match stance {
            Stance::Flat if z > self.theta => Some(Side::Sell),
            Stance::Flat if z < -self.theta => Some(Side::Buy),
            Stance::Short if z <= 0.0 => Some(Side::Buy),
            Stance::Long if z >= 0.0 => Some(Side::Sell),
            Stance::Flat | Stance::Short | Stance::Long => None,
        }
    }

    /// Returns the state to save.
    pub fn state(&self) -> ReversionState {
        ReversionState { average: self.average.bits(), updates: self.updates }
    }

    /// Restores a saved state, keeping this one's threshold, span and warmup.
    pub fn go_on_from(&mut self, state: ReversionState) {
        self.average.go_on_from(state.average);
        self.updates = state.updates;
    }

    /// Returns the number of fair values added.
    pub fn updates(&self) -> u64 {
        self.updates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it does about distances from a fair value of zero, filled at once.
    fn run(theta: f64, warmup: u64, distances: &[f64]) -> Vec<Option<Side>> {
        let mut reversion = Reversion::new(theta, 1_000_000, warmup);
        let mut stance = Stance::Flat;
        let act = |&distance: &f64| {
            let side = reversion.update(distance, 0.0, stance);
            stance = match (stance, side) {
                (stance, None) => stance,
                (Stance::Flat, Some(Side::Buy)) => Stance::Long,
                (Stance::Flat, Some(Side::Sell)) => Stance::Short,
                (Stance::Long | Stance::Short, Some(_)) => Stance::Flat,
            };
            side
        };
        distances.iter().map(act).collect()
    }

    #[test]
    fn it_sells_above_the_threshold_and_buys_back_at_the_average() {
        let acts = run(3.0, 0, &[0.0, 2.9, 3.1, 9.0, 0.5, -0.1, 0.0]);
        assert_eq!(acts, [None, None, Some(Side::Sell), None, None, Some(Side::Buy), None]);
    }

    #[test]
    fn it_buys_below_the_threshold_and_sells_at_the_average() {
        let acts = run(3.0, 0, &[0.0, -3.1, -1.0, 0.1]);
        assert_eq!(acts, [None, Some(Side::Buy), None, Some(Side::Sell)]);
    }

    #[test]
    fn one_event_closes_or_opens_but_never_both() {
        let acts = run(3.0, 0, &[0.0, 4.0, -4.0, -4.0]);
        assert_eq!(acts, [None, Some(Side::Sell), Some(Side::Buy), Some(Side::Buy)]);
    }

    #[test]
    fn it_acts_from_the_warmups_own_update_on() {
        let acts = run(3.0, 3, &[0.0, 9.0, 9.0]);
        assert_eq!(acts, [None, None, Some(Side::Sell)]);
    }
}
