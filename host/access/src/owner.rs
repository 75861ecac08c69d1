//! Whether another user owns a file or folder, or can change it.

use std::os::fd::AsFd;

use rustix::{
    fs::{Mode, Stat, getxattr_query},
    io::Errno,
    process::geteuid,
};

use crate::{AccessError, Place, folder::path_of, group::is_private};

const ROOT: u32 = 0;

/// Refuses a file or folder that another user owns or can change. `stat` must be that of the
/// descriptor.
pub(crate) fn check(descriptor: &impl AsFd, stat: &Stat, place: Place) -> Result<(), AccessError> {
    let user = geteuid().as_raw();
    decide(stat, place, user, |group| !has_acl(descriptor) && is_private(group, user))
}

/// Refuses a symbolic link that another user owns. A link has no permissions of its own.
pub(crate) fn check_link(stat: &Stat) -> Result<(), AccessError> {
    let (owner, host) = (stat.st_uid, geteuid().as_raw());
    if owner != ROOT && owner != host {
        return Err(AccessError::ForeignLink { owner, host });
    }
    Ok(())
}

/// Decides from the metadata alone. `is_private` tells whether root and the host's user are the
/// only members of a group.
pub(crate) fn decide(
    stat: &Stat,
    place: Place,
    user: u32,
    is_private: impl FnOnce(u32) -> bool,
) -> Result<(), AccessError> {
    let (owner, group) = (stat.st_uid, stat.st_gid);
    if owner != ROOT && owner != user {
        return Err(AccessError::ForeignOwner { place, owner, host: user });
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    // In a folder with the sticky bit, users can create files but replace only their own.
    if place == Place::Folder && mode.contains(Mode::SVTX) {
        return Ok(());
    }
    if mode.contains(Mode::WOTH) || (mode.contains(Mode::WGRP) && !is_private(group)) {
        return Err(AccessError::WritableByOthers {
            place,
            mode: mode.as_raw_mode() & 0o7777,
            group,
        });
    }
    Ok(())
}

/// Returns `true` if the file has an access control list. Such a list can give rights to further
/// users, and the group's permission bits are then the upper limit of these rights.
fn has_acl(descriptor: &impl AsFd) -> bool {
    match getxattr_query(path_of(descriptor), "system.posix_acl_access") {
        Ok(size) => size > 0,
        // The file has no list, or its file system does not support lists.
        Err(Errno::NODATA | Errno::NOTSUP) => false,
        Err(_) => true,
    }
}
