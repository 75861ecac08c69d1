use proptest::prelude::*;

use super::*;

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

#[test]
fn texts_that_are_not_decimals_are_refused() {
    for text in [
        "",
        "-",
        ".",
        ".5",
        "5.",
        " 1",
        "1 ",
        "1.2.3",
        "--1",
        "NaN",
        "Infinity",
        "1e",
        "e5",
        "1e5.0",
        "1,5",
        "0x10",
        "+1",
        "1_000",
        "1.e5",
        "1e+-5",
        "00000000000000000000.",
        "1e5 ",
    ] {
        assert_eq!(Fixed::parse(text.as_bytes()), Err(ParseFixedError::Malformed), "{text:?}");
    }
}

#[test]
fn what_needs_more_than_64_bits_keeps_every_digit_and_decimal() {
    for text in [
        "512345678901.00000000",
        "92233720368.54775807",
        "92233720368.54775808",
        "-92233720368.54775809",
        "184467440737.10000000",
        "9999999999999999999",
        "1234567890123456789012345678",
        "0.0000000000000000000000000001",
        "-1234567890.123456789012345678",
    ] {
        assert_eq!(fixed(text).to_string(), text);
        assert_eq!(Fixed::try_from(fixed(text).to_decimal()), Ok(fixed(text)));
    }
}

#[test]
fn zeros_at_the_end_go_where_they_do_not_fit() {
    let long = format!("1.5{}", "0".repeat(60));
    assert_eq!(fixed(&long), Fixed::new(15, 1));
    assert_eq!(fixed(&format!("{}7", "0".repeat(60))), Fixed::new(7, 0));
    assert_eq!(
        fixed("52345678901234567890123456.000").to_string(),
        "52345678901234567890123456.00"
    );
}

#[test]
fn an_exponent_moves_the_point() {
    for (text, plain) in [
        ("6e-5", "0.00006"),
        ("5.12345678901e11", "512345678901"),
        ("1.50E+1", "15.0"),
        ("-1e-28", "-0.0000000000000000000000000001"),
        ("12.5e0", "12.5"),
        ("0e999999999999999999999", "0"),
    ] {
        assert_eq!(fixed(text), fixed(plain), "{text}");
    }
}

#[test]
fn a_number_out_of_range_is_told_from_what_is_none() {
    let digits = "1".repeat(100);
    for text in
        ["1e29", "1e-29", "1e999999999999999999999", "99999999999999999999999999999", &digits]
    {
        assert_eq!(Fixed::parse(text.as_bytes()), Err(ParseFixedError::OutOfRange), "{text}");
    }
}

#[test]
fn equality_is_of_the_value() {
    assert_eq!(Fixed::new(150, 2), Fixed::new(15, 1));
    assert_ne!(Fixed::new(150, 2), Fixed::new(15, 2));
}

#[test]
fn any_bytes_are_a_number() {
    for bytes in [[0xff; 16], [0x80; 16], [0x7f; 16], [1; 16]] {
        let value = Fixed::read_from_bytes(&bytes).unwrap();
        assert!(value.abs() >= Fixed::ZERO && value.to_f64().is_finite(), "{value}");
        let _sum = value.checked_add(value);
        let _negated = value.checked_neg();
    }
}

fn any_fixed() -> impl Strategy<Value = Fixed> {
    let small = (any::<i64>(), 0u32..=28).prop_map(|(low, scale)| Fixed::new(low, scale));
    let large = (any::<i64>(), any::<i32>(), 0u32..=28);
    prop_oneof![small, large.prop_map(|(low, high, scale)| Fixed { low, scale, high })]
}

proptest! {
    #[test]
    fn order_sum_and_sign_are_those_of_the_values(x in any_fixed(), y in any_fixed()) {
        let (a, b) = (x.to_decimal(), y.to_decimal());
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        prop_assert_eq!(x == y, a == b);
        prop_assert_eq!(x.is_positive(), a > Decimal::ZERO);
        prop_assert_eq!(x.is_zero(), a.is_zero());
        if let (Some(sum), Some(expected)) = (x.checked_add(y), a.checked_add(b)) {
            prop_assert_eq!(sum.to_decimal(), expected);
        }
        if let Some(negated) = x.checked_neg() {
            prop_assert_eq!(negated.to_decimal(), -a);
        }
    }

    #[test]
    fn a_decimal_survives_text_and_back(value in any_fixed()) {
        let text = value.to_string();
        // The last few beyond 2^95 have no room for their sign.
        if let Ok(again) = text.parse::<Fixed>() {
            prop_assert_eq!(again.to_string(), text);
        } else {
            prop_assert!(value.high == i32::MIN);
        }
    }

    #[test]
    fn the_binary_value_is_the_one_that_parsing_gives(value in any_fixed()) {
        prop_assert_eq!(value.to_f64(), value.to_string().parse::<f64>().unwrap());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-+0-9.eE]{0,60}") {
        if let Ok(value) = Fixed::parse(text.as_bytes()) {
            prop_assert_eq!(value.to_f64(), text.parse::<f64>().unwrap());
        }
    }
}
