//! Nothing that another user can write counts: the state folder, settings, the configuration, the
//! folder for private copies.
//!
//! A file of another user can only be made by root, so a test without that right leaves this out.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test may")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
};

use hotbay_tests::{Ended, Run, Running, Signal, hotbay, library, put};
use rustix::process::geteuid;
use serde_json::json;
use sha2::{Digest, Sha256};

/// A user who is neither root nor the one that runs the tests.
const STRANGER: u32 = 4001;

/// A folder with `hello` in a plugins folder, a configuration, and a folder that all can write.
struct Scene {
    home: tempfile::TempDir,
}

impl Scene {
    /// `state` is the path of the state folder.
    fn new(trust: &str, state: &str) -> Self {
        let scene = Self { home: tempfile::tempdir().unwrap() };
        fs::create_dir(scene.path("plugins")).unwrap();
        fs::create_dir(scene.path("public")).unwrap();
        set_mode(&scene.path("public"), 0o1777);
        fs::copy(library("hello"), scene.path("plugins/libhello.so")).unwrap();
        scene.configure(trust, state);
        fs::write(scene.path("hotbay.pins"), format!("{}  libhello.so\n", scene.hash())).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("hotbay.yaml")
    }

    fn configure(&self, trust: &str, state: &str) {
        put(&self.config(), config(trust, state).as_bytes());
    }

    fn hash(&self) -> String {
        format!("{:x}", Sha256::digest(fs::read(library("hello")).unwrap()))
    }

    fn start(&self) -> Running {
        Run::config(self.config()).log("info").env("TOP_SECRET", "hunter2").start()
    }

    /// Starts a host, and stops it when `hello` runs.
    fn run(&self) -> Ended {
        let running = self.start();
        running.wait_for_log("primes below");
        running.signal(Signal::Terminate);
        running.wait().expect_code(0)
    }

    /// Makes a file that nobody may touch, and a link to it.
    fn precious_behind(&self, link: &str) -> PathBuf {
        let file = self.path(&link.replace('/', "-"));
        fs::write(&file, "precious\n").unwrap();
        symlink(&file, self.path(link)).unwrap();
        file
    }
}

fn config(trust: &str, state: &str) -> String {
    format!(
        "plugins: {{ folder: plugins, trust: {trust} }}\nstate_folder: {state}\n\
         reload: {{ settle: 20ms, probation: 100ms }}\n"
    )
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives a file or a link to the stranger. Returns `false` if the test may not.
fn give_away(path: &Path) -> bool {
    let may = geteuid().is_root();
    if may {
        lchown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    } else {
        eprintln!("left out, for want of rights: a stranger's {}", path.display());
    }
    may
}

/// What a host writes into its state folder.
const WRITTEN: [&str; 6] = [
    "crash-note",
    "crashes.json",
    "lock",
    "quarantine.json",
    "quarantine.lock",
    "replacements.jsonl",
];

#[test]
fn a_state_folder_of_a_stranger_is_refused_and_nothing_behind_its_links_is_touched() {
    let scene = Scene::new("off", "public/state");
    fs::create_dir(scene.path("public/state")).unwrap();
    let victims = WRITTEN.map(|name| scene.precious_behind(&format!("public/state/{name}")));
    if !give_away(&scene.path("public/state")) {
        return;
    }
    let refused = scene.start().wait().expect_code(2);
    refused.expect_stderr(&["the state folder", "belongs to user 4001", "`state_folder`"]);
    for victim in victims {
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n", "{}", victim.display());
    }
}

#[test]
fn a_state_folder_that_others_can_write_is_refused_even_if_only_the_sticky_bit_protects_it() {
    for mode in [0o777, 0o1777] {
        let scene = Scene::new("off", "state");
        fs::create_dir(scene.path("state")).unwrap();
        set_mode(&scene.path("state"), mode);
        let refused = scene.start().wait().expect_code(2);
        refused.expect_stderr(&["the state folder", "can be written by others", "chmod go-w"]);
        assert_eq!(fs::read_dir(scene.path("state")).unwrap().count(), 0);
    }
}

#[test]
fn a_strangers_link_does_not_lead_the_state_elsewhere() {
    let scene = Scene::new("off", "public/link/state");
    fs::create_dir(scene.path("private")).unwrap();
    symlink(scene.path("private"), scene.path("public/link")).unwrap();
    if !give_away(&scene.path("public/link")) {
        return;
    }
    scene.start().wait().expect_code(2).expect_stderr(&["symbolic link of user 4001"]);
    assert_eq!(fs::read_dir(scene.path("private")).unwrap().count(), 0);
}

#[test]
fn a_link_in_the_state_folder_is_not_followed() {
    for name in WRITTEN {
        let scene = Scene::new("off", "state");
        fs::create_dir(scene.path("state")).unwrap();
        let victim = scene.precious_behind(&format!("state/{name}"));
        let running = scene.start();
        let said = format!("state/{name} is a symbolic link; see who put it there, and remove it");
        if name == "lock" {
            running.wait().expect_code(1).expect_stderr(&[&said]);
        } else {
            running.wait_for_log("primes below");
            // Another build, so that there is a replacement to be put on record.
            put(
                &scene.path("plugins/libhello.so"),
                &hotbay_tests::another_build(library("hello"), 1),
            );
            running.wait_for_log("replaced plugin=");
            running.signal(Signal::Terminate);
            let ended = running.wait();
            assert!(name != "crash-note" || ended.stderr.contains(&said), "{}", ended.stderr);
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n", "{name}");
    }
}

#[test]
fn a_forged_history_or_quarantine_keeps_no_good_build_out() {
    let scene = Scene::new("off", "state");
    let crash = json!({
        "plugin": "hello", "hash": scene.hash(), "file": scene.path("plugins/libhello.so"),
        "how": { "signal": 11 }, "doing": "running", "when": "2100-01-01T00:00:00Z",
    });
    let held = json!({
        "plugin": "hello", "hash": scene.hash(), "file": scene.path("plugins/libhello.so"),
        "reason": "crashed the host", "since": "2026-01-01T00:00:00Z",
    });
    for (name, content) in [
        ("crashes.json", json!({ "crashes": [crash, crash, crash] })),
        ("quarantine.json", json!({ "held": [held] })),
    ] {
        drop(fs::remove_dir_all(scene.path("state")));
        fs::create_dir(scene.path("state")).unwrap();
        let file = scene.path("state").join(name);
        fs::write(&file, content.to_string()).unwrap();
        // The same file, written by the host itself, does keep it out.
        let running = scene.start();
        running.wait_for_log("is in quarantine");
        running.signal(Signal::Terminate);
        drop(running.wait());
        fs::remove_dir_all(scene.path("state")).unwrap();
        fs::create_dir(scene.path("state")).unwrap();
        fs::write(&file, content.to_string()).unwrap();
        set_mode(&file, 0o666);
        scene.run().expect_stderr(&["can be written by others", "was set aside"]);
    }
}

#[test]
fn nobody_else_can_read_what_is_in_the_state_folder() {
    let scene = Scene::new("off", "state");
    fs::create_dir(scene.path("state")).unwrap();
    fs::copy(library("crashes-on-load"), scene.path("plugins/libcrashes.so")).unwrap();
    // With no umask, each file has the mode that the host asked for.
    let script = "umask 0; exec \"$0\" run \"$1\" --output json --log info";
    let arguments =
        ["-c".as_ref(), script.as_ref(), hotbay().as_os_str(), scene.config().as_os_str()]
            .map(ToOwned::to_owned);
    let running = Run::of(Path::new("/bin/sh"), arguments).start();
    running.wait_for_log("primes below");
    running.wait_for_log("crashed the probe");
    put(&scene.path("plugins/libhello.so"), &hotbay_tests::another_build(library("hello"), 1));
    running.wait_for_log("replaced plugin=");
    let files = || fs::read_dir(scene.path("state")).unwrap().map(Result::unwrap);
    hotbay_tests::until("all files", || {
        let names: Vec<_> = files().map(|it| it.file_name().into_string().unwrap()).collect();
        let wanted = ["crash-note", "hotbay.sock", "lock", "quarantine.json", "replacements.jsonl"];
        wanted.iter().all(|name| names.iter().any(|it| it == name)).then_some(())
    });
    for file in files() {
        let mode = file.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", file.file_name());
    }
    running.signal(Signal::Terminate);
    drop(running.wait());
}

const SETTINGS: &str = "tasks: { greet: { config: { name: \"${TOP_SECRET}\" } } }\n";

#[test]
fn settings_of_a_stranger_do_not_count_and_learn_nothing_of_the_environment() {
    for trust in ["off", "enforce"] {
        let scene = Scene::new(trust, "state");
        let running = scene.start();
        running.wait_for_log("primes below");
        let settings = scene.path("plugins/libhello.yaml");
        let new = scene.path("public/new");
        fs::write(&new, SETTINGS).unwrap();
        set_mode(&new, 0o666);
        fs::rename(&new, &settings).unwrap();
        running.wait_for_log("libhello.yaml: can be written by others");
        set_mode(&settings, 0o644);
        if give_away(&settings) {
            running.signal(Signal::Hangup);
            fs::write(&settings, format!("{SETTINGS}# again\n")).unwrap();
            running.wait_for_log("libhello.yaml: belongs to user 4001");
        }
        running.signal(Signal::Terminate);
        let ended = running.wait().expect_code(0);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
        // Nor do they count for a host that starts.
        let ended = Run::new(["validate".as_ref(), scene.config().as_os_str()])
            .env("TOP_SECRET", "hunter2")
            .finish();
        assert!(ended.stderr.contains("libhello.yaml: "), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[test]
fn settings_may_be_a_link_of_the_host_but_not_of_a_stranger() {
    let scene = Scene::new("enforce", "state");
    let settings = scene.path("plugins/libhello.yaml");
    fs::write(scene.path("settings.yaml"), "tasks: { heartbeat: { enabled: false } }\n").unwrap();
    symlink("../settings.yaml", &settings).unwrap();
    let ended = scene.run();
    assert!(!ended.stdout.contains("heartbeat"), "{}", ended.stdout);
    if give_away(&settings) {
        let ended = Run::new(["validate".as_ref(), scene.config().as_os_str()]).finish();
        ended.expect_stderr(&["symbolic link of user 4001"]);
    }
}

#[test]
fn settings_of_more_than_a_megabyte_are_refused_unread() {
    let scene = Scene::new("off", "state");
    let running = scene.start();
    running.wait_for_log("primes below");
    let lines: String = (0..120_000).map(|number| format!("      k{number}: 1\n")).collect();
    let text = format!("tasks:\n  greet:\n    config:\n{lines}");
    assert!(text.len() > 1 << 20);
    put(&scene.path("plugins/libhello.yaml"), text.as_bytes());
    running.wait_for_log("the file is larger than 1 MiB");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_configuration_that_others_can_change_is_refused_in_every_trust_mode() {
    for trust in ["off", "warn", "enforce"] {
        let scene = Scene::new(trust, "state");
        set_mode(&scene.config(), 0o666);
        scene.start().wait().expect_code(2).expect_stderr(&[
            "hotbay.yaml: can be written by others",
            "can't say whom to trust",
            "chmod go-w",
        ]);
        set_mode(&scene.config(), 0o644);
        if give_away(&scene.config()) {
            let refused = scene.start().wait().expect_code(2);
            refused.expect_stderr(&["hotbay.yaml: belongs to user 4001"]);
        }
    }
}

#[test]
fn a_running_host_takes_no_weaker_trust_from_a_file_that_it_would_not_trust() {
    let scene = Scene::new("enforce", "state");
    let running = scene.start();
    running.wait_for_log("primes below");
    let new = scene.path("new.yaml");
    fs::write(&new, config("off", "state")).unwrap();
    set_mode(&new, 0o666);
    fs::rename(&new, scene.config()).unwrap();
    running.wait_for_log("the configuration: refused, the previous one stays in force");
    // Nobody vouches for this one.
    put(&scene.path("plugins/liblogs.so"), &fs::read(library("logs")).unwrap());
    running.wait_for_log("[untrusted]");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn private_copies_are_not_made_where_a_stranger_could_exchange_them() {
    let scene = Scene::new("off", "state");
    let temporary = scene.path("public/tmp");
    fs::create_dir(&temporary).unwrap();
    set_mode(&temporary, 0o777);
    let inspect = |folder: &Path| {
        let file = scene.path("plugins/libhello.so");
        let arguments = ["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()];
        Run::new(arguments).env("TMPDIR", folder).finish()
    };
    inspect(&temporary).expect_code(2).expect_stderr(&["can be written by others", "TMPDIR"]);
    set_mode(&temporary, 0o700);
    drop(inspect(&temporary).expect_code(0));
    symlink(&temporary, scene.path("public/link")).unwrap();
    drop(inspect(&scene.path("public/link")).expect_code(0));
    if give_away(&scene.path("public/link")) {
        inspect(&scene.path("public/link")).expect_code(2).expect_stderr(&["of user 4001"]);
    }
    if give_away(&temporary) {
        inspect(&temporary).expect_code(2).expect_stderr(&["belongs to user 4001", "TMPDIR"]);
    }
}

#[test]
fn where_trust_is_enforced_the_libraries_of_a_plugin_have_to_be_safe_as_well() {
    for (trust, is_loaded) in [("enforce", false), ("off", true)] {
        let scene = Scene::new(trust, "state");
        let public = scene.path("public");
        let ended = Run::new(["validate".as_ref(), scene.config().as_os_str()])
            .env("LD_LIBRARY_PATH", public.as_os_str())
            .finish();
        let tasks = if is_loaded { "3 tasks" } else { "0 tasks" };
        assert!(ended.stdout.contains(tasks), "{trust}: {}{}", ended.stdout, ended.stderr);
        if !is_loaded {
            ended.expect_stderr(&["libhello.so", "can be written by others", "[companion]"]);
        }
    }
}
