//! Detects when two moving averages cross.

use hotbay_market::{Bar, Ema, Fixed, Side, Stance};
use serde::{Deserialize, Serialize};

/// Follows the fast and the slow average of one instrument's closes. It does no I/O.
#[derive(Debug)]
pub struct Cross {
    fast: Ema,
    slow: Ema,
    warmup: u64,
    bars: u64,
}

/// The saved state of a [`Cross`], with the averages as [`Ema::bits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossState {
    fast: Option<u64>,
    slow: Option<u64>,
    bars: u64,
}

/// The trend of the market, told by which average is above the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    /// The fast average is above, or both are equal.
    Up,
    /// The slow average is above.
    Down,
}

impl Cross {
    /// Creates averages of these spans, which give a trend from bar number `warmup` on.
    pub fn new(fast: u32, slow: u32, warmup: u64) -> Self {
        Self { fast: Ema::new(fast), slow: Ema::new(slow), warmup, bars: 0 }
    }

    /// Adds a bar and returns the trend, if the strategy is to act on this bar.
    ///
    /// A bar of a single price moves the averages but never returns a trend.
    pub fn update(&mut self, bar: &Bar) -> Option<Trend> {
        let close = bar.close.to_f64();
        let (fast, slow) = (self.fast.update(close), self.slow.update(close));
        self.bars += 1;
        let single_price = bar.open == bar.high && bar.high == bar.low && bar.low == bar.close;
        if self.bars < self.warmup || single_price {
            return None;
        }
        Some(if fast >= slow { Trend::Up } else { Trend::Down })
    }

    /// Returns the state to save.
    pub fn state(&self) -> CrossState {
        CrossState { fast: self.fast.bits(), slow: self.slow.bits(), bars: self.bars }
    }

    /// Restores a saved state, keeping this one's spans and warmup.
    pub fn go_on_from(&mut self, state: CrossState) {
        self.fast.go_on_from(state.fast);
        self.slow.go_on_from(state.slow);
        self.bars = state.bars;
    }

    /// Returns the number of bars added.
    pub fn bars(&self) -> u64 {
        self.bars
    }
}

impl Trend {
    /// Returns the side that follows the trend.
    pub const fn side(self) -> Side {
        match self {
            Self::Up => Side::Buy,
            Self::Down => Side::Sell,
        }
    }

    /// Returns the order that closes a position against the trend.
    pub fn close(self, position: Fixed) -> Option<(Side, Fixed)> {
        let side = Stance::of(position).closing_side()?;
        (side == self.side()).then_some((side, position.abs()))
    }

    /// Returns the order that opens a position of `quantity` with the trend, if none is open.
    pub fn open(self, position: Fixed, quantity: Fixed) -> Option<(Side, Fixed)> {
        (Stance::of(position) == Stance::Flat).then_some((self.side(), quantity))
    }
}

#[cfg(test)]
mod tests {
    use hotbay_market::Instrument;

    use super::*;

    fn bar(low: i64, close: i64) -> Bar {
        let [low, close] = [low, close].map(|price| Fixed::new(price, 0));
        let instrument = Instrument::new("A").unwrap();
        let (volume, opened_ns) = (Fixed::ZERO, 0);
        let (bid, ask) = (close, close);
        Bar {
            instrument,
            open: close,
            high: close,
            low,
            close,
            volume,
            bid,
            ask,
            trades: 1,
            opened_ns,
        }
    }

    #[test]
    fn it_acts_from_the_warmups_bar_on_and_never_at_a_single_price() {
        let mut cross = Cross::new(1, 3, 3);
        assert_eq!(cross.update(&bar(9, 10)), None);
        assert_eq!(cross.update(&bar(9, 20)), None);
        assert_eq!(cross.update(&bar(9, 30)), Some(Trend::Up));
        assert_eq!(cross.update(&bar(1, 1)), None, "a single price");
        assert_eq!(cross.update(&bar(0, 1)), Some(Trend::Down), "which moved the averages");
    }

    #[test]
    fn equal_averages_are_an_up_trend() {
        let mut cross = Cross::new(10, 20, 1);
        assert_eq!(cross.update(&bar(9, 10)), Some(Trend::Up));
    }

    #[test]
    fn a_trend_closes_what_is_against_it_and_opens_from_flat() {
        let [long, short] = [5, -5].map(|position| Fixed::new(position, 0));
        let quantity = Fixed::new(2, 0);
        assert_eq!(Trend::Up.close(short), Some((Side::Buy, long)));
        assert_eq!(Trend::Up.close(long), None);
        assert_eq!(Trend::Up.open(long, quantity), None);
        assert_eq!(Trend::Down.close(long), Some((Side::Sell, long)));
        assert_eq!(Trend::Down.open(Fixed::ZERO, quantity), Some((Side::Sell, quantity)));
    }
}
