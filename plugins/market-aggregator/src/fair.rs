//! One fair value from the quotes of several venues.

use hotbay_market::{FairValue, Fixed, Instrument, Quote};
use serde::{Deserialize, Serialize};

use crate::raw::Raw;

/// Computes the mean of several instruments' mids, with the quote of the traded instrument.
///
/// It does no I/O, and returns no value until every instrument has been quoted.
#[derive(Debug)]
pub struct Fair {
    instruments: Vec<Instrument>,
    mids: Vec<Option<f64>>,
    traded: Traded,
}

#[derive(Debug)]
struct Traded {
    instrument: Instrument,
    bid: Fixed,
    ask: Fixed,
    mid: f64,
}

/// The saved state of a [`Fair`]. Floating-point numbers are saved as their bits, so that
/// no conversion to decimal text can change them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    mids: Vec<Option<u64>>,
    bid: Raw<Fixed>,
    ask: Raw<Fixed>,
    mid: u64,
}

impl Fair {
    /// Creates the fair value of `instruments`, summed in this order, for trading `traded`.
    pub fn new(instruments: Vec<Instrument>, traded: Instrument) -> Self {
        let mids = vec![None; instruments.len()];
        let traded = Traded { instrument: traded, bid: Fixed::ZERO, ask: Fixed::ZERO, mid: 0.0 };
        Self { instruments, mids, traded }
    }

    pub(crate) fn save(&self) -> Saved {
        let mids = self.mids.iter().map(|mid| mid.map(f64::to_bits)).collect();
        let Traded { bid, ask, mid, .. } = self.traded;
        Saved { mids, bid: Raw(bid), ask: Raw(ask), mid: mid.to_bits() }
    }

    /// Restores the saved state of a fair value of the same instruments.
    pub(crate) fn resume(&mut self, saved: &Saved) {
        for (mid, saved) in self.mids.iter_mut().zip(&saved.mids) {
            *mid = saved.map(f64::from_bits);
        }
        let Saved { bid: Raw(bid), ask: Raw(ask), mid, .. } = *saved;
        self.traded = Traded { bid, ask, mid: f64::from_bits(mid), ..self.traded };
    }

    /// Adds a quote; returns the fair value if it changed and all instruments were quoted.
    pub fn quote(&mut self, quote: &Quote) -> Option<FairValue> {
        let place = self.instruments.iter().position(|known| *known == quote.instrument)?;
        let mid = quote.mid();
        self.mids[place] = Some(mid);
        if quote.instrument == self.traded.instrument {
            self.traded = Traded { bid: quote.bid, ask: quote.ask, mid, ..self.traded };
        }
        let mut sum = 0.0;
        for mid in &self.mids {
            sum += (*mid)?;
        }
        let Traded { instrument, bid, ask, mid } = self.traded;
        Some(FairValue { instrument, fair: sum / self.mids.len() as f64, mid, bid, ask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(name: &str, bid: i64, ask: i64) -> Quote {
        let instrument = Instrument::new(name).unwrap();
        let (bid, ask) = (Fixed::new(bid, 0), Fixed::new(ask, 0));
        Quote { instrument, bid, bid_size: bid, ask, ask_size: ask }
    }

    #[test]
    fn it_waits_for_all_and_then_follows_each_of_them() {
        let [a, b, c] = ["a", "b", "c"].map(|name| Instrument::new(name).unwrap());
        let mut fair = Fair::new(vec![a, b, c], b);
        assert_eq!(fair.quote(&quote("a", 1, 3)), None);
        assert_eq!(fair.quote(&quote("b", 10, 12)), None);
        assert_eq!(fair.quote(&quote("other", 99, 99)), None);
        let value = fair.quote(&quote("c", 20, 20)).unwrap();
        assert_eq!((value.instrument, value.fair, value.mid), (b, 11.0, 11.0));
        let value = fair.quote(&quote("a", 4, 6)).unwrap();
        assert_eq!(
            (value.fair, value.bid, value.ask),
            (12.0, Fixed::new(10, 0), Fixed::new(12, 0))
        );
    }
}
