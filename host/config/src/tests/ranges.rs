use super::{changed, findings};

/// What is said of the whole configuration with one value changed, without the place.
fn wrong(from: &str, to: &str) -> String {
    let found = findings(&changed(from, to));
    found.split_once(": ").map_or(found.clone(), |(_, message)| message.to_owned())
}

#[test]
fn a_duration_without_end_is_refused_with_its_range() {
    for endless in ["500000000000y", "18446744073709551615s", "99999999999999999999999y"] {
        for (from, key, range) in [
            ("probe_timeout: 3s", "probe_timeout", "from 1ms to 1h"),
            ("interval: 1m 30s", "interval", "from 1ms to 10years"),
            ("drain: 2s", "drain", "from 0s to 1day"),
        ] {
            assert_eq!(
                wrong(from, &format!("{key}: {endless}")),
                format!("expected a duration {range}, found the string \"{endless}\"")
            );
        }
        for (key, range) in [
            ("settle", "from 0s to 1h"),
            ("hold", "from 1ms to 1h"),
            ("initialize", "from 1ms to 1h"),
            ("probation", "from 0s to 7days"),
        ] {
            let reload = format!("reload: {{ {key}: {endless} }}\nshutdown:");
            assert_eq!(
                wrong("shutdown:", &reload),
                format!("expected a duration {range}, found the string \"{endless}\"")
            );
        }
    }
}

#[test]
fn a_number_out_of_its_range_is_refused_with_the_range() {
    for number in ["0", "1025", "100000", "18446744073709551615"] {
        assert_eq!(
            wrong("threads: 2", &format!("threads: {number}")),
            format!("expected a whole number from 1 to 1024, found the number {number}")
        );
    }
    assert_eq!(
        wrong("capacity: 8192", "capacity: 18446744073709551615"),
        "expected a whole number from 1 to 16777216, found the number 18446744073709551615"
    );
    assert_eq!(
        wrong("shutdown:", "reload: { leaks: 1001 }\nshutdown:"),
        "expected a whole number from 0 to 1000, found the number 1001"
    );
}

#[test]
fn the_ends_of_a_range_are_in_it() {
    for (from, to) in [
        ("threads: 2", "threads: 1024"),
        ("capacity: 8192", "capacity: 16777216"),
        ("probe_timeout: 3s", "probe_timeout: 1h"),
        ("interval: 1m 30s", "interval: 10years"),
        ("drain: 2s", "drain: 0s"),
    ] {
        assert_eq!(findings(&changed(from, to)), "", "{to}");
    }
}

#[test]
fn too_many_entries_are_refused_with_their_number() {
    let channels: String = (0..10_001).map(|n| format!("  c{n}: {{ capacity: 1 }}\n")).collect();
    assert_eq!(
        findings(&format!("plugins: {{ folder: p }}\nchannels:\n{channels}")),
        "etc/x.yaml:3:3: the configuration has 10001 channels; 10000 are the limit; \
         leave some out, or use several hosts"
    );
}

#[test]
fn a_key_without_a_value_is_as_good_as_none() {
    assert_eq!(
        findings("plugins: { folder: p, probe_timeout: }\nreload: { settle: , leaks: ~ }"),
        ""
    );
    assert_eq!(findings("plugins: { folder: }"), "etc/x.yaml:1:18: the key `folder` has no value");
}
