//! What a library in the probe reaches outside of it: nothing that it could change, and nothing of
//! its host.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    ffi::OsString,
    fs,
    os::unix::{fs::chown, net::UnixListener},
    path::{Path, PathBuf},
};

use hotbay_tests::{Ended, Run, hotbay, library};
use rustix::process::geteuid;
use tempfile::TempDir;

const MARKER: &[u8] = b"HOTBAY-MISDEED:";

/// A user without rights, as which root runs the host as well.
const USER: u32 = 4001;

/// The ways to run the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Oneself,
    User,
}

impl As {
    fn all() -> impl Iterator<Item = Self> {
        // Only root can become somebody else, and is somebody with more rights.
        [Self::Oneself, Self::User].into_iter().filter(|it| {
            *it == Self::Oneself || (geteuid().is_root() && Path::new("/usr/bin/setpriv").exists())
        })
    }
}

/// A folder that belongs to the user of the host.
struct Scene {
    home: TempDir,
    user: As,
}

impl Scene {
    fn new(user: As) -> Self {
        let scene = Self { home: tempfile::tempdir().unwrap(), user };
        scene.own(scene.home.path());
        scene
    }

    fn own(&self, path: &Path) {
        if self.user == As::User {
            chown(path, Some(USER), Some(USER)).unwrap();
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, "precious\n").unwrap();
        self.own(&path);
        path
    }

    /// Lets a host inspect a library that does this while it is loaded.
    fn inspect(&self, misdeed: &str) -> Ended {
        let mut bytes = fs::read(library("misdeeds")).unwrap();
        let at = bytes.windows(MARKER.len()).position(|it| it == MARKER).unwrap() + MARKER.len();
        bytes[at..][..4].fill(b'.');
        bytes[at..][..misdeed.len()].copy_from_slice(misdeed.as_bytes());
        let file = self.home.path().join("libmisdeeds.so");
        fs::write(&file, bytes).unwrap();
        self.own(&file);
        let mut arguments: Vec<OsString> = Vec::new();
        let program = match self.user {
            As::Oneself => hotbay(),
            As::User => {
                arguments
                    .extend(["--reuid=4001", "--regid=4001", "--clear-groups"].map(Into::into));
                arguments.push(hotbay().into());
                Path::new("/usr/bin/setpriv")
            }
        };
        arguments.extend(["plugin", "inspect"].map(Into::into));
        arguments.push(file.into());
        Run::of(program, arguments).env("TMPDIR", self.home.path()).finish()
    }

    /// The misdeed fails, and the library loads.
    fn expect_in_vain(&self, misdeed: &str) {
        let ended = self.inspect(misdeed);
        let user = self.user;
        assert_eq!(ended.status.code(), Some(0), "{misdeed} as {user:?}: {}", ended.stderr);
    }
}

#[test]
fn a_library_that_reaches_for_the_host_by_its_number_is_killed() {
    for scene in As::all().map(Scene::new) {
        for misdeed in [
            "signals-by-input",
            "signals-by-ioctl",
            "takes-descriptors",
            "limits-the-host",
            "calls-by-another-number",
        ] {
            let ended = scene.inspect(misdeed).expect_code(2);
            ended.expect_stderr(&["crashed the probe", "SIGSYS"]);
        }
    }
}

#[test]
fn a_library_can_neither_read_nor_change_the_host_or_the_system() {
    for scene in As::all().map(Scene::new) {
        for misdeed in [
            "reads-memory",
            "writes-memory",
            "reads-environment",
            "reads-command-line",
            "slows-the-host",
            "pins-the-host",
            "listens",
            "sends",
            "has-a-ring",
            "shares-memory",
            "mounts",
            "unshares",
        ] {
            scene.expect_in_vain(misdeed);
        }
        let socket = scene.home.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        scene.own(&socket);
        scene.expect_in_vain(&format!("connects@{}", socket.display()));
    }
}

#[test]
fn a_library_changes_no_file_of_its_own_user() {
    for scene in As::all().map(Scene::new) {
        let file = scene.file("file");
        let before = fs::metadata(&file).unwrap().permissions();
        for misdeed in ["writes", "deletes", "renames", "opens-to-all", "truncates"] {
            scene.expect_in_vain(&format!("{misdeed}@{}", file.display()));
            assert_eq!(fs::read_to_string(&file).unwrap(), "precious\n", "{misdeed}");
            assert_eq!(fs::metadata(&file).unwrap().permissions(), before, "{misdeed}");
        }
        scene.expect_in_vain(&format!("creates@{}", scene.home.path().display()));
        // Nor its own private copy, from which it would be loaded.
        for misdeed in ["deletes-itself", "empties-itself", "fills-the-disk"] {
            scene.expect_in_vain(misdeed);
        }
    }
}

#[test]
fn a_library_that_does_much_that_is_good_is_not_hindered() {
    for scene in As::all().map(Scene::new) {
        let ended = scene.inspect("does-much-that-is-good").expect_code(0);
        assert!(ended.stdout.contains("misdeeds 0.1.0"), "{}", ended.stdout);
        // This machine has what confines a probe.
        assert!(!ended.stderr.contains("less confined"), "{}", ended.stderr);
    }
}
