//! Parses decimal numbers from text, without rounding.

use super::{Fixed, MAX_SCALE};

/// An error that is returned when a text can't be parsed as a [`Fixed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseFixedError {
    /// Something other than an optional sign, digits, one point and an exponent.
    #[error("not a decimal number")]
    Malformed,
    /// More digits or decimals than fit.
    #[error("a decimal number out of range: more than 28 digits or decimals")]
    OutOfRange,
}

/// So many digits always fit into 64 bits with a sign.
const SHORT: usize = 18;
/// So many digits always fit into 128 bits with a sign.
const LONGEST: usize = 38;
/// Exponents are cut off here, far beyond what any number but zero could have.
const LARGEST_EXPONENT: i64 = 1 << 32;

impl Fixed {
    /// Reads `-12.340`, `6e-5` and the like from ASCII, as JSON writes numbers; no spaces.
    ///
    /// Decimals are kept, also zeros at their end, unless they don't fit.
    ///
    /// # Errors
    /// If the text is not of that form, or the number is out of range.
    pub fn parse(text: &[u8]) -> Result<Self, ParseFixedError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        match short(digits) {
            Some((mantissa, scale)) => {
                Ok(Self::new(if negative { -mantissa } else { mantissa }, scale))
            }
            None => long(digits, negative),
        }
    }
}

/// Parses up to [`SHORT`] digits and a point; returns `None` for any other text.
#[inline]
fn short(digits: &[u8]) -> Option<(i64, u32)> {
    if digits.is_empty() || digits.len() > SHORT {
        return None;
    }
    let (mut mantissa, mut decimals) = (0, None);
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + i64::from(byte - b'0');
                decimals = decimals.map(|places| places + 1);
            }
            b'.' if decimals.is_none() && at > 0 => decimals = Some(0),
            _ => return None,
        }
    }
    // A point without a decimal behind it is malformed.
    (decimals != Some(0)).then_some((mantissa, decimals.unwrap_or(0)))
}

#[cold]
fn long(text: &[u8], negative: bool) -> Result<Fixed, ParseFixedError> {
    let (number, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, decimals) = match number.iter().position(|&byte| byte == b'.') {
        Some(at) => (&number[..at], Some(&number[at + 1..])),
        None => (number, None),
    };
    if !is_digits(whole) || !decimals.is_none_or(is_digits) {
        return Err(ParseFixedError::Malformed);
    }
    let decimals = decimals.unwrap_or_default();
    let digits = || whole.iter().chain(decimals);
    let leading = digits().take_while(|&&digit| digit == b'0').count();
    let trailing = digits().rev().take_while(|&&digit| digit == b'0').count();
    let significant = digits().count().saturating_sub(leading + trailing);
    if significant == 0 {
        return Ok(Fixed::ZERO);
    }
    if significant > LONGEST {
        return Err(ParseFixedError::OutOfRange);
    }
    let digits = digits().skip(leading).take(significant);
    let mantissa = digits.fold(0, |sum: i128, digit| sum * 10 + i128::from(digit - b'0'));
    let written = decimals.len() as i64 - exponent;
    fit(if negative { -mantissa } else { mantissa }, written - trailing as i64, written)
        .ok_or(ParseFixedError::OutOfRange)
}

/// Returns `mantissa / 10^scale` with as many decimals, up to `written`, as fit.
fn fit(mantissa: i128, scale: i64, written: i64) -> Option<Fixed> {
    let most = written.clamp(0, i64::from(MAX_SCALE));
    (scale.max(0)..=most).rev().find_map(|places| {
        let zeros = u32::try_from(places - scale).ok()?;
        let mantissa = mantissa.checked_mul(10_i128.checked_pow(zeros)?)?;
        Fixed::from_parts(mantissa, u32::try_from(places).ok()?)
    })
}

fn exponent(text: &[u8]) -> Result<i64, ParseFixedError> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    if !is_digits(digits) {
        return Err(ParseFixedError::Malformed);
    }
    let add = |sum: i64, digit: &u8| (sum * 10 + i64::from(digit - b'0')).min(LARGEST_EXPONENT);
    Ok(sign * digits.iter().fold(0, add))
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}
