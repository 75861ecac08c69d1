//! Rounding and formatting of money, which has eight decimal places.

use rust_decimal::{Decimal, RoundingStrategy};

/// The number of decimal places of money.
pub(crate) const PLACES: u32 = 8;

/// Rounds to [`PLACES`] decimal places, half to even.
pub(crate) fn round(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(PLACES, RoundingStrategy::MidpointNearestEven)
}

/// Formats with all [`PLACES`] decimal places, including trailing zeros.
pub(crate) fn text(value: Decimal) -> String {
    let mut value = round(value);
    value.rescale(PLACES);
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_always_shows_eight_places() {
        for (value, shown) in
            [("1000000", "1000000.00000000"), ("0.1", "0.10000000"), ("-0", "0.00000000")]
        {
            assert_eq!(text(value.parse().unwrap()), shown);
        }
    }
}
