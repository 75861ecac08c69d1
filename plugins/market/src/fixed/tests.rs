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
        // The one value whose digits don't fit while the sign is still missing.
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
