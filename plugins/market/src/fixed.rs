//! Decimal numbers in sixteen bytes of fixed layout.

mod parse;

use std::{cmp::Ordering, fmt, str::FromStr};

use rust_decimal::Decimal;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use parse::ParseFixedError;

/// A decimal number: `mantissa / 10^scale`, exact, with 28 digits or more.
///
/// The mantissa has 96 bits, so `512345678901.00000000` fits with its eight decimals, and so
/// does any number of at most 28 digits. `61837.63000000` keeps its eight decimals: equality
/// is of the value. See [`Fixed::to_decimal`] for arithmetic.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Fixed {
    /// The mantissa is `low + high * 2^64`. Where `high` is zero, which is the common case,
    /// `low` is the mantissa, its sign included.
    low: i64,
    scale: u32,
    high: i32,
}

/// The largest scale, which is also that of a [`Decimal`].
const MAX_SCALE: u32 = 28;

/// Powers of ten that are exact in an `f64`; dividing by one rounds once, correctly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Integers up to this one are exact in an `f64`.
const EXACT_IN_F64: u64 = 1 << 53;

impl Fixed {
    /// Zero.
    pub const ZERO: Self = Self { low: 0, scale: 0, high: 0 };
    /// The largest number.
    pub const MAX: Self = Self { low: i64::MAX, scale: 0, high: i32::MAX };

    /// `mantissa / 10^scale`; a scale above 28 is taken as 28.
    pub const fn new(mantissa: i64, scale: u32) -> Self {
        let scale = if scale > MAX_SCALE { MAX_SCALE } else { scale };
        Self { low: mantissa, scale, high: 0 }
    }

    /// Returns `mantissa / 10^scale`, or `None` if it doesn't fit.
    pub(crate) fn from_parts(mantissa: i128, scale: u32) -> Option<Self> {
        if let Ok(low) = i64::try_from(mantissa)
            && scale <= MAX_SCALE
        {
            return Some(Self { low, scale, high: 0 });
        }
        // The low half as a signed number, and the rest, which is then a multiple of 2^64.
        let low = i64::from_le_bytes(mantissa.to_le_bytes().first_chunk().copied()?);
        let high = i32::try_from((mantissa - i128::from(low)) >> 64).ok()?;
        (scale <= MAX_SCALE).then_some(Self { low, scale, high })
    }

    fn mantissa(self) -> i128 {
        i128::from(self.low) + (i128::from(self.high) << 64)
    }

    /// Converts to a [`Decimal`] for exact arithmetic.
    pub fn to_decimal(self) -> Decimal {
        if self.high == 0 {
            return Decimal::new(self.low, self.places());
        }
        // A decimal has 96 bits beside its sign, and the mantissa is below 2^95 + 2^63.
        Decimal::from_i128_with_scale(self.mantissa(), self.places())
    }

    /// Converts to the nearest `f64`, for statistics, never for money.
    ///
    /// Correctly rounded, like parsing the text.
    pub fn to_f64(self) -> f64 {
        let power = POWERS.get(self.places() as usize);
        match power {
            Some(power) if self.high == 0 && self.low.unsigned_abs() <= EXACT_IN_F64 => {
                self.low as f64 / power
            }
            // The text of a decimal is always the text of a number.
            _ => self.to_decimal().to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// Returns the sum, or `None` if it doesn't fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.scale == other.scale
            && let Some(sum) = Self::from_parts(self.mantissa() + other.mantissa(), self.scale)
        {
            return Some(sum);
        }
        let sum = self.to_decimal().checked_add(other.to_decimal())?;
        Self::try_from(sum).or_else(|_| Self::try_from(sum.normalize())).ok()
    }

    /// Returns the negated number, or `None` if it doesn't fit.
    #[must_use]
    pub fn checked_neg(self) -> Option<Self> {
        Self::from_parts(-self.mantissa(), self.scale)
    }

    /// Returns the absolute value; of the smallest number, which has none that fits, the largest.
    #[must_use]
    pub fn abs(self) -> Self {
        if self.is_negative() { self.checked_neg().unwrap_or(Self::MAX) } else { self }
    }

    /// Returns `true` if the number is above zero.
    pub fn is_positive(self) -> bool {
        self.high > 0 || (self.high == 0 && self.low > 0)
    }

    /// Returns `true` if the number is zero.
    pub fn is_zero(self) -> bool {
        self.low == 0 && self.high == 0
    }

    fn is_negative(self) -> bool {
        !self.is_positive() && !self.is_zero()
    }

    /// Bytes from another plugin may hold any scale: one that is too large counts as 28.
    fn places(self) -> u32 {
        self.scale.min(MAX_SCALE)
    }
}

impl PartialEq for Fixed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fixed {}

impl Ord for Fixed {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale != other.scale {
            self.to_decimal().cmp(&other.to_decimal())
        } else if self.high == other.high {
            self.low.cmp(&other.low)
        } else {
            self.mantissa().cmp(&other.mantissa())
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
    /// If the decimal's mantissa is among the largest, which need all of a decimal's 96 bits
    /// beside the sign.
    fn try_from(value: Decimal) -> Result<Self, ParseFixedError> {
        Self::from_parts(value.mantissa(), value.scale()).ok_or(ParseFixedError::OutOfRange)
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
mod tests;
