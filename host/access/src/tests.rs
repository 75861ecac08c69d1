use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, XattrFlags, fstat, mkfifoat, setxattr},
    io::Errno,
    process::geteuid,
};

use super::{owner::decide, *};

/// A word for each refusal.
fn code(refusal: &AccessError) -> &'static str {
    match refusal {
        AccessError::Missing => "missing",
        AccessError::Unreadable(_) => "unreadable",
        AccessError::Link => "link",
        AccessError::ForeignLink { .. } => "foreign-link",
        AccessError::NotAFile(_) => "not-a-file",
        AccessError::WritableByOthers { .. } => "writable-by-others",
        AccessError::ForeignOwner { .. } => "foreign-owner",
        AccessError::TooLarge { .. } => "too-large",
    }
}

/// What is said to user 1000, whose private group is 1000 as well, about something with
/// this mode, owner and group.
fn said(place: Place, mode: u32, owner: u32, group: u32) -> &'static str {
    let mut stat = fstat(File::open("/dev/null").unwrap()).unwrap();
    (stat.st_mode, stat.st_uid, stat.st_gid) = (mode, owner, group);
    let decided = decide(&stat, place, 1000, |group| group == 1000);
    decided.map_or_else(|refusal| code(&refusal), |()| "fine")
}

#[test]
fn files_of_root_and_of_the_host_are_fine_and_those_of_strangers_are_not() {
    assert_eq!(said(Place::File, 0o644, 0, 0), "fine");
    assert_eq!(said(Place::File, 0o600, 1000, 1000), "fine");
    assert_eq!(said(Place::File, 0o400, 1001, 1000), "foreign-owner");
    assert_eq!(said(Place::Folder, 0o755, 1001, 1001), "foreign-owner");
    assert_eq!(said(Place::Folder, 0o1777, 1001, 1001), "foreign-owner");
}

#[test]
fn what_everybody_can_write_is_refused_but_for_sticky_folders() {
    assert_eq!(said(Place::File, 0o666, 1000, 1000), "writable-by-others");
    assert_eq!(said(Place::File, 0o1666, 1000, 1000), "writable-by-others");
    assert_eq!(said(Place::Folder, 0o777, 0, 0), "writable-by-others");
    assert_eq!(said(Place::Folder, 0o1777, 0, 0), "fine");
}

#[test]
fn a_group_may_write_only_if_no_stranger_is_in_it() {
    for place in [Place::File, Place::Folder] {
        assert_eq!(said(place, 0o664, 1000, 1000), "fine");
        assert_eq!(said(place, 0o664, 1000, 50), "writable-by-others");
        assert_eq!(said(place, 0o644, 1000, 50), "fine");
    }
}

#[test]
fn a_user_who_may_write_by_an_access_control_list_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, b"content").unwrap();
    // Version 2, then tag, rights and number: the owner rw, user 4711 rw, the group r,
    // at most rw for these two, all others r.
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, number) in
        [(1, 6, u32::MAX), (2, 6, 4711), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 4, u32::MAX)]
    {
        list.extend([u16::to_le_bytes(tag), u16::to_le_bytes(rights)].concat());
        list.extend(number.to_le_bytes());
    }
    match setxattr(&path, "system.posix_acl_access", &list, XattrFlags::empty()) {
        Ok(()) => assert_eq!(code(&refused(&path)), "writable-by-others"),
        Err(error) => assert_eq!(error, Errno::NOTSUP, "this file system knows no lists"),
    }
}

fn read(path: &Path, cap: u64) -> Result<Vec<u8>, AccessError> {
    open(path, cap).and_then(CheckedFile::read_to_end)
}

fn refused(path: &Path) -> AccessError {
    read(path, 10).unwrap_err()
}

#[test]
fn only_a_plain_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), b"content").unwrap();
    fs::create_dir(at("folder")).unwrap();
    mkfifoat(CWD, at("pipe"), Mode::RUSR).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    symlink(at("file"), at("link")).unwrap();
    symlink("/dev/zero", at("link-to-device")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    assert_eq!(read(&at("file"), 10).unwrap(), b"content");
    for (path, code, text) in [
        (at("folder"), "not-a-file", "is not a regular file but a folder"),
        (at("pipe"), "not-a-file", "is not a regular file but a named pipe"),
        (at("socket"), "not-a-file", "is not a regular file but a socket"),
        (PathBuf::from("/dev/zero"), "not-a-file", "is not a regular file but a device"),
        (at("link"), "link", "is a symbolic link"),
        (at("link-to-device"), "link", "is a symbolic link"),
        (at("dangling"), "link", "is a symbolic link"),
        (at("loop"), "link", "is a symbolic link"),
        (at("nothing"), "missing", "there is no such file"),
        (at("none/file"), "missing", "there is no such file"),
        (at("file/file"), "missing", "there is no such file"),
        (PathBuf::from("/"), "not-a-file", "is not a regular file but a folder"),
    ] {
        let refusal = refused(&path);
        let said = (self::code(&refusal), refusal.to_string());
        assert_eq!((said.0, said.1.as_str()), (code, text), "{path:?}");
    }
}

#[test]
fn a_file_of_eight_gigabytes_is_refused_by_its_size_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    File::create(&path).unwrap().set_len(8 << 30).unwrap();
    let AccessError::TooLarge { size, cap } = refused(&path) else { panic!("it is too large") };
    assert_eq!((size, cap), (8 << 30, 10));
    // No block of it was ever made, so nothing was there to read.
    assert_eq!(fs::metadata(&path).unwrap().blocks(), 0);
}

#[test]
fn a_file_that_grows_while_it_is_read_is_refused_at_the_cap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, b"0123456789").unwrap();
    let source = open(&path, 10).unwrap();
    fs::write(&path, b"0123456789a").unwrap();
    assert_eq!(code(&source.read_to_end().unwrap_err()), "too-large");
}

#[test]
fn the_folder_counts_as_much_as_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let file = inner.join("file");
    fs::write(&file, b"content").unwrap();
    let mode = |mode| fs::set_permissions(&inner, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    let refusal = refused(&file);
    assert_eq!(code(&refusal), "writable-by-others");
    assert!(refusal.to_string().starts_with("lies in a folder that can be written"), "{refusal}");
    mode(0o1777);
    assert!(read(&file, 10).is_ok());
}

#[test]
fn exchanging_the_folder_after_it_was_opened_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    for (path, content) in [(&first, "the first"), (&second, "the second")] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), content).unwrap();
    }
    let folder_of_first = CheckedFolder::of(&first.join("file")).unwrap();
    fs::rename(&first, folder.path().join("gone")).unwrap();
    fs::rename(&second, &first).unwrap();
    let found = folder_of_first.open(OsStr::new("file"), 10).unwrap();
    assert_eq!(found.read_to_end().unwrap(), b"the first");
}

/// Gives a link to a user who is neither root nor the one that runs the test. Only root can.
fn give_away(link: &Path) -> bool {
    geteuid().is_root() && lchown(link, Some(4711), Some(4711)).is_ok()
}

#[test]
fn a_text_may_be_a_link_but_not_one_of_a_stranger_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("real/file"), "content").unwrap();
    symlink("real", at("folder-link")).unwrap();
    symlink("folder-link/file", at("link")).unwrap();
    symlink(at("link"), at("link-to-link")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    for way in ["real/file", "folder-link/file", "link", "link-to-link", "real/../real/./file"] {
        assert_eq!(read_text(&at(way), 10).unwrap(), "content", "{way}");
    }
    assert_eq!(code(&read_text(&at("loop"), 10).unwrap_err()), "unreadable");
    assert_eq!(code(&read_text(&at("real"), 10).unwrap_err()), "not-a-file");
    assert_eq!(code(&read_text(&at("real/.."), 10).unwrap_err()), "not-a-file");
    if !give_away(&at("folder-link")) {
        return;
    }
    for way in ["folder-link/file", "link", "link-to-link"] {
        let refusal = read_text(&at(way), 10).unwrap_err();
        assert_eq!(code(&refusal), "foreign-link", "{way}");
        assert!(refusal.to_string().contains("user 4711"), "{refusal}");
    }
    assert_eq!(code(&open(&at("folder-link/file"), 10).unwrap_err()), "foreign-link");
    assert!(read_text(&at("real/file"), 10).is_ok());
}

#[test]
fn a_link_in_a_folder_that_others_can_write_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::write(folder.path().join("file"), "content").unwrap();
    symlink("../file", open.join("link")).unwrap();
    assert!(read_text(&open.join("link"), 10).is_ok());
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(code(&read_text(&open.join("link"), 10).unwrap_err()), "writable-by-others");
}

#[test]
fn a_private_folder_is_made_with_its_parents_and_can_be_written_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b/c");
    let refused = |path: &Path| code(&CheckedFolder::private(path, Missing::IsMade).unwrap_err());
    assert_eq!(code(&CheckedFolder::private(&inner, Missing::IsAnError).unwrap_err()), "missing");
    CheckedFolder::private(&inner, Missing::IsMade).unwrap();
    CheckedFolder::private(&inner, Missing::IsMade).unwrap();
    for made in ["a", "a/b", "a/b/c"] {
        let mode = fs::metadata(folder.path().join(made)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{made}");
    }
    // Others could create a file with the name of one that is to come.
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(refused(&inner), "writable-by-others");
    let link = folder.path().join("link");
    symlink("a", &link).unwrap();
    CheckedFolder::private(&link.join("d"), Missing::IsMade).unwrap();
    if give_away(&link) {
        assert_eq!(refused(&link.join("e")), "foreign-link");
        assert!(!folder.path().join("a/e").exists());
        lchown(folder.path().join("a/d"), Some(4711), None).unwrap();
        assert_eq!(refused(&folder.path().join("a/d")), "foreign-owner");
    }
}

#[test]
fn a_way_is_safe_if_nobody_else_can_change_a_folder_on_it_or_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode =
        |name, mode| fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir_all(at("open/inner")).unwrap();
    let way = |name: &str| CheckedFolder::check_way(&at(name)).map_err(|refusal| code(&refusal));
    assert_eq!((way("open/inner"), way("open/none/deep")), (Ok(()), Ok(())));
    mode("open", 0o1777);
    // Nobody can replace what is there, but everybody can make what is not.
    assert_eq!(way("open/inner"), Ok(()));
    assert_eq!(way("open/none/deep"), Err("writable-by-others"));
    assert_eq!(way("open"), Err("writable-by-others"));
    mode("open", 0o777);
    assert_eq!(way("open/inner"), Err("writable-by-others"));
}
