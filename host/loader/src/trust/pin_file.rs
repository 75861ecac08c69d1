//! The pin file, whose format is that of the output of `sha256sum`.
//!
//! So `sha256sum --check` can read the file, and `sha256sum plugins/*.so > hotbay.pins` creates
//! one. Adding a pin leaves the rest of the file unchanged.

use std::{fmt, io, path::Path};

use hotbay_access::{AccessError, CheckedFile, CheckedFolder, read_text};
use hotbay_store::durable;

use super::{
    Pin, Pins,
    pins::{is_skipped, line_of, parse_line},
};

/// The size of the largest pin file: the pins of a hundred thousand files.
const MAX_BYTES: u64 = 16 << 20;

/// Why the pins of a file cannot be read or written.
#[derive(Debug)]
pub struct PinsError {
    /// The number of the wrong line, from 1. `None` if the file as a whole is meant.
    pub line: Option<usize>,
    /// A description of the problem.
    pub problem: String,
    /// What an operator can do about the problem.
    pub remedy: &'static str,
    /// The cause, if the operating system or a check of the file refused an operation.
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PinsError {
    pub(super) fn not_a_pin(line: usize) -> Self {
        Self {
            line: Some(line),
            problem: "this is no pin".to_owned(),
            remedy: "write `SHA256  FILE`, as `sha256sum FILE` prints it, or `#` before a note",
            source: None,
        }
    }

    fn cannot_write(error: io::Error) -> Self {
        Self {
            line: None,
            problem: format!("can't be written ({error})"),
            remedy: "check that its folder is there and may be written",
            source: Some(error.into()),
        }
    }
}

impl fmt::Display for PinsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for PinsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl From<AccessError> for PinsError {
    fn from(refusal: AccessError) -> Self {
        let (problem, remedy) = (refusal.to_string(), refusal.remedy());
        Self { line: None, problem, remedy, source: Some(refusal.into()) }
    }
}

/// How [`Pins::add`] changed a pin file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinChange {
    /// The pin was in the file already.
    Unchanged,
    /// The pin was added to the file.
    Added,
    /// The pin replaced another pin of the same file name.
    Replaced {
        /// The hash of the replaced pin.
        previous: String,
    },
}

impl Pins {
    /// Reads a pin file. Returns `None` if the file does not exist.
    ///
    /// The file must pass the same checks of owner and permissions as a plugin. The path may be a
    /// symbolic link.
    ///
    /// # Errors
    /// If the file cannot be read, fails a check, or has a line that is not a pin.
    pub fn load(path: &Path) -> Result<Option<Self>, PinsError> {
        match read_text(path, MAX_BYTES) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(AccessError::Missing) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Adds a pin to a pin file, which is created if it does not exist.
    ///
    /// A concurrent reader sees the old content or the new content, and concurrent writers wait for
    /// each other.
    ///
    /// # Errors
    /// If the file cannot be read or written, fails a check, or has a line that is not a pin.
    pub fn add(path: &Path, pin: &Pin) -> Result<PinChange, PinsError> {
        // A symbolic link stays a link: the file that it leads to is written.
        let (folder, name) = CheckedFolder::behind_links(path)?;
        // The file cannot be the lock, because every change replaces it with another file.
        let lock = folder.file().and_then(|folder| folder.lock().map(|()| folder));
        let _lock = lock.map_err(PinsError::cannot_write)?;
        let text = match folder.open(&name, MAX_BYTES).and_then(CheckedFile::read_to_text) {
            Ok(text) => text,
            Err(AccessError::Missing) => String::new(),
            Err(refusal) => return Err(refusal.into()),
        };
        Pins::parse(&text)?;
        let (text, change) = insert(&text, pin);
        if change != PinChange::Unchanged {
            durable::replace(&folder, &name, 0o644, text.as_bytes())
                .map_err(PinsError::cannot_write)?;
        }
        Ok(change)
    }
}

/// Inserts a pin into the content of a pin file. The pin takes the place of another pin of the same
/// file name.
fn insert(text: &str, pin: &Pin) -> (String, PinChange) {
    let (mut lines, mut previous) = (Vec::new(), None);
    for line in text.lines() {
        let old = if is_skipped(line) { None } else { parse_line(line) };
        match old.filter(|old| old.file == pin.file) {
            Some(old) if old.hash == pin.hash => return (text.to_owned(), PinChange::Unchanged),
            Some(old) => {
                // With two pins of one file, `sha256sum --check` would always fail.
                if previous.is_none() {
                    lines.push(line_of(pin));
                }
                previous.get_or_insert(old.hash);
            }
            None => lines.push(line.to_owned()),
        }
    }
    let change = match previous {
        Some(previous) => PinChange::Replaced { previous },
        None => {
            lines.push(line_of(pin));
            PinChange::Added
        }
    };
    (lines.join("\n") + "\n", change)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File, Permissions},
        os::unix::fs::PermissionsExt,
    };

    use super::*;

    fn pin(file: &str, digit: &str) -> Pin {
        Pin::new(Some(file.to_owned()), &digit.repeat(64)).unwrap()
    }

    #[test]
    fn a_pin_takes_the_place_of_the_old_one_and_all_else_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotbay.pins");
        assert_eq!(Pins::add(&path, &pin("a.so", "A")).unwrap(), PinChange::Added);
        let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{a}  a.so\n"));
        fs::write(&path, format!("# ours\n\n{c} *plugins/c.so\n{a}  a.so\n{c}  a.so")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(
            Pins::add(&path, &pin("a.so", "b")).unwrap(),
            PinChange::Replaced { previous: a }
        );
        let expected = format!("# ours\n\n{c} *plugins/c.so\n{b}  a.so\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(Pins::add(&path, &pin("c.so", "c")).unwrap(), PinChange::Unchanged);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_name_with_odd_characters_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotbay.pins");
        let odd = pin("a\\ b\n.so", "1");
        assert_eq!(Pins::add(&path, &odd).unwrap(), PinChange::Added);
        assert_eq!(Pins::add(&path, &odd).unwrap(), PinChange::Unchanged);
        let pins = Pins::load(&path).unwrap().unwrap();
        assert_eq!(pins.hash_of("a\\ b\n.so"), Some(odd.hash.as_str()));
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_with_a_remedy_for_text_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotbay.pins");
        let remedy = |path: &Path| Pins::load(path).unwrap_err().remedy;
        assert_eq!(remedy(folder.path()), "give the path of a text file");
        fs::write(&path, b"# l\xe9gende\n").unwrap();
        assert_eq!(remedy(&path), "save it as UTF-8");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(remedy(&path), "check that the path leads to the text file that is meant");
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(remedy(&path).ends_with("`chmod go-w` the file"));
    }

    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Pins::add(&link, &pin("a.so", "a")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(Pins::load(&link).unwrap().unwrap().contains(&"a".repeat(64)));
    }

    #[test]
    fn many_who_pin_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotbay.pins");
        std::thread::scope(|scope| {
            for file in ["a", "b", "c", "d", "e", "f"] {
                let path = &path;
                scope.spawn(move || Pins::add(path, &pin(file, file)).unwrap());
            }
        });
        assert_eq!(Pins::load(&path).unwrap().unwrap().into_iter().count(), 6);
    }
}
