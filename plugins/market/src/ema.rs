//! The exponential moving average of the reference results.

/// An exponential moving average with α = 2 / (span + 1), seeded with its first value.
#[derive(Debug, Clone, Copy)]
pub struct Ema {
    alpha: f64,
    value: Option<f64>,
}

impl Ema {
    /// An average that has seen nothing.
    pub fn new(span: u32) -> Self {
        Self { alpha: 2.0 / (f64::from(span) + 1.0), value: None }
    }

    /// Takes the next value in and gives the average with it.
    pub fn update(&mut self, next: f64) -> f64 {
        let average = match self.value {
            None => next,
            Some(before) => self.alpha * next + (1.0 - self.alpha) * before,
        };
        self.value = Some(average);
        average
    }

    /// What it has come to, for a state to be saved; `None` if it has seen nothing.
    ///
    /// Bits, because a state goes on exactly where it was: a number that is written as text
    /// may come back a little off, and one that is none does not come back.
    pub fn bits(&self) -> Option<u64> {
        self.value.map(f64::to_bits)
    }

    /// Goes on from what [`bits`](Self::bits) gave, with its own span.
    pub fn go_on_from(&mut self, bits: Option<u64>) {
        self.value = bits.map(f64::from_bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_seeds_it_and_the_next_weigh_alpha() {
        let mut ema = Ema::new(3);
        assert_eq!(ema.update(10.0), 10.0);
        assert_eq!(ema.update(20.0), 15.0);
        assert_eq!(ema.update(15.0), 15.0);
    }

    #[test]
    fn one_that_goes_on_gives_the_same_bits_as_one_that_went_through() {
        let mut through = Ema::new(7);
        for next in [0.1, 1e300, 5e-324, -0.3, f64::INFINITY, f64::NAN] {
            let mut on = Ema::new(7);
            on.go_on_from(through.bits());
            assert_eq!(on.update(next).to_bits(), through.update(next).to_bits());
        }
    }
}
