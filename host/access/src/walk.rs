//! The way to a file or folder, one name at a time, on which no link of a stranger is followed.

use std::{
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, openat, openat2,
        readlinkat,
    },
    io::Errno,
};

use crate::{AccessError, Missing, owner};

/// The largest number of links that are followed, as in the kernel.
const MAX_LINKS: usize = 40;

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The flags with which a name is looked at without an effect on what it stands for: opening a
/// device or a pipe for reading can have one.
pub(crate) const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A place on the way.
pub(crate) struct Walk {
    /// The folder that was reached.
    pub(crate) at: OwnedFd,
    /// The steps that are left, the next one last.
    left: Vec<Step>,
    links: usize,
}

enum Step {
    Root,
    Up,
    Down(OsString),
}

impl Walk {
    /// Begins at the current folder.
    pub(crate) fn begin(path: &Path) -> Result<Self, AccessError> {
        let at = openat(CWD, ".", FOLDER, Mode::empty())?;
        let mut walk = Self { at, left: Vec::new(), links: 0 };
        walk.add(path);
        Ok(walk)
    }

    fn add(&mut self, path: &Path) {
        let step = |component| match component {
            Component::RootDir => Some(Step::Root),
            Component::ParentDir => Some(Step::Up),
            Component::Normal(name) => Some(Step::Down(name.to_owned())),
            Component::CurDir | Component::Prefix(_) => None,
        };
        self.left.extend(path.components().rev().filter_map(step));
    }

    /// Goes to the folder that contains the last name, and returns the name. Returns `None` if the
    /// path ends in a folder that it does not name, as `..` does.
    pub(crate) fn reach_last(&mut self) -> Result<Option<OsString>, AccessError> {
        while let Some(step) = self.left.pop() {
            match step {
                Step::Root => self.at = openat(CWD, "/", FOLDER, Mode::empty())?,
                Step::Up => self.at = openat(&self.at, "..", FOLDER, Mode::empty())?,
                Step::Down(name) if self.left.is_empty() => return Ok(Some(name)),
                Step::Down(name) => self.down(&name, Missing::IsAnError)?,
            }
        }
        Ok(None)
    }

    /// Goes to the folder at the end of the path.
    pub(crate) fn reach_end(mut self, missing: Missing) -> Result<OwnedFd, AccessError> {
        while self.step(missing)? {}
        Ok(self.at)
    }

    /// Makes one step. Returns `false` at the end of the path.
    pub(crate) fn step(&mut self, missing: Missing) -> Result<bool, AccessError> {
        match self.left.pop() {
            None => return Ok(false),
            Some(Step::Root) => self.at = openat(CWD, "/", FOLDER, Mode::empty())?,
            Some(Step::Up) => self.at = openat(&self.at, "..", FOLDER, Mode::empty())?,
            Some(Step::Down(name)) => self.down(&name, missing)?,
        }
        Ok(true)
    }

    fn down(&mut self, name: &OsStr, missing: Missing) -> Result<(), AccessError> {
        let found = match openat(&self.at, name, LOOK, Mode::empty()) {
            Err(Errno::NOENT) if missing == Missing::IsMade => {
                match mkdirat(&self.at, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                openat(&self.at, name, LOOK, Mode::empty())?
            }
            found => found?,
        };
        let stat = fstat(&found)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Symlink {
            return self.follow(&found, &stat);
        }
        if kind != FileType::Directory {
            return Err(AccessError::Missing);
        }
        // Only a lookup that passes through the folder mounts what is mounted on demand.
        let through = Path::new(name).join(".");
        let mounted = openat2(&self.at, through, FOLDER, Mode::empty(), ResolveFlags::NO_SYMLINKS);
        self.at = mounted.unwrap_or(found);
        Ok(())
    }

    /// Goes on where a link leads.
    pub(crate) fn follow(&mut self, link: &OwnedFd, stat: &Stat) -> Result<(), AccessError> {
        owner::check_link(stat)?;
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(AccessError::Unreadable(Errno::LOOP.into()));
        }
        let target = readlinkat(link, "", Vec::new())?;
        self.add(&PathBuf::from(OsString::from_vec(target.into_bytes())));
        Ok(())
    }
}
