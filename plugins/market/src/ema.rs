//! The exponential moving average of the reference results.

/// An exponential moving average with α = 2 / (span + 1), seeded with its first value.
#[derive(Debug, Clone, Copy)]
pub struct Ema {
    alpha: f64,
    value: Option<f64>,
}

impl Ema {
    /// Creates an average without a value.
    pub fn new(span: u32) -> Self {
        Self { alpha: 2.0 / (f64::from(span) + 1.0), value: None }
    }

    /// Adds the next value and returns the new average.
    pub fn update(&mut self, next: f64) -> f64 {
        let average = match self.value {
            None => next,
            Some(before) => self.alpha * next + (1.0 - self.alpha) * before,
        };
        self.value = Some(average);
        average
    }

    /// Returns the bits of the average for a saved state, or `None` before the first value.
    ///
    /// Bits restore the average exactly: a number that is written as text can be read back with
    /// another value, and a NaN or infinity can't be read back from JSON at all.
    pub fn bits(&self) -> Option<u64> {
        self.value.map(f64::to_bits)
    }

    /// Restores the average from [`bits`](Self::bits), keeping this one's span.
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
