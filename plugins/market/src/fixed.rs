//! Decimal numbers in sixteen bytes of fixed layout.

use std::{cmp::Ordering, fmt, str::FromStr};

use rust_decimal::Decimal;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A decimal number: `mantissa / 10^scale`, exact.
///
/// `61837.63000000` keeps its eight decimals: equality is of the value, see
/// [`Fixed::to_decimal`] for arithmetic.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Fixed {
    mantissa: i64,
    scale: u64,
}

/// An error that is returned when a text can't be parsed as a [`Fixed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseFixedError {
    /// Something other than an optional sign, digits and one point.
    #[error("not a decimal number")]
    Malformed,
    /// More digits than a 64-bit mantissa holds, or more than 18 decimals.
    #[error("a decimal number with too many digits")]
    TooLong,
}

/// Powers of ten that are exact in an `f64`; dividing by one rounds once, correctly.
const POWERS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];

impl Fixed {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// `mantissa / 10^scale`; a scale above 18 is taken as 18.
    pub const fn new(mantissa: i64, scale: u32) -> Self {
        let scale = if scale > 18 { 18 } else { scale };
        Self { mantissa, scale: scale as u64 }
    }

    /// Reads `-12.340` and the like from ASCII; no exponent, no spaces.
    ///
    /// # Errors
    /// If the text is not of that form, or has more digits than fit.
    pub fn parse(text: &[u8]) -> Result<Self, ParseFixedError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut mantissa: i64 = 0;
        let mut scale: Option<u64> = None;
        let mut seen = false;
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    mantissa = mantissa
                        .checked_mul(10)
                        .and_then(|value| value.checked_add(i64::from(byte - b'0')))
                        .ok_or(ParseFixedError::TooLong)?;
                    scale = scale.map(|places| places + 1);
                }
                b'.' if scale.is_none() && seen => scale = Some(0),
                _ => return Err(ParseFixedError::Malformed),
            }
        }
        let scale = scale.unwrap_or(0);
        if !seen || digits.last() == Some(&b'.') {
            return Err(ParseFixedError::Malformed);
        }
        if scale > 18 {
            return Err(ParseFixedError::TooLong);
        }
        Ok(Self { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// Converts to a [`Decimal`] for exact arithmetic.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.mantissa, self.places())
    }

    /// Converts to the nearest `f64`, for statistics, never for money.
    ///
    /// Correctly rounded, like parsing the text, while the mantissa is below 2^53.
    pub fn to_f64(self) -> f64 {
        self.mantissa as f64 / POWERS[self.places() as usize]
    }

    /// Returns the sum, or `None` if it doesn't fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.scale == other.scale
            && let Some(mantissa) = self.mantissa.checked_add(other.mantissa)
        {
            return Some(Self { mantissa, scale: self.scale });
        }
        let sum = self.to_decimal().checked_add(other.to_decimal())?;
        Self::try_from(sum).or_else(|_| Self::try_from(sum.normalize())).ok()
    }

    /// Returns the negated number, or `None` if it doesn't fit.
    #[must_use]
    pub fn checked_neg(self) -> Option<Self> {
        Some(Self { mantissa: self.mantissa.checked_neg()?, scale: self.scale })
    }

    /// Returns the absolute value.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self { mantissa: self.mantissa.saturating_abs(), scale: self.scale }
    }

    /// Returns `true` if the number is above zero.
    pub fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// Returns `true` if the number is zero.
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Bytes from another plugin may hold any scale: one that is too large counts as 18.
    fn places(self) -> u32 {
        self.scale.min(18) as u32
    }
}

impl PartialEq for Fixed {
    fn eq(&self, other: &Self) -> bool {
        (self.scale == other.scale && self.mantissa == other.mantissa)
            || self.to_decimal() == other.to_decimal()
    }
}

impl Eq for Fixed {}

impl Ord for Fixed {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            self.mantissa.cmp(&other.mantissa)
        } else {
            self.to_decimal().cmp(&other.to_decimal())
        }
    }
}

impl PartialOrd for Fixed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<Decimal> for Fixed {
    type Error = ParseFixedError;

    /// # Errors
    /// If the decimal needs more than a 64-bit mantissa or 18 places.
    fn try_from(value: Decimal) -> Result<Self, ParseFixedError> {
        let mantissa = i64::try_from(value.mantissa()).map_err(|_| ParseFixedError::TooLong)?;
        if value.scale() > 18 {
            return Err(ParseFixedError::TooLong);
        }
        Ok(Self { mantissa, scale: u64::from(value.scale()) })
    }
}

impl FromStr for Fixed {
    type Err = ParseFixedError;

    fn from_str(text: &str) -> Result<Self, ParseFixedError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_not_plain_decimals_are_refused() {
        for text in ["", "-", ".", ".5", "5.", "1e5", " 1", "1 ", "1.2.3", "--1", "NaN"] {
            assert_eq!(Fixed::parse(text.as_bytes()), Err(ParseFixedError::Malformed), "{text:?}");
        }
        assert_eq!(Fixed::parse(b"99999999999999999999"), Err(ParseFixedError::TooLong));
    }

    #[test]
    fn equality_is_of_the_value() {
        assert_eq!(Fixed::new(150, 2), Fixed::new(15, 1));
        assert_ne!(Fixed::new(150, 2), Fixed::new(15, 2));
    }

    proptest! {
        #[test]
        fn order_and_sum_are_those_of_the_values(a in -1_000_000_000i64..1_000_000_000, b in -1_000_000_000i64..1_000_000_000, s in 0u32..=9, t in 0u32..=9) {
            let (x, y) = (Fixed::new(a, s), Fixed::new(b, t));
            prop_assert_eq!(x.cmp(&y), x.to_decimal().cmp(&y.to_decimal()));
            prop_assert_eq!(x.checked_add(y).unwrap().to_decimal(), x.to_decimal() + y.to_decimal());
        }

        #[test]
        fn a_decimal_survives_text_and_back(mantissa in any::<i64>(), scale in 0u32..=18) {
            let value = Fixed::new(mantissa, scale);
            // The only value whose digits don't fit before the sign is applied.
            prop_assume!(mantissa != i64::MIN);
            let text = value.to_string();
            prop_assert_eq!(text.parse::<Fixed>().unwrap(), value);
        }

        #[test]
        fn the_binary_value_is_the_one_that_parsing_gives(mantissa in -9_007_199_254_740_992i64..9_007_199_254_740_992, scale in 0u32..=18) {
            let value = Fixed::new(mantissa, scale);
            prop_assert_eq!(value.to_f64(), value.to_string().parse::<f64>().unwrap());
        }
    }
}
