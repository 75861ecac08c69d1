//! The watch on a real file system.

mod beginnings;
mod folders;
mod odd_files;
mod scene;
mod ways;

pub(in crate::watch) use scene::elf;
