//! What this process has mapped, as the system tells it: see proc_pid_maps(5).

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

/// The mappings at one moment; empty if they can't be read.
#[derive(Debug)]
pub(crate) struct Maps(String);

impl Maps {
    pub(crate) fn of_now() -> Self {
        Self(std::fs::read_to_string("/proc/self/maps").unwrap_or_default())
    }

    /// Whether code of this file is mapped; what can't be known is taken for mapped.
    ///
    /// Not just any part of it: with `RUST_BACKTRACE` set, a plugin that panics maps its own
    /// file to name its functions, and never lets go of that. It is a file that is read then,
    /// no library.
    pub(crate) fn hold(&self, path: &Path) -> bool {
        self.0.is_empty() || path.to_str().is_none() || !self.code(path).is_empty()
    }

    /// Where the code of this file lies.
    pub(crate) fn code(&self, path: &Path) -> Vec<Range<usize>> {
        self.of(path).filter(|line| is_code(line)).filter_map(addresses).collect()
    }

    /// How much address space this file takes.
    pub(crate) fn bytes(&self, path: &Path) -> u64 {
        self.of(path).filter_map(addresses).map(|range| range.len() as u64).sum()
    }

    /// Where any code lies.
    pub(crate) fn executable(&self) -> Vec<Range<usize>> {
        self.0.lines().filter(|line| is_code(line)).filter_map(addresses).collect()
    }

    /// The files with code.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = PathBuf> {
        let code = self.0.lines().filter(|line| is_code(line));
        code.filter_map(|line| line.get(line.find('/')?..).map(PathBuf::from))
    }

    /// Where the mapping with this address ends.
    pub(crate) fn end_of(&self, address: usize) -> Option<usize> {
        let mut ranges = self.0.lines().filter_map(addresses);
        ranges.find(|range| range.contains(&address)).map(|range| range.end)
    }

    /// The lines of a file. A copy that was removed has `(deleted)` behind its path.
    fn of(&self, path: &Path) -> impl Iterator<Item = &str> {
        let path = path.to_str();
        self.0.lines().filter(move |line| path.is_some_and(|path| line.contains(path)))
    }
}

fn is_code(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|rights| rights.contains('x'))
}

/// The addresses of one line's mapping, `START-END …` in hexadecimal.
fn addresses(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}
