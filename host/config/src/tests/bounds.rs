//! No file keeps a host busy: each is read or refused within a second, in a debug build too.

use std::time::{Duration, Instant};

use super::{findings, parse_with};

/// The limit of one file. The slowest takes a fraction of it on an idle machine.
const LIMIT: Duration = Duration::from_secs(10);

/// Repeats a piece up to about this many bytes.
fn filled(piece: &str, bytes: usize) -> String {
    piece.repeat(bytes / piece.len())
}

fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Large texts that took a parser, or us, more than linear time once, and neighbours.
fn large_files() -> Vec<(&'static str, String)> {
    const FULL: usize = 250_000;
    let value = |text: String| format!("x: {text}\n");
    let quoted = |text: String| format!("x: \"{text}\"\n");
    let task = "plugins: { folder: p }\ntasks:\n  - plugin: a\n    task: b\n    config:\n";
    let lines =
        |piece: &str| format!("{task}{}", numbered(20_000, |n| format!("      k{n}{piece}\n")));
    vec![
        ("keys", lines(": 1")),
        ("duplicates", format!("{task}{}", filled("      k: 1\n", FULL))),
        ("unknown keys", numbered(25_000, |n| format!("k{n}: 1\n"))),
        (
            "channels",
            format!("channels:\n{}", numbered(12_000, |n| format!("  c{n}: {{ capacity: 1 }}\n"))),
        ),
        (
            "channels without capacity",
            format!("channels:\n{}", numbered(9_000, |n| format!("  c{n}: {{}}\n"))),
        ),
        ("unknown channels", unknown_channels()),
        ("opening brackets", value(filled("[", FULL))),
        ("opening braces", value(filled("{", FULL))),
        ("spaced brackets", value(filled("[ ", FULL))),
        ("brackets in lines", value(filled("[\n ", FULL))),
        ("brackets behind an error", format!("x: ]\ny: {}", filled("[", FULL))),
        ("brackets behind another line break", format!("# \u{85}x: {}", filled("[", FULL))),
        ("brackets in a second document", format!("a: 1\n---\nb: {}", filled("[", FULL))),
        ("closed brackets", value(filled("[", FULL / 2) + &filled("]", FULL / 2))),
        ("dashes", filled("- ", FULL)),
        ("question marks", filled("? ", FULL)),
        ("colons", filled(": ", FULL)),
        ("commas", value(format!("[{}]", filled("1,", FULL)))),
        ("stairs", numbered(600, |n| format!("{}a:\n", " ".repeat(n)))),
        ("tabs", filled("\t", FULL)),
        ("returns", filled("a: 1\r", FULL)),
        ("documents", filled("---\n", FULL)),
        ("long scalar", value(filled("a ", FULL))),
        ("long quoted scalar", quoted(filled("a", FULL))),
        ("long key", format!("{}: 1\n", filled("a", FULL))),
        ("long keys", numbered(200, |n| format!("{n}{}: 1\n", filled("a", 1_000)))),
        ("block scalar", format!("x: |\n{}", filled("  a\n", FULL))),
        ("comments", filled("# a\n", FULL)),
        ("anchors", value(format!("[{}]", numbered(20_000, |n| format!("&a{n} 1,"))))),
        ("aliases", format!("x: &a 1\ny: [{}]\n", filled("*a,", FULL))),
        ("laughs", laughs()),
        ("one anchor used often", one_anchor_used_often()),
        ("an anchor of itself", value(format!("&a [{}]", filled("*a,", FULL)))),
        ("quotes", value(filled("''", FULL))),
        ("open variables", quoted(filled("${", FULL))),
        ("open variables with quotes", value(filled("${'", FULL))),
        ("nested variables", quoted(filled("${A", FULL / 2) + &filled("}", FULL / 2))),
        ("nested variables, quoted", value(filled("${", FULL / 2) + "'" + &filled("}", FULL / 2))),
        ("set variables", quoted(filled("${A}", FULL))),
        ("set variables in a list", value(format!("[{}]", filled("${A},", FULL)))),
        ("unset variables", quoted(filled("${B}", FULL))),
        ("unset variables in a list", value(format!("[{}]", filled("${B},", FULL)))),
        ("unset variables in lines", lines(": ${B}")),
        ("variables in keys", lines("${A}: 1")),
        ("dollars", value(filled("$", FULL))),
        ("literal variables", value(filled("$${", FULL))),
        ("tags", value(filled("!a ", FULL))),
        ("directives", filled("%a\n", FULL)),
        ("huge numbers", value(format!("[{}]", filled("99999999999999999999,", FULL)))),
        ("long numbers", value(format!("0.{}", filled("1", FULL)))),
        ("indicators", filled("@`%!&*|>\n", FULL)),
    ]
}

fn unknown_channels() -> String {
    let declared = numbered(9_000, |n| format!("  channel-{n}: {{ capacity: 1 }}\n"));
    let used = numbered(9_000, |n| format!("chanel-{n},"));
    format!(
        "plugins: {{ folder: p }}\nchannels:\n{declared}pipeline: {{ time: live, connectors: \
         [{{ id: a, plugin: b, outputs: [{used}] }}] }}\n"
    )
}

fn laughs() -> String {
    let level = |n: usize| format!("x{n}: &x{n} [{}]\n", filled(&format!("*x{},", n - 1), 50));
    format!("x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n{}", numbered(20, |n| level(n + 1)))
}

fn one_anchor_used_often() -> String {
    format!("x: &a [{}]\ny: [{}]\n", filled("1,", 400_000), filled("*a,", 400_000))
}

#[test]
fn every_large_file_is_read_or_refused_in_a_moment() {
    for (name, text) in large_files() {
        let began = Instant::now();
        let read = parse_with(&text, &[("A", "value")]);
        let took = began.elapsed();
        eprintln!("{name}: {} bytes, {} ms", text.len(), took.as_millis());
        assert!(took < LIMIT, "{name}: {took:?}");
        let said = read.map_or_else(|found| found.to_string(), |it| it.warnings.to_string());
        assert!(said.len() < 100_000, "{name}: {} bytes of messages", said.len());
    }
}

#[test]
fn what_is_left_out_of_the_messages_is_counted() {
    let text = numbered(1_000, |n| format!("k{n}: 1\n"));
    let found = findings(&text);
    assert_eq!(found.lines().count(), 101);
    assert!(found.ends_with("\nand 901 more"), "{found}");
}

#[test]
fn the_limits_are_said_with_place_and_remedy() {
    assert_eq!(
        findings(&format!("x: {}", "[".repeat(100))),
        "etc/x.yaml:1:67: lists and mappings are nested more than 64 deep; \
         close the brackets, or nest less"
    );
    assert_eq!(
        findings(&"#".repeat((1 << 20) + 1)),
        "etc/x.yaml:1:1: the text is larger than 1 MiB; leave out what no configuration needs"
    );
    assert!(findings(&laughs()).contains("the file has more than 250000 keys and values"));
}
