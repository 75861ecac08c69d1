//! How the workspace is built: plugins on their own, and one set of features for every command.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use hotbay_tests::{hotbay, library, workspace};

/// The plugins that have a tokio runtime, and so would show what tokio was built with.
const WITH_RUNTIME: [&str; 3] = ["binance-feed", "hello", "spawns"];
/// Parts of the names of functions that tokio has with its features `process` and `signal`.
const OF_HOST: [&str; 4] =
    ["5tokio6signal", "5tokio7process", "7runtime6signal", "7runtime7process"];

#[test]
fn a_plugin_has_none_of_the_features_of_tokio_that_leak_at_unload() {
    for package in WITH_RUNTIME {
        let bytes = fs::read(library(package)).unwrap();
        let has = |name: &str| bytes.windows(name.len()).any(|it| it == name.as_bytes());
        assert!(has("5tokio7runtime"), "{package}: tokio's functions have other names by now");
        for name in OF_HOST {
            assert!(!has(name), "{package} has {name}: was it built together with the host?");
        }
    }
}

#[test]
fn the_plugin_to_copy_builds_outside_of_the_workspace() {
    let outside = tempfile::tempdir().unwrap();
    let hello = workspace().join("plugins/hello");
    fs::create_dir(outside.path().join("src")).unwrap();
    for source in fs::read_dir(hello.join("src")).unwrap() {
        let source = source.unwrap();
        fs::copy(source.path(), outside.path().join("src").join(source.file_name())).unwrap();
    }
    // The versions that are there, so that nothing is fetched.
    fs::copy(workspace().join("Cargo.lock"), outside.path().join("Cargo.lock")).unwrap();
    let api = workspace().join("plugin-api").display().to_string();
    let manifest = fs::read_to_string(hello.join("Cargo.toml")).unwrap();
    // Another name, because both are built into one folder.
    let manifest = manifest.replace("../../plugin-api", &api).replace("\"hello\"", "\"copied\"");
    fs::write(outside.path().join("Cargo.toml"), manifest).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet"])
        .current_dir(outside.path())
        .env("CARGO_TARGET_DIR", workspace().join("target/plugins"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[test]
fn the_demo_the_program_and_the_benchmarks_are_built_from_the_same_dependencies() {
    expect_same(&[
        ("cargo demo", features("normal,build", &["-p", "hotbay-tests"])),
        ("cargo build --release", features("normal,build", &["-p", "hotbay"])),
        ("cargo bench", features("normal,build,dev", &["-p", "hotbay-tests"])),
    ]);
}

#[test]
fn the_tests_run_a_program_that_is_built_from_their_own_dependencies() {
    let mut program = features("normal,build", &["-p", "hotbay"]);
    let mut tests = features("normal,build,dev", &["--workspace"]);
    // Time stands still in some of the tests, and plugins use sockets: the program must not bring
    // either to an embedder. Cargo builds these three, and what stands upon them, for each.
    for package in ["tokio", "mio", "hotbay-plugin-api"] {
        for of in [&mut program, &mut tests] {
            of.retain(|name, _| name.split(' ').next() != Some(package));
        }
    }
    expect_same(&[("the program", program), ("cargo test --workspace", tests)]);
}

#[test]
fn a_plugin_that_is_built_alone_is_built_from_the_dependencies_of_all() {
    let plugins = names("plugins");
    let of = |names: &[String]| {
        let select: Vec<_> = names.iter().flat_map(|name| ["-p", name]).collect();
        features("normal,build", &select)
    };
    let all = of(&[plugins.clone(), names("tests/fixtures")].concat());
    expect_same(&[
        ("the tests' plugins", all),
        ("the demo's plugins", of(&plugins)),
        ("hello alone", of(&["hello".to_owned()])),
    ]);
}

#[test]
fn a_program_that_was_copied_with_its_checkout_works_on_the_copy() {
    let copy = tempfile::tempdir().unwrap();
    let programs = copy.path().join("target/debug/deps");
    fs::create_dir_all(&programs).unwrap();
    fs::create_dir(copy.path().join("tests")).unwrap();
    fs::write(copy.path().join("Cargo.lock"), "").unwrap();
    let program = programs.join("building");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();

    let mut program = Command::new(program);
    program.args(["--exact", "tells_its_workspace", "--ignored", "--nocapture"]);
    program.env("CARGO_MANIFEST_DIR", copy.path().join("tests"));
    let told = run(&mut program);
    assert!(told.contains(&format!("workspace: {}\n", copy.path().display())), "{told}");
}

/// The whole of it, with a build. It copies the target folder, and so some gigabytes.
#[test]
#[ignore = "copies the target folder and builds in the copy; run with --ignored"]
fn a_copied_checkout_builds_the_program_of_the_copy() {
    let copy = tempfile::tempdir_in(workspace().join("target")).unwrap();
    hotbay();
    let copying = "git ls-files -z | xargs -0 cp -a --parents -t \"$0\" && mkdir \"$0\"/target && \
                   cp -a target/CACHEDIR.TAG target/debug \"$0\"/target";
    run(Command::new("sh").arg("-c").arg(copying).arg(copy.path()).current_dir(workspace()));
    let main = copy.path().join("host/src/main.rs");
    let changed = fs::read_to_string(&main).unwrap().replace(
        "fn main() -> ExitCode {",
        "fn main() -> ExitCode {\n    eprintln!(\"built in the copy\");",
    );
    fs::write(main, changed).unwrap();

    let mut inner = Command::new("cargo");
    inner.env_remove("CARGO_TARGET_DIR");
    inner.args(["test", "--quiet", "--package", "hotbay-tests", "--test", "building", "--"]);
    inner.args(["--exact", "tells_what_its_program_says", "--ignored", "--nocapture"]);
    let told = run(inner.current_dir(copy.path()));
    assert!(told.contains("the program says: built in the copy"), "{told}");
}

#[test]
#[ignore = "a part of the tests of a copied checkout"]
fn tells_its_workspace() {
    eprintln!("workspace: {}", workspace().display());
}

#[test]
#[ignore = "a part of the tests of a copied checkout"]
fn tells_what_its_program_says() {
    let output = Command::new(hotbay()).arg("--version").output().unwrap();
    eprintln!("the program says: {}", String::from_utf8_lossy(&output.stderr));
}

/// Each package that more than one of these builds contains must have the same features in all.
fn expect_same(builds: &[(&str, BTreeMap<String, BTreeSet<String>>)]) {
    let packages: BTreeSet<_> = builds.iter().flat_map(|(_, packages)| packages.keys()).collect();
    let mut different = String::new();
    for package in packages {
        let in_builds = builds.iter().filter_map(|(name, of)| Some((name, of.get(package)?)));
        let in_builds: Vec<_> = in_builds.collect();
        if in_builds.iter().any(|(_, features)| *features != in_builds[0].1) {
            different.push_str(&format!("{package}: {in_builds:#?}\n"));
        }
    }
    assert!(different.is_empty(), "built once more for other features:\n{different}");
}

/// The sets of features in which a build of these packages has each package: two of a package
/// that macros use as well.
fn features(edges: &str, select: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let format = ["--no-dedupe", "--prefix", "none", "--format", "{p}|{f}"];
    let mut packages = BTreeMap::<_, BTreeSet<_>>::new();
    for line in cargo(&[&["tree", "--edges", edges], &format[..], select].concat()).lines() {
        let Some((package, features)) = line.split_once('|') else { continue };
        let package: Vec<_> = package.split(' ').take(2).collect();
        packages.entry(package.join(" ")).or_default().insert(features.to_owned());
    }
    assert!(packages.len() > 20, "cargo tells of {} packages", packages.len());
    packages
}

/// The names of the packages in a folder that are plugins.
fn names(folder: &str) -> Vec<String> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version=1"]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let folder = workspace().join(folder);
    let plugins = packages.filter(|package| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        manifest.starts_with(&folder) && package["targets"].to_string().contains("cdylib")
    });
    plugins.map(|package| package["name"].as_str().unwrap().to_owned()).collect()
}

fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo.args(arguments).current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it to its end, and returns what went to standard error.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {told}");
    told
}
