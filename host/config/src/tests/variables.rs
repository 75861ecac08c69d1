use std::env::VarError;
use std::path::Path;

use serde_json::json;

use super::super::Config;
use super::super::substitute::Variables;
use super::{connector_config, findings};

/// What the connector's setting `x` becomes when the file says `x: WRITTEN`.
fn value(written: &str, variables: &[(&str, &str)]) -> serde_json::Value {
    let block = format!("\n        x: {written}\n        y: 1");
    let flow = format!("{{ x: {written}, y: 1 }}");
    let [block, flow] =
        [block, flow].map(|it| connector_config(&it, variables).unwrap()["x"].clone());
    assert_eq!(block, flow, "{written} is the same in a block and in braces");
    flow
}

/// The findings about `x: WRITTEN`, in braces, without the place.
fn refusal(written: &str, variables: &[(&str, &str)]) -> String {
    let found = connector_config(&format!("{{ x: {written} }}"), variables).unwrap_err();
    found.to_string().replace("etc/x.yaml:17:20: ", "")
}

#[test]
fn a_variable_is_replaced_from_the_environment() {
    assert_eq!(value("${A}", &[("A", "text")]), json!("text"));
    assert_eq!(value("${A}/b-${C}.gz", &[("A", "/d"), ("C", "1")]), json!("/d/b-1.gz"));
    assert_eq!(value("'${A}'", &[("A", "it's")]), json!("it's"));
    assert_eq!(value("\"${A}\\t${A}\"", &[("A", "x")]), json!("x\tx"));
}

#[test]
fn a_default_stands_in_for_an_unset_or_empty_variable() {
    assert_eq!(value("${A:-b}", &[]), json!("b"));
    assert_eq!(value("${A:-b}", &[("A", "")]), json!("b"));
    assert_eq!(value("${A:-b}", &[("A", "a")]), json!("a"));
    assert_eq!(value("${A:-a:-b}", &[]), json!("a:-b"));
    assert_eq!(value("'${A:-b}'", &[]), json!("b"));
    assert_eq!(value("${A:-}", &[]), json!(null));
    assert_eq!(value("'${A:-}'", &[]), json!(""));
}

#[test]
fn a_replaced_value_without_quotes_may_be_a_number() {
    assert_eq!(value("${A:-0.001}", &[]).to_string(), "0.001");
    assert_eq!(
        value("${A}", &[("A", "1723161420000000000")]),
        json!(1_723_161_420_000_000_000_u64)
    );
    assert_eq!(value("${A}", &[("A", "-3")]), json!(-3));
    assert_eq!(value("${A}", &[("A", "true")]), json!(true));
    assert_eq!(value("${A}", &[("A", "")]), json!(null));
    assert_eq!(value("${A}${B}", &[("A", "1"), ("B", "2")]), json!(12));
}

#[test]
fn a_replaced_value_in_quotes_stays_text() {
    assert_eq!(value("\"${A:-0.001}\"", &[]), json!("0.001"));
    assert_eq!(value("'${A}'", &[("A", "true")]), json!("true"));
    assert_eq!(value("!!str ${A}", &[("A", "12")]), json!("12"));
}

#[test]
fn a_variable_cannot_add_structure() {
    let hostile = ["a: b", "- a", "{ a: b }", "[1]", "1, b: 2", "'a'", "a # b", "# a", "a\nb: 1"];
    for text in hostile.into_iter().chain(["&a", "*a", "!!int 3", "---", "-", "...", "~a", "<<"]) {
        assert_eq!(value("${A}", &[("A", text)]), json!(text), "{text}");
    }
}

#[test]
fn a_variable_in_the_value_of_a_variable_is_text() {
    assert_eq!(value("${A}", &[("A", "${B}"), ("B", "b")]), json!("${B}"));
}

#[test]
fn a_default_may_contain_what_means_something_to_yaml() {
    assert_eq!(value("${A:-a, b: [c] #d}", &[]), json!("a, b: [c] #d"));
    assert_eq!(value("${A:-{x}}", &[]), json!("{x}"));
}

#[test]
fn two_dollars_stand_for_a_literal_variable() {
    assert_eq!(value("$${A}", &[("A", "a")]), json!("${A}"));
    assert_eq!(value("'x $${A:-1} ${A}'", &[("A", "a")]), json!("x ${A:-1} a"));
    assert_eq!(value("$A $ $$ 5$", &[("A", "a")]), json!("$A $ $$ 5$"));
}

#[test]
fn comments_and_keys_have_no_variables() {
    assert_eq!(value("1 # ${UNSET}\n       ", &[]), json!(1));
    assert_eq!(
        findings("plugins: { folder: p }\nchannels: { '${A}': { capacity: 1 } }"),
        "etc/x.yaml:2:13: a variable in a key; variables are replaced in values only"
    );
}

#[test]
fn an_unset_variable_is_shown_where_it_stands() {
    let found = connector_config("{ x: \"a/${ONE}/${TWO}\", y: ${ONE} }", &[]).unwrap_err();
    assert_eq!(
        found.to_string(),
        "etc/x.yaml:17:23: the environment variable `ONE` is not set; \
         set it, or write `${ONE:-default}`\n\
         etc/x.yaml:17:30: the environment variable `TWO` is not set; \
         set it, or write `${TWO:-default}`\n\
         etc/x.yaml:17:42: the environment variable `ONE` is not set; \
         set it, or write `${ONE:-default}`"
    );
}

#[test]
fn what_is_no_variable_is_told() {
    assert_eq!(
        refusal("${A B}", &[]),
        "`${A B}` doesn't name a variable; \
         write `${VAR}` or `${VAR:-default}`, or `$${` for a literal `${`"
    );
    assert!(refusal("${}", &[]).starts_with("`${}` doesn't name a variable"));
    assert!(refusal("${A-b}", &[]).starts_with("`${A-b}` doesn't name a variable"));
    assert_eq!(
        refusal("'${A'", &[]).replace("etc/x.yaml:17:21: ", ""),
        "`${` has no closing `}`; close it, or write `$${` for a literal `${`"
    );
    assert_eq!(
        refusal("${A:-${B}}", &[]),
        "the default of the variable `A` contains a variable; \
         a default is taken as it is written; leave the inner one out"
    );
}

#[test]
fn a_variable_that_is_no_text_is_told() {
    let broken = |_: &str| Err(VarError::NotUnicode("x".into()));
    let found = Config::parse(Path::new("x.yaml"), "plugins: { folder: '${A}' }", &broken);
    assert_eq!(
        found.unwrap_err().to_string(),
        "x.yaml:1:21: the environment variable `A` isn't UTF-8 text; set it to UTF-8 text"
    );
}

#[test]
fn a_private_use_character_is_refused_only_where_it_would_be_confused() {
    let text = |it: char| format!("plugins: {{ folder: 'a{it}' }}");
    assert_eq!(
        findings(&text('\u{10007b}')),
        "etc/x.yaml:1:22: a private-use character that Hotbay reserves; leave it out"
    );
    assert_eq!(findings(&text('\u{e0b0}')), "");
}

#[test]
fn a_text_without_a_variable_is_not_replaced() {
    let unset = |_: &str| Err(VarError::NotPresent);
    let done = Variables::new(&unset).substitute("cost: 5$ {a}").unwrap();
    assert_eq!((done.text.as_str(), done.replaced), ("cost: 5$ {a}", false));
}
