//! The memory mappings of this process, from `/proc/thread-self/maps`: see proc_pid_maps(5).

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

/// The mappings at one moment. Empty if they cannot be read.
#[derive(Debug)]
pub(crate) struct Maps(String);

impl Maps {
    /// Reads the current mappings.
    pub(crate) fn current() -> Self {
        Self(std::fs::read_to_string("/proc/thread-self/maps").unwrap_or_default())
    }

    /// Returns `true` if code of this file is mapped, and `None` if that cannot be told.
    ///
    /// Other mappings do not count: with `RUST_BACKTRACE` set, a plugin that panics maps its own
    /// file as data to find the names of its functions, and keeps that mapping for ever.
    pub(crate) fn has_code_of(&self, path: &Path) -> Option<bool> {
        let is_known = !self.0.is_empty() && path.to_str().is_some();
        is_known.then(|| !self.code(path).is_empty())
    }

    /// Returns the address ranges of this file's code.
    pub(crate) fn code(&self, path: &Path) -> Vec<Range<usize>> {
        self.of(path).filter(|line| is_code(line)).filter_map(addresses).collect()
    }

    /// Returns the number of bytes of address space that this file takes.
    pub(crate) fn bytes(&self, path: &Path) -> u64 {
        self.of(path).filter_map(addresses).map(|range| range.len() as u64).sum()
    }

    /// Returns the address ranges of all code.
    pub(crate) fn executable(&self) -> Vec<Range<usize>> {
        self.0.lines().filter(|line| is_code(line)).filter_map(addresses).collect()
    }

    /// Returns the files that code is mapped from.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = PathBuf> {
        let code = self.0.lines().filter(|line| is_code(line));
        code.filter_map(|line| line.get(line.find('/')?..).map(PathBuf::from))
    }

    /// Returns the end of the mapping that contains this address.
    pub(crate) fn end_of(&self, address: usize) -> Option<usize> {
        let mut ranges = self.0.lines().filter_map(addresses);
        ranges.find(|range| range.contains(&address)).map(|range| range.end)
    }

    /// Returns the lines of a file. The path of a removed file is followed by `(deleted)`.
    fn of(&self, path: &Path) -> impl Iterator<Item = &str> {
        let path = path.to_str();
        self.0.lines().filter(move |line| path.is_some_and(|path| line.contains(path)))
    }
}

fn is_code(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|rights| rights.contains('x'))
}

/// Parses the addresses of a line, `START-END …` in hexadecimal.
fn addresses(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}
