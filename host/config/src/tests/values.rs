use serde_json::json;

use super::connector_config;

fn value(written: &str) -> serde_json::Value {
    connector_config(&format!("{{ x: {written} }}"), &[]).unwrap()["x"].clone()
}

fn refusal(written: &str) -> String {
    connector_config(&format!("{{ x: {written} }}"), &[]).unwrap_err().to_string()
}

#[test]
fn values_are_those_of_serde_yaml() {
    assert_eq!(value("yes"), json!("yes"));
    assert_eq!(value("0x1F"), json!(31));
    assert_eq!(value("007"), json!("007"));
    assert_eq!(value("[1, {a: ~}, 'b']"), json!([1, { "a": null }, "b"]));
    assert_eq!(value("2024-08-09"), json!("2024-08-09"));
}

#[test]
fn decimals_and_large_numbers_keep_their_digits() {
    for number in ["0.001", "1723161420000000000", "18446744073709551615", "-9223372036854775808"] {
        assert_eq!(value(number).to_string(), number);
    }
    assert_eq!(value("0.1234567890123456").to_string(), "0.1234567890123456");
}

#[test]
fn a_number_that_loses_digits_is_a_warning() {
    let text = super::changed("quantity: ${QUANTITY:-0.001}", "quantity: 0.12345678901234567891");
    assert_eq!(
        super::findings(&text),
        "etc/x.yaml:17:56: warning: the number 0.12345678901234567891 has too many digits and \
         becomes 0.12345678901234568; put it in quotes if every digit counts"
    );
    for harmless in ["1.50", "1e3", "100.0", "0.0", "-0.50", "6.02E23"] {
        let text = super::changed("${QUANTITY:-0.001}", harmless);
        assert_eq!(super::findings(&text), "", "{harmless}");
    }
}

#[test]
fn a_number_that_fits_nowhere_is_an_error() {
    assert_eq!(
        refusal("99999999999999999999"),
        "etc/x.yaml:17:20: the number 99999999999999999999 doesn't fit into 64 bits; \
         put it in quotes to keep it as text"
    );
    assert_eq!(
        refusal(".inf"),
        "etc/x.yaml:17:20: `.inf` isn't a number that a configuration can hold"
    );
}

#[test]
fn an_alias_has_the_value_of_its_anchor() {
    let config = connector_config("{ a: &x { b: [1] }, c: *x }", &[]).unwrap();
    assert_eq!(config, json!({ "a": { "b": [1] }, "c": { "b": [1] } }));
}

#[test]
fn a_key_that_looks_like_a_number_is_text() {
    let config = connector_config("{ 1: a, 2.50: b, true: c, ~: d }", &[]).unwrap();
    assert_eq!(config, json!({ "1": "a", "2.50": "b", "true": "c", "~": "d" }));
    assert!(refusal("{ ? [a] : b }").contains("a key has to be text"));
}

#[test]
fn a_double_key_is_an_error_wherever_it_stands() {
    assert_eq!(
        refusal("{ a: 1,\n        b: 2, a: 3, b: 4 }"),
        "etc/x.yaml:18:15: the key `a` is already on line 17; leave one of the two\n\
         etc/x.yaml:18:21: the key `b` is already on line 18; leave one of the two"
    );
}
