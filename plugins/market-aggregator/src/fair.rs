//! One fair value from the quotes of several venues.

use hotbay_market::{FairValue, Fixed, Instrument, Quote};
use serde::{Deserialize, Serialize};

use crate::raw::Raw;

/// Computes the mean of several instruments' mids, with the quote of the traded instrument.
///
/// It does no I/O. There is no value until every instrument has been quoted, while one of them
/// has no mid because its book has no two sides, and while the last quote of one is too old.
#[derive(Debug)]
pub struct Fair {
    legs: Vec<Leg>,
    max_age_ns: i64,
    traded: Traded,
}

#[derive(Debug)]
struct Leg {
    instrument: Instrument,
    mid: Option<f64>,
    quoted_ns: i64,
}

#[derive(Debug)]
struct Traded {
    instrument: Instrument,
    bid: Fixed,
    ask: Fixed,
    mid: f64,
}

/// Why a quote gives no fair value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFair {
    /// The quote is of an instrument that is not part of the fair value.
    Unrelated,
    /// This instrument has no mid: it has not been quoted, or its book has no two sides.
    NoMid(Instrument),
    /// The last quote of an instrument is too old.
    Old {
        /// The instrument.
        instrument: Instrument,
        /// The age of its last quote in nanoseconds.
        age_ns: i64,
    },
}

/// The saved state of a [`Fair`]. Floating-point numbers are saved as their bits, so that
/// no conversion to decimal text can change them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The mid of each instrument, and when it was quoted.
    legs: Vec<(Option<u64>, i64)>,
    bid: Raw<Fixed>,
    ask: Raw<Fixed>,
    mid: u64,
}

impl Fair {
    /// Creates the fair value of `instruments`, summed in this order, for trading `traded`,
    /// from quotes of any age.
    pub fn new(instruments: Vec<Instrument>, traded: Instrument) -> Self {
        let leg = |instrument| Leg { instrument, mid: None, quoted_ns: 0 };
        let traded = Traded { instrument: traded, bid: Fixed::ZERO, ask: Fixed::ZERO, mid: 0.0 };
        Self { legs: instruments.into_iter().map(leg).collect(), max_age_ns: i64::MAX, traded }
    }

    /// Limits the age of quotes.
    #[must_use]
    pub fn with_max_age(mut self, max_age_ns: i64) -> Self {
        self.max_age_ns = max_age_ns;
        self
    }

    pub(crate) fn save(&self) -> Saved {
        let leg = |leg: &Leg| (leg.mid.map(f64::to_bits), leg.quoted_ns);
        let Traded { bid, ask, mid, .. } = self.traded;
        let legs = self.legs.iter().map(leg).collect();
        Saved { legs, bid: Raw(bid), ask: Raw(ask), mid: mid.to_bits() }
    }

    /// Restores the saved state of a fair value of the same instruments.
    pub(crate) fn resume(&mut self, saved: &Saved) {
        for (leg, (mid, quoted_ns)) in self.legs.iter_mut().zip(&saved.legs) {
            (leg.mid, leg.quoted_ns) = (mid.map(f64::from_bits), *quoted_ns);
        }
        let Saved { bid: Raw(bid), ask: Raw(ask), mid, .. } = *saved;
        self.traded = Traded { bid, ask, mid: f64::from_bits(mid), ..self.traded };
    }

    /// Adds a quote that came at `now_ns`, and returns the fair value.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn quote(&mut self, now_ns: i64, quote: &Quote) -> Result<FairValue, NoFair> {
        let quoted = self.legs.iter_mut().find(|leg| leg.instrument == quote.instrument);
        let leg = quoted.ok_or(NoFair::Unrelated)?;
        (leg.mid, leg.quoted_ns) = (quote.mid(), now_ns);
        let mid = leg.mid.ok_or(NoFair::NoMid(leg.instrument))?;
        if quote.instrument == self.traded.instrument {
            self.traded = Traded { bid: quote.bid, ask: quote.ask, mid, ..self.traded };
        }
        let mut sum = 0.0;
        for Leg { instrument, mid, quoted_ns } in &self.legs {
            let age_ns = now_ns.saturating_sub(*quoted_ns);
            sum += mid.ok_or(NoFair::NoMid(*instrument))?;
            if age_ns > self.max_age_ns {
                return Err(NoFair::Old { instrument: *instrument, age_ns });
            }
        }
        let Traded { instrument, bid, ask, mid } = self.traded;
        Ok(FairValue { instrument, fair: sum / self.legs.len() as f64, mid, bid, ask })
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
        assert_eq!(fair.quote(0, &quote("a", 1, 3)), Err(NoFair::NoMid(b)));
        assert_eq!(fair.quote(0, &quote("b", 10, 12)), Err(NoFair::NoMid(c)));
        assert_eq!(fair.quote(0, &quote("other", 99, 99)), Err(NoFair::Unrelated));
        let value = fair.quote(0, &quote("c", 20, 20)).unwrap();
        assert_eq!((value.instrument, value.fair, value.mid), (b, 11.0, 11.0));
        let value = fair.quote(0, &quote("a", 4, 6)).unwrap();
        assert_eq!(
            (value.fair, value.bid, value.ask),
            (12.0, Fixed::new(10, 0), Fixed::new(12, 0))
        );
    }

    #[test]
    fn a_book_without_two_sides_gives_no_fair_value_until_it_has_them_again() {
        let [a, b] = ["a", "b"].map(|name| Instrument::new(name).unwrap());
        let [zero, one] = [Fixed::ZERO, Fixed::new(1, 0)];
        let whole = quote("a", 10, 12);
        for wrong in [
            Quote { bid: zero, bid_size: zero, ..whole },
            Quote { ask: zero, ask_size: zero, ..whole },
            Quote { bid: zero, bid_size: zero, ask: zero, ask_size: zero, ..whole },
            Quote { bid_size: zero, ..whole },
            Quote { bid: Fixed::new(-10, 0), ..whole },
            Quote { bid: Fixed::new(-2, 0), ask: Fixed::new(-1, 0), ..whole },
            Quote { bid: Fixed::new(13, 0), ..whole },
            Quote { ask_size: Fixed::new(-1, 0), ask: one, bid: one, ..whole },
        ] {
            let mut fair = Fair::new(vec![a, b], b);
            assert_eq!(fair.quote(0, &whole), Err(NoFair::NoMid(b)));
            assert!(fair.quote(1, &quote("b", 10, 12)).is_ok());
            assert_eq!(fair.quote(2, &wrong), Err(NoFair::NoMid(a)), "{wrong:?}");
            assert_eq!(fair.quote(3, &quote("b", 10, 12)), Err(NoFair::NoMid(a)), "{wrong:?}");
            assert_eq!(fair.quote(4, &whole).map(|value| value.fair), Ok(11.0));
        }
    }

    #[test]
    fn a_quote_that_is_too_old_gives_no_fair_value_until_there_is_a_new_one() {
        let [a, b] = ["a", "b"].map(|name| Instrument::new(name).unwrap());
        let mut fair = Fair::new(vec![a, b], b).with_max_age(10);
        assert_eq!(fair.quote(100, &quote("a", 1, 3)), Err(NoFair::NoMid(b)));
        assert!(fair.quote(110, &quote("b", 1, 3)).is_ok(), "ten is not more than ten");
        let old = NoFair::Old { instrument: a, age_ns: 11 };
        assert_eq!(fair.quote(111, &quote("b", 1, 3)), Err(old));
        assert!(fair.quote(112, &quote("a", 1, 3)).is_ok());
    }
}
