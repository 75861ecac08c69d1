use std::env::VarError;

use proptest::prelude::*;

use super::super::mask::{is_reserved, mask, unmask};
use super::super::substitute::{Substituted, Variables};
use super::super::yaml::resolve_plain;
use super::{WHOLE, parse};

fn unset(_: &str) -> Result<String, VarError> {
    Err(VarError::NotPresent)
}

/// Text that is likely to mean something to YAML or to a variable.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("plugins:"),
        Just("folder"),
        Just("channels: "),
        Just("pipeline:\n"),
        Just("- "),
        Just("\n  "),
        Just("\n"),
        Just("${A}"),
        Just("${A:-"),
        Just("$"),
        Just("{ "),
        Just(" }"),
        Just("["),
        Just("]"),
        Just(": "),
        Just(", "),
        Just("'"),
        Just("\""),
        Just("&a "),
        Just("*a"),
        Just("!!str "),
        Just("1"),
        Just(".5"),
        Just("é"),
        Just("# "),
        Just("|\n"),
        Just("? "),
        Just("---\n"),
        Just("\t"),
        Just("\u{feff}"),
        Just("\r"),
        Just("\u{0}"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        prop_assert!(parse(&text).is_err() || !text.is_empty());
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(text in yaml_like()) {
        if let Err(found) = parse(&text) {
            prop_assert!(found.has_errors());
        }
    }

    #[test]
    fn any_damage_to_a_good_file_is_survived(start in 0..WHOLE.len(), text in yaml_like()) {
        prop_assume!(WHOLE.is_char_boundary(start));
        if let Err(found) = parse(&format!("{}{text}{}", &WHOLE[..start], &WHOLE[start..])) {
            prop_assert!(found.has_errors());
        }
    }

    #[test]
    fn a_text_without_a_dollar_is_left_alone(text in "[^$]*") {
        let same = Substituted { text: text.clone(), replaced: false, is_secret: false };
        prop_assert_eq!(Variables::new(&unset).substitute(&text), Ok(same));
        let masked = mask(&text);
        prop_assert_eq!(unmask(&masked), text.as_str());
    }

    #[test]
    fn masking_is_undone_by_unmasking(text in "[${}A:, \\[\\]#\n'\u{2028}]*|.*") {
        prop_assume!(!text.contains(is_reserved));
        let masked = mask(&text);
        prop_assert_eq!(masked.chars().count(), text.chars().count());
        prop_assert_eq!(unmask(&masked), text.as_str());
    }

    #[test]
    fn any_value_of_a_variable_is_one_scalar(text in any::<String>()) {
        if let Some(scalar) = resolve_plain(&text) {
            let yaml: serde_yaml::Value = serde_yaml::from_str(text.trim()).unwrap();
            prop_assert!(!yaml.is_string() && !yaml.is_mapping() && !yaml.is_sequence(), "{scalar:?}");
        }
    }
}
