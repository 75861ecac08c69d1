//! Whether a stranger owns something or could change it.

use std::os::fd::AsFd;

use rustix::{
    fs::{Mode, Stat, getxattr_query},
    io::Errno,
    process::geteuid,
};

use super::{Place, group::is_private, path_of};
use crate::Refusal;

const ROOT: u32 = 0;

/// Refuses what a stranger owns or could change. The descriptor is the one of `stat`.
pub(super) fn check(descriptor: &impl AsFd, stat: &Stat, place: Place) -> Result<(), Refusal> {
    let user = geteuid().as_raw();
    decide(stat, place, user, |group| !has_acl(descriptor) && is_private(group, user))
}

/// The decision alone: `is_private` says whether a group's members are no strangers.
pub(super) fn decide(
    stat: &Stat,
    place: Place,
    user: u32,
    is_private: impl FnOnce(u32) -> bool,
) -> Result<(), Refusal> {
    let (owner, group) = (stat.st_uid, stat.st_gid);
    if owner != ROOT && owner != user {
        return Err(Refusal::ForeignOwner { place, owner, host: user });
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    // In a sticky folder everybody can make files, but replace only their own.
    if place == Place::Folder && mode.contains(Mode::SVTX) {
        return Ok(());
    }
    if mode.contains(Mode::WOTH) || (mode.contains(Mode::WGRP) && !is_private(group)) {
        return Err(Refusal::WritableByOthers { place, mode: mode.as_raw_mode() & 0o7777, group });
    }
    Ok(())
}

/// Whether an access control list names further users. With one, the group's bits are
/// the most that anybody named in it may do.
fn has_acl(descriptor: &impl AsFd) -> bool {
    match getxattr_query(path_of(descriptor), "system.posix_acl_access") {
        Ok(size) => size > 0,
        // No list, or a file system that knows none.
        Err(Errno::NODATA | Errno::NOTSUP) => false,
        Err(_) => true,
    }
}
