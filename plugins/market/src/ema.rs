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

    /// What it has come to, bit for bit; `None` if it has seen nothing.
    pub fn bits(&self) -> Option<u64> {
        self.value.map(f64::to_bits)
    }

    /// The same average, with what another one has come to.
    #[must_use]
    pub fn resumed(self, bits: Option<u64>) -> Self {
        Self { value: bits.map(f64::from_bits), ..self }
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
}
