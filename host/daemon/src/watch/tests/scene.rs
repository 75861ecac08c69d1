//! What the tests have in common.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::watch::{Snapshot, Watch, WatchConfig};

/// Long enough for a busy machine. Shorter than what is looked at without any event, so that
/// what comes within it was noticed by an event.
const LIMIT: Duration = Duration::from_secs(9);

pub(super) const SETTLE: Duration = Duration::from_millis(60);

/// A plugins folder under watch.
pub(super) struct Scene {
    pub(super) watch: Watch,
    root: TempDir,
}

impl Scene {
    /// With an empty folder.
    pub(super) fn new() -> Self {
        Self::prepared(|root| fs::create_dir(root.join("plugins")).unwrap())
    }

    /// With an empty folder, and so much time to settle that no pause of a busy machine is
    /// taken for an end.
    pub(super) fn patient() -> Self {
        let make = |root: &Path| fs::create_dir(root.join("plugins")).unwrap();
        Self::with(make, |config| config.settle = Duration::from_millis(250))
    }

    /// With what `prepare` makes in the folder that `plugins` is to lie in.
    pub(super) fn prepared(prepare: impl FnOnce(&Path)) -> Self {
        Self::with(prepare, |_| {})
    }

    pub(super) fn with(
        prepare: impl FnOnce(&Path),
        configure: impl FnOnce(&mut WatchConfig),
    ) -> Self {
        let root = tempfile::tempdir().unwrap();
        prepare(root.path());
        let mut config = WatchConfig::new(root.path().join("plugins"));
        config.settle = SETTLE;
        configure(&mut config);
        let watch = Watch::start(config).unwrap();
        Self { watch, root }
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn plugin(&self, name: &str) -> PathBuf {
        self.root.path().join("plugins").join(name)
    }

    pub(super) async fn changed(&mut self) -> Snapshot {
        timeout(LIMIT, self.watch.changed()).await.expect("nothing changed")
    }

    /// Waits for a snapshot like this, and gives all up to it.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Snapshot) -> bool) -> Vec<Snapshot> {
        let mut seen = Vec::new();
        let wait = async {
            while seen.last().is_none_or(|last| !wanted(last)) {
                seen.push(self.watch.changed().await);
            }
        };
        let outcome = timeout(LIMIT, wait).await;
        assert!(outcome.is_ok(), "not what was waited for: {seen:#?}");
        seen
    }

    /// Waits until a library of these bytes is shown.
    pub(super) async fn until_library(&mut self, name: &str, bytes: &[u8]) -> Vec<Snapshot> {
        let path = self.plugin(name);
        let hash = sha256(bytes);
        self.until(|it| shown(it, &path) == Some(&hash)).await
    }
}

/// The hash of a library in a snapshot.
pub(super) fn shown<'s>(snapshot: &'s Snapshot, path: &Path) -> Option<&'s str> {
    snapshot.libraries.get(path)?.sha256()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Runs a command. Gives whether it is installed.
pub(super) fn run<I: AsRef<std::ffi::OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = I>,
) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    match command.status() {
        Ok(status) => {
            assert!(status.success(), "{command:?}: {status}");
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// A library with one segment and one section of these bytes, and nothing that runs.
pub(in crate::watch) fn elf(payload: &[u8]) -> Vec<u8> {
    const HEADER: u64 = 64;
    const SEGMENT: u64 = 56;
    const SECTION: usize = 64;
    let (at, size) = (HEADER + SEGMENT, payload.len() as u64);
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    put(&mut bytes, [3u16, machine].map(u16::to_le_bytes)); // a shared object
    put(&mut bytes, [1u32].map(u32::to_le_bytes));
    put(&mut bytes, [0, HEADER, at + size].map(u64::to_le_bytes));
    put(&mut bytes, [0u32].map(u32::to_le_bytes));
    put(&mut bytes, [64u16, 56, 1, 64, 2, 0].map(u16::to_le_bytes));
    // One loaded segment.
    put(&mut bytes, [1u32, 4].map(u32::to_le_bytes));
    put(&mut bytes, [at, 0, 0, size, size, 1].map(u64::to_le_bytes));
    bytes.extend(payload);
    // No section, as the first one always is, and one with data.
    bytes.resize(bytes.len() + SECTION, 0);
    put(&mut bytes, [0u32, 1].map(u32::to_le_bytes));
    put(&mut bytes, [0, 0, at, size].map(u64::to_le_bytes));
    put(&mut bytes, [0u32, 0].map(u32::to_le_bytes));
    put(&mut bytes, [1u64, 0].map(u64::to_le_bytes));
    bytes
}

fn put<const N: usize, const M: usize>(bytes: &mut Vec<u8>, values: [[u8; N]; M]) {
    bytes.extend(values.as_flattened());
}
