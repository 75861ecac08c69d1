//! What is no plain file, and files that others could change.

use std::{
    fs::{self, File, Permissions},
    os::unix::{
        ffi::OsStringExt,
        fs::{PermissionsExt, chown, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use hotbay_tests::{PluginsFolder, library};
use rustix::{
    fs::{CWD, FileType, Mode, makedev, mknodat},
    process::geteuid,
};

use crate::kind::{Kind, good, path};

/// A user and group that nobody is in.
const STRANGER: u32 = 54_321;

pub(crate) const KINDS: &[Kind] = &[
    path("nothing", &["missing"], |folder| Some(folder.path().join("nothing.so"))),
    path("a file as folder", &["missing"], |folder| {
        Some(folder.write("file", b"text").join("inner.so"))
    }),
    path("a name that is too long", &["unreadable"], |folder| {
        Some(folder.path().join("x".repeat(300)))
    }),
    path("a folder", &["not-a-file"], |folder| {
        let path = at(folder);
        fs::create_dir(&path).unwrap();
        Some(path)
    }),
    path("a named pipe", &["not-a-file"], |folder| node(folder, FileType::Fifo, 0)),
    path("a socket", &["not-a-file"], |folder| {
        UnixListener::bind(at(folder)).unwrap();
        Some(at(folder))
    }),
    path("a device", &["not-a-file"], |folder| {
        is_root().then(|| node(folder, FileType::CharacterDevice, makedev(1, 5))).flatten()
    }),
    path("the device of the system", &["not-a-file"], |_| Some(PathBuf::from("/dev/zero"))),
    path("a link to a good plugin", &["link"], |folder| link(folder, library("hello"))),
    path("a link to itself", &["link"], |folder| link(folder, &at(folder))),
    path("a link to nothing", &["link"], |folder| link(folder, Path::new("/nowhere"))),
    path("a link to a device", &["link"], |folder| link(folder, Path::new("/dev/zero"))),
    path("a file of the kernel", &["not-a-library"], |_| Some(PathBuf::from("/proc/self/maps"))),
    path("a sparse file of 8 GB", &["too-large"], |folder| {
        let path = folder.write("hostile.so", b"");
        File::options().write(true).open(&path).unwrap().set_len(8 << 30).unwrap();
        Some(path)
    }),
    path("a file that nobody may read", &["unreadable"], |folder| {
        (!is_root()).then(|| with_mode(folder, 0o000))
    }),
    path("a file that all can write", &["writable-by-others"], |folder| {
        Some(with_mode(folder, 0o666))
    }),
    path("a file that its group can write", &["writable-by-others"], |folder| {
        given(with_mode(folder, 0o664), None, Some(STRANGER))
    }),
    path("a stranger's file", &["foreign-owner"], |folder| {
        given(with_mode(folder, 0o644), Some(STRANGER), None)
    }),
    path("a folder that all can write", &["writable-by-others"], |folder| {
        let path = with_mode(folder, 0o644);
        set_mode(folder.path(), 0o777);
        Some(path)
    }),
    path("a folder that its group can write", &["writable-by-others"], |folder| {
        let path = with_mode(folder, 0o644);
        given(folder.path().to_owned(), None, Some(STRANGER))?;
        set_mode(folder.path(), 0o775);
        Some(path)
    }),
    path("a stranger's folder", &["foreign-owner"], |folder| {
        let path = with_mode(folder, 0o644);
        given(folder.path().to_owned(), Some(STRANGER), None).and(Some(path))
    }),
];

type Made = fn(&PluginsFolder) -> PathBuf;

/// Good plugins, however odd.
pub(crate) const GOOD: &[(&str, Made)] = &[
    ("a name with a space", |folder| folder.write("good plugin.so", &good())),
    ("a name with a line's end", |folder| folder.write("good\nplugin.so", &good())),
    ("a name that is no UTF-8", |folder| {
        let name = std::ffi::OsString::from_vec(b"good\xff.so".to_vec());
        let path = folder.path().join(name);
        fs::write(&path, good()).unwrap();
        path
    }),
    ("a name without an ending", |folder| folder.write("good", &good())),
    ("a file that only its owner can read", |folder| with_mode(folder, 0o400)),
    ("a hard link", |folder| {
        let (file, link) = (folder.write("file", &good()), at(folder));
        fs::hard_link(file, &link).unwrap();
        link
    }),
    ("a folder like /tmp", |folder| {
        set_mode(folder.path(), 0o1777);
        folder.write("good.so", &good())
    }),
    ("something behind the end", |folder| {
        folder.write("good.so", &[good(), b"something else".repeat(1_000)].concat())
    }),
];

fn at(folder: &PluginsFolder) -> PathBuf {
    folder.path().join("hostile.so")
}

fn is_root() -> bool {
    geteuid().is_root()
}

fn node(folder: &PluginsFolder, kind: FileType, device: u64) -> Option<PathBuf> {
    mknodat(CWD, at(folder), kind, Mode::RUSR | Mode::WUSR, device).ok().map(|()| at(folder))
}

fn link(folder: &PluginsFolder, to: &Path) -> Option<PathBuf> {
    symlink(to, at(folder)).unwrap();
    Some(at(folder))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A good plugin with these permissions.
fn with_mode(folder: &PluginsFolder, mode: u32) -> PathBuf {
    let path = folder.write("hostile.so", &good());
    set_mode(&path, mode);
    path
}

/// Only root can give things away.
fn given(path: PathBuf, user: Option<u32>, group: Option<u32>) -> Option<PathBuf> {
    chown(&path, user, group).ok().map(|()| path)
}
