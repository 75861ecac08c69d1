//! Whose plugins a host loads: pins, signatures, and what is said of everybody else's.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use hotbay_tests::{Ended, PluginsFolder, Run, Running, Signal, hotbay, until};
use minisign::KeyPair;

/// A plugins folder with `hello`, and a configuration beside it.
struct Scene {
    home: tempfile::TempDir,
}

impl Scene {
    fn new(trust: &str) -> Self {
        let scene = Self { home: tempfile::tempdir().unwrap() };
        fs::create_dir(scene.path("plugins")).unwrap();
        fs::copy(hotbay_tests::library("hello"), scene.library()).unwrap();
        scene.configure(trust);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn library(&self) -> PathBuf {
        self.path("plugins/libhello.so")
    }

    fn config(&self) -> PathBuf {
        self.path("hotbay.yaml")
    }

    fn configure(&self, trust: &str) {
        let text = format!("plugins:\n  folder: plugins\n  trust: {trust}\n");
        fs::write(self.config(), text).unwrap();
    }

    /// `hotbay validate`, which loads what may be loaded: with `hello`, three tasks.
    fn validate(&self) -> Ended {
        Run::new(["validate".as_ref(), self.config().as_os_str()]).finish()
    }

    fn expect_loaded(&self) -> Ended {
        let ended = self.validate().expect_code(0);
        assert!(ended.stdout.contains("0 components, 3 tasks"), "{}{}", ended.stdout, ended.stderr);
        ended
    }

    fn expect_refused(&self, texts: &[&str]) {
        let ended = self.validate().expect_code(0);
        assert!(ended.stdout.contains("0 components, 0 tasks"), "{}{}", ended.stdout, ended.stderr);
        ended.expect_stderr(&[self.library().to_str().unwrap()]);
        ended.expect_stderr(texts);
    }

    fn pin(&self, file: &Path) -> Ended {
        let [plugin, trust, config] = ["plugin", "trust", "--config"].map(AsRef::as_ref);
        Run::new([plugin, trust, file.as_os_str(), config, self.config().as_os_str()]).finish()
    }

    fn pin_library(&self) {
        let pinned = self.pin(&self.library()).expect_code(0);
        assert!(pinned.stdout.contains(": pinned libhello.so"), "{}", pinned.stdout);
    }

    fn start(&self, options: &[&str]) -> Running {
        let config = self.config();
        let arguments =
            ["run", config.to_str().unwrap()].into_iter().chain(options.iter().copied());
        Run::new(arguments).log("info").start()
    }

    fn sign(&self, with: &KeyPair) {
        let library = File::open(self.library()).unwrap();
        let signed = minisign::sign(Some(&with.pk), &with.sk, library, Some("build 7"), None);
        fs::write(self.path("plugins/libhello.so.minisig"), signed.unwrap().into_string()).unwrap();
    }
}

fn keys() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

/// What the host that runs with the scene's configuration says.
fn status(scene: &Scene) -> serde_json::Value {
    let config = scene.config();
    let shown = Run::new(["status", config.to_str().unwrap(), "--output", "json"]).finish();
    serde_json::from_str(&shown.stdout).unwrap_or_default()
}

#[test]
fn where_trust_is_enforced_a_plugin_is_loaded_once_it_is_pinned() {
    let scene = Scene::new("enforce");
    scene.expect_refused(&["nobody vouches for it [untrusted]", "`hotbay plugin trust FILE`"]);
    let pinned = scene.pin(&scene.library()).expect_code(0);
    let expected =
        format!("{}: pinned libhello.so (hello 0.1.0)", scene.path("hotbay.pins").display());
    assert!(pinned.stdout.starts_with(&expected), "{}", pinned.stdout);
    assert_eq!(pinned.stdout.lines().count(), 1, "nothing more to say:\n{}", pinned.stdout);
    assert_eq!(scene.expect_loaded().stderr, "");
    let again = scene.pin(&scene.library()).expect_code(0);
    assert!(again.stdout.contains("was pinned already"), "{}", again.stdout);
}

#[test]
fn a_build_other_than_the_pinned_one_is_refused_until_it_is_pinned_instead() {
    let scene = Scene::new("enforce");
    fs::write(scene.path("hotbay.pins"), format!("# ours\n{}  libhello.so\n", "0".repeat(64)))
        .unwrap();
    scene.expect_refused(&["is not the build that was pinned", "[pin-mismatch]"]);
    let pinned = scene.pin(&scene.library()).expect_code(0);
    let zeros = format!("instead of the build {}", "0".repeat(64));
    assert!(pinned.stdout.contains(&zeros), "{}", pinned.stdout);
    assert_eq!(scene.expect_loaded().stderr, "");
    assert!(fs::read_to_string(scene.path("hotbay.pins")).unwrap().starts_with("# ours\n"));
}

#[test]
fn where_trust_only_warns_a_plugin_without_a_voucher_loads_with_a_warning() {
    let scene = Scene::new("warn");
    scene.expect_loaded().expect_stderr(&["warning: has no pin and no signature", "[untrusted]"]);
    let pinned = scene.pin(&scene.library()).expect_code(0);
    assert!(!pinned.stdout.contains("note:"), "{}", pinned.stdout);
    assert_eq!(scene.expect_loaded().stderr, "");
}

#[test]
fn pinning_where_trust_is_off_says_that_it_does_not_count_yet() {
    let scene = Scene::new("off");
    let pinned = scene.pin(&scene.library()).expect_code(0);
    assert!(pinned.stdout.contains("note: pins count once"), "{}", pinned.stdout);
    assert_eq!(scene.expect_loaded().stderr, "");
}

#[test]
fn without_a_configuration_the_pins_of_the_current_folder_are_meant() {
    let scene = Scene::new("enforce");
    fs::rename(scene.config(), scene.path("other.yaml")).unwrap();
    let line = "cd \"$1\"; exec \"$0\" plugin trust plugins/libhello.so";
    let arguments =
        ["-c".as_ref(), line.as_ref(), hotbay().as_os_str(), scene.home.path().as_os_str()];
    let pinned = Run::of(Path::new("/bin/sh"), arguments).finish().expect_code(0);
    assert!(pinned.stdout.contains("pinned libhello.so"), "{}", pinned.stdout);
    fs::rename(scene.path("other.yaml"), scene.config()).unwrap();
    assert_eq!(scene.expect_loaded().stderr, "");
}

#[test]
fn what_can_not_be_pinned_is_refused_like_in_the_host() {
    let scene = Scene::new("enforce");
    scene.pin(&scene.config()).expect_code(2).expect_stderr(&["[not-a-library]"]);
    scene.pin(&scene.path("none.so")).expect_code(2).expect_stderr(&["[missing]"]);
    fs::write(scene.path("plugins/libhello.so.minisig"), "nonsense").unwrap();
    scene.pin(&scene.library()).expect_code(2).expect_stderr(&["[bad-signature]"]);
    assert!(!scene.path("hotbay.pins").exists());
    fs::remove_file(scene.path("plugins/libhello.so.minisig")).unwrap();
    fs::write(scene.path("hotbay.pins"), "no pin\n").unwrap();
    let wrong = scene.pin(&scene.library()).expect_code(2);
    wrong.expect_stderr(&["hotbay.pins:1:1: this is no pin; write `SHA256  FILE`"]);
    assert_eq!(fs::read_to_string(scene.path("hotbay.pins")).unwrap(), "no pin\n");
}

#[test]
fn a_signature_with_a_listed_key_is_as_good_as_a_pin_and_a_broken_one_is_never() {
    let (keys, others) = (keys(), keys());
    let scene = Scene::new(&format!("{{ mode: enforce, keys: [{}] }}", keys.pk.to_base64()));
    scene.sign(&keys);
    assert_eq!(scene.expect_loaded().stderr, "");
    scene.sign(&others);
    scene.expect_refused(&["which is not one that is trusted", "[unknown-key]"]);
    // One byte more than what was signed.
    scene.sign(&keys);
    let mut library = fs::read(scene.library()).unwrap();
    library.push(0);
    fs::write(scene.library(), library).unwrap();
    let broken = ["carries a broken signature", "[bad-signature]"];
    scene.expect_refused(&broken);
    scene.configure(&format!("{{ mode: off, keys: [{}] }}", keys.pk.to_base64()));
    scene.expect_refused(&broken);
}

#[test]
fn a_key_can_be_in_the_file_that_minisign_wrote() {
    let keys = keys();
    let scene = Scene::new("{ mode: enforce, keys: [minisign.pub] }");
    scene.sign(&keys);
    let missing = scene.validate().expect_code(2);
    missing.expect_stderr(&["hotbay.yaml:3:34: the key ", "minisign.pub: there is no such file"]);
    fs::write(scene.path("minisign.pub"), keys.pk.to_box().unwrap().into_string()).unwrap();
    assert_eq!(scene.expect_loaded().stderr, "");
}

#[test]
fn what_says_whom_to_trust_must_be_safe_from_others_itself() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new("enforce");
    scene.pin_library();
    let mode = |name: &str, mode| {
        fs::set_permissions(scene.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("hotbay.pins", 0o666);
    scene.validate().expect_code(2).expect_stderr(&["hotbay.pins: can be written by others"]);
    mode("hotbay.pins", 0o644);
    mode("hotbay.yaml", 0o666);
    let refused = scene.validate().expect_code(2);
    refused.expect_stderr(&["hotbay.yaml: can be written by others", "can't say whom to trust"]);
    mode("hotbay.yaml", 0o644);
    assert_eq!(scene.expect_loaded().stderr, "");
}

#[test]
fn a_file_of_pins_that_is_named_has_to_be_there() {
    let scene = Scene::new("{ mode: enforce, pins_file: our.pins }");
    let missing = scene.validate().expect_code(2);
    missing.expect_stderr(&["hotbay.yaml:3:38: there is no file ", "our.pins", "makes it"]);
    scene.pin_library();
    assert_eq!(scene.expect_loaded().stderr, "");
}

#[test]
fn a_host_that_runs_loads_what_is_pinned_meanwhile() {
    let scene = Scene::new("enforce");
    let running = scene.start(&[]);
    running.wait_for_log("[untrusted]");
    let refused = until("the refusal in the status", || {
        status(&scene)["refused"].get(0).map(|refused| refused["code"].clone())
    });
    assert_eq!(refused, "untrusted");
    scene.pin_library();
    running.wait_for_log("primes below");
    let by = until("the plugin in the status", || {
        status(&scene)["plugins"].get(0).map(|plugin| plugin["trusted_by"]["by"].clone())
    });
    assert_eq!(by, "pin");
    running.signal(Signal::Terminate);
    assert_eq!(running.wait().expect_code(0).stdout.matches("hello/primes").count(), 1);
}

#[test]
fn a_host_that_runs_loads_what_is_signed_meanwhile() {
    let keys = keys();
    let scene = Scene::new(&format!("{{ mode: enforce, keys: [{}] }}", keys.pk.to_base64()));
    let running = scene.start(&[]);
    running.wait_for_log("[untrusted]");
    scene.sign(&keys);
    running.wait_for_log("primes below");
    running.signal(Signal::Terminate);
    assert!(running.wait().expect_code(0).stdout.contains("hello/primes"));
}

#[test]
fn a_host_that_runs_takes_over_another_trust_mode() {
    let scene = Scene::new("enforce");
    let running = scene.start(&[]);
    running.wait_for_log("[untrusted]");
    scene.configure("off");
    running.wait_for_log("primes below");
    scene.configure("enforce");
    running.wait_for_log("nobody vouches for it; it runs on, but will not load again");
    scene.configure("nonsense");
    running.wait_for_log("hotbay.yaml:3:10: unknown value `nonsense`");
    running.signal(Signal::Terminate);
    assert!(running.wait().expect_code(0).stdout.contains("hello/primes"));
}

#[test]
fn trusting_everybody_for_one_run_is_loud() {
    let scene = Scene::new("enforce");
    let running = scene.start(&["--trust", "off"]);
    running.wait_for_log("primes below");
    running.wait_for_log("hotbay: WARN: --trust off: plugins are loaded that");
    let trust = until("the trust mode in the status", || status(&scene).get("trust").cloned());
    assert_eq!(trust, serde_json::json!({ "mode": "off", "overrides": "enforce" }));
    // Reading the configuration again does not bring back what the option overrides.
    let text = fs::read_to_string(scene.config()).unwrap();
    fs::write(
        scene.config(),
        format!("{text}tasks: [{{ plugin: hello, task: greet, enabled: false }}]\n"),
    )
    .unwrap();
    running.wait_for_log("the configuration: taken over");
    assert_eq!(status(&scene)["trust"]["mode"], "off");
    running.signal(Signal::Terminate);
    assert!(running.wait().expect_code(0).stdout.contains("hello/primes"));
}

#[test]
fn asking_for_the_mode_that_is_configured_is_not_worth_a_word() {
    let scene = Scene::new("off");
    let running = scene.start(&["--trust", "off"]);
    running.wait_for_log("primes below");
    assert!(!running.stderr().contains("--trust"), "{}", running.stderr());
}

#[test]
fn a_wrong_mode_on_the_command_line_is_answered_with_those_that_are() {
    let folder = PluginsFolder::with(&[]);
    let config = hotbay_tests::ConfigFile::new(&folder, "");
    let config = config.path();
    let ended = Run::new(["run", config.to_str().unwrap(), "--trust", "none"]).finish();
    ended.expect_code(2).expect_stderr(&["'none'", "expected `off`, `warn` or `enforce`"]);
}
