use std::env::VarError;
use std::path::Path;

use crate::TrustMode;
use crate::{KeyEntry, TrustSettings};

use super::{findings, parse};

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

fn hash(digit: &str) -> String {
    digit.repeat(64)
}

/// A configuration with this value of `plugins.trust`, which stands at column 35.
fn with(trust: &str) -> String {
    format!("plugins: {{ folder: /srv/p, trust: {trust} }}")
}

fn read(trust: &str) -> TrustSettings {
    let config = parse(&with(trust)).unwrap_or_else(|found| panic!("{found}"));
    config.plugins.trust
}

fn wrong(trust: &str) -> String {
    findings(&with(trust)).replacen("etc/x.yaml:", "", 1)
}

#[test]
fn without_a_word_everybody_is_trusted_and_the_pins_are_beside_the_configuration() {
    let trust = parse("plugins: { folder: /srv/p }").unwrap().plugins.trust;
    assert_eq!(trust, read(""));
    assert_eq!(trust, TrustSettings::usual(Path::new("etc/x.yaml")));
    assert_eq!(trust.mode, TrustMode::Off);
    assert_eq!((trust.pins.len(), trust.keys.len()), (0, 0));
    assert_eq!(trust.pins_file, Path::new("etc/hotbay.pins"));
    assert!(!trust.pins_file_is_named);
}

#[test]
fn a_mode_can_stand_alone() {
    assert_eq!(read("off").mode, TrustMode::Off);
    assert_eq!(read("warn").mode, TrustMode::Warn);
    assert_eq!(read("enforce").mode, TrustMode::Enforce);
    assert_eq!(read("{ mode: enforce }"), read("enforce"));
}

#[test]
fn pins_and_keys_are_read_in_each_of_their_forms() {
    let (a, b, c) = (hash("A"), hash("b"), hash("c"));
    let trust = read(&format!(
        "{{ mode: warn, pins: {{ a.so: {a}, b.so: [{b}, {c}] }}, pins_file: /srv/pins, \
         keys: [{KEY}, ci.pub] }}"
    ));
    let pins: Vec<_> = trust.pins.iter().map(|it| (it.file.as_deref(), it.hash.clone())).collect();
    let of = |file, hash: &str| (Some(file), hash.to_ascii_lowercase());
    assert_eq!(pins, [of("a.so", &a), of("b.so", &b), of("b.so", &c)]);
    assert_eq!(
        (trust.pins_file.as_path(), trust.pins_file_is_named),
        (Path::new("/srv/pins"), true)
    );
    let KeyEntry::Here(key) = &trust.keys[0] else { panic!("it is a key") };
    assert_eq!(key, KEY);
    assert_eq!(trust.keys[1], KeyEntry::File("etc/ci.pub".into()));
    let nameless = read(&format!("{{ mode: enforce, pins: [{b}, {c}] }}")).pins;
    assert!(nameless.iter().all(|pin| pin.file.is_none()) && nameless.len() == 2);
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    assert_eq!(
        wrong("enforced"),
        "1:35: unknown value `enforced`; did you mean `enforce`? \
         expected one of `off`, `warn`, `enforce`"
    );
    let expected = "1:35: expected `off`, `warn`, `enforce`, or a mapping with a `mode`, found ";
    assert_eq!(wrong("true"), format!("{expected}`true`"));
    assert_eq!(wrong("[enforce]"), format!("{expected}a list"));
    assert_eq!(wrong("{ keys: [] }"), "1:35: the key `mode` is missing; add it here");
    assert_eq!(
        wrong("{ mode: off, key: [] }"),
        "1:48: unknown key `key`; did you mean `keys`? \
         expected one of `mode`, `pins`, `pins_file`, `keys`"
    );
    assert_eq!(
        wrong("{ mode: off, pins: { a.so: abc } }"),
        "1:62: expected a SHA-256, 64 hexadecimal digits as `sha256sum FILE` prints them, \
         found the string \"abc\""
    );
    let pins = "expected a SHA-256, 64 hexadecimal digits as `sha256sum FILE` prints them";
    assert_eq!(
        wrong("{ mode: off, pins: { a.so: { b: c } } }"),
        format!("1:62: {pins}, found a mapping")
    );
    assert_eq!(
        wrong(&format!("{{ mode: off, keys: [{}] }}", &KEY[..50])),
        "1:55: expected a minisign public key, or the path of a file with one, \
         found the string \"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73\""
    );
}

#[test]
fn another_mode_in_force_remembers_what_the_file_says() {
    let mut trust = read("enforce");
    trust.override_mode(TrustMode::Enforce);
    assert_eq!(trust.overridden, None);
    trust.override_mode(TrustMode::Off);
    assert_eq!((trust.mode, trust.overridden), (TrustMode::Off, Some(TrustMode::Enforce)));
}

/// Reads only the section, as `hotbay plugin trust` does, without any variable.
fn load_alone(text: &str) -> Result<TrustSettings, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.yaml");
    std::fs::write(&file, text).unwrap();
    let loaded = TrustSettings::load(&file, &|_| Err(VarError::NotPresent));
    loaded.map_err(|found| found.to_string())
}

#[test]
fn a_section_with_a_variable_that_is_not_set_is_an_error_when_it_is_read_alone() {
    for broken in [
        "plugins: ${UNSET}".to_owned(),
        with("${UNSET}"),
        with("{ mode: ${UNSET} }"),
        with("{ mode: enforce, pins_file: ${UNSET} }"),
        with("{ mode: enforce, pins: ${UNSET} }"),
        with("{ mode: enforce, keys: [${UNSET}] }"),
    ] {
        let found = load_alone(&broken).expect_err(&broken);
        assert!(found.contains("the environment variable `UNSET` is not set"), "{found}");
    }
    let elsewhere = format!("{}\ntasks: ${{UNSET}}", with("enforce"));
    assert_eq!(load_alone(&elsewhere).map(|trust| trust.mode), Ok(TrustMode::Enforce));
}
