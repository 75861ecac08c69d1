//! Files that nobody should load, and what the host says to each. It lives through all.
//!
//! A [`Kind`](kind::Kind) is one way to be hostile: a name, how its file is made, and the
//! reasons that the host may give. The host is this very test's process, with its loader and
//! real probes, and so is dead if a file harms it.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test may")]

#[path = "hostile/damage.rs"]
mod damage;
#[path = "hostile/descriptors.rs"]
mod descriptors;
#[path = "hostile/elf.rs"]
mod elf;
#[path = "hostile/formats.rs"]
mod formats;
#[path = "hostile/good.rs"]
mod good;
#[path = "hostile/host.rs"]
mod host;
#[path = "hostile/kind.rs"]
mod kind;
#[path = "hostile/linking.rs"]
mod linking;
#[path = "hostile/misdeeds.rs"]
mod misdeeds;
#[path = "hostile/places.rs"]
mod places;

use host::{Host, runtime};
use hotbay_tests::{ConfigFile, PluginsFolder, Run};
use kind::Kind;

const ALL: [&[Kind]; 7] = [
    places::KINDS,
    formats::KINDS,
    linking::KINDS,
    descriptors::KINDS,
    misdeeds::ENDING,
    misdeeds::ENDLESS,
    misdeeds::OTHERS,
];

fn each_is_refused(kinds: &[Kind]) {
    each_is_refused_by(&Host::new(), kinds);
}

fn each_is_refused_by(host: &Host, kinds: &[Kind]) {
    runtime().block_on(async {
        let mut wrong = Vec::new();
        for kind in kinds {
            wrong.extend(host.refuse(kind).await.err());
            host.still_loads_a_good_plugin().await;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn what_is_no_plain_file_or_not_safe_where_it_lies_is_refused() {
    each_is_refused(places::KINDS);
}

#[test]
fn what_is_no_library_of_this_machine_is_refused() {
    each_is_refused(formats::KINDS);
}

#[test]
fn a_library_that_the_dynamic_linker_can_not_take_is_refused() {
    each_is_refused(linking::KINDS);
}

#[test]
fn a_library_that_says_wrong_things_about_itself_is_refused() {
    each_is_refused(descriptors::KINDS);
}

#[test]
fn a_library_that_ends_its_process_ends_the_probe_alone() {
    each_is_refused(misdeeds::ENDING);
}

#[test]
fn a_library_that_never_comes_to_an_end_costs_the_limit_and_leaves_nothing() {
    each_is_refused_by(&Host::with_limit(misdeeds::LIMIT), misdeeds::ENDLESS);
}

#[test]
fn a_library_that_says_or_changes_what_it_should_not_is_refused() {
    each_is_refused(misdeeds::OTHERS);
}

#[test]
fn a_good_plugin_loads_from_odd_places_too() {
    runtime().block_on(async {
        let host = Host::new();
        for (name, make) in places::GOOD {
            host.loads(name, *make).await;
        }
    });
}

#[test]
fn one_host_lives_through_a_folder_full_of_them_and_loads_what_is_good() {
    // Of those that cost the limit, two will do.
    let kinds = ALL.iter().flat_map(|kinds| kinds.iter());
    let kinds = kinds.filter(|kind| misdeeds::ENDLESS[2..].iter().all(|it| it.name != kind.name));
    let files: Vec<_> = kinds.filter_map(Kind::bytes).enumerate().collect();
    // A host names 100 at most.
    for files in files.chunks(99) {
        let folder = PluginsFolder::with(&["hello"]);
        for (number, bytes) in files {
            folder.write(&format!("hostile-{number}.so"), bytes);
        }
        let path = folder.path().display();
        let yaml = format!("plugins: {{ folder: {path}, probe_timeout: 2s }}");
        let config = ConfigFile::verbatim(&yaml);
        let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish();
        let ended = ended.expect_code(0);
        assert!(ended.stdout.contains("0 components, 3 tasks"), "{}", ended.stdout);
        for (number, _) in files {
            ended.expect_stderr(&[&format!("hostile-{number}.so: warning: ")]);
        }
    }
}

#[test]
fn the_kinds_are_many_and_each_has_a_name_of_its_own() {
    let mut names: Vec<_> =
        ALL.iter().flat_map(|kinds| kinds.iter()).map(|kind| kind.name).collect();
    eprintln!("{} kinds of hostile files", names.len());
    assert!(names.len() >= 40, "{}", names.len());
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}

#[test]
fn a_file_cut_short_is_refused_and_one_with_a_wrong_byte_harms_nobody() {
    damage(40);
}

/// The long form: `cargo test -p hotbay-tests --test hostile -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_thousand_files_cut_short_are_refused_and_a_thousand_with_wrong_bytes_harm_nobody() {
    damage(1_000);
}

fn damage(count: usize) {
    runtime().block_on(async {
        let cut = damage::cut(count).await;
        let flipped = damage::flip(count).await;
        eprintln!("{count} times cut: {cut:?}; {count} times a wrong byte: {flipped:?}");
        assert_eq!(cut.refused, count);
        // A wrong byte in code that runs while the library loads may be harmless in the probe
        // and deadly in the host: what it does there depends on what it finds in memory. No
        // probe excludes that; a pin or a signature does.
        let few = 1 + count / 200;
        assert!(flipped.deadly.len() <= few, "{}", flipped.deadly.join("\n"));
    });
}
