//! Small files that are there as a whole or not at all, also after a power cut.

use std::{
    fs::{DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use serde::Serialize;

/// Makes a folder that only this user can look into; does nothing if there is one.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Replaces a file of a folder by this value as JSON. Who reads it meanwhile sees the old one.
pub(super) fn replace(folder: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let mut new = tempfile::Builder::new().prefix(&format!(".{name}.")).tempfile_in(folder)?;
    serde_json::to_writer_pretty(&mut new, value)?;
    new.write_all(b"\n")?;
    new.as_file().sync_all()?;
    new.persist(folder.join(name))?;
    // The name is as durable as the content only then.
    File::open(folder)?.sync_all()
}
