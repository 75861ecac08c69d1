//! Writing a pin into a file of them, and leaving all else in it as it is.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use hotbay_store::durable;

use super::{CAP, Pin, Pins, PinsError, is_skipped};
use crate::{Refusal, access};

/// What adding a pin came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// The pin was there already.
    Known,
    /// It is new.
    New,
    /// It took the place of what the file of this name was pinned to before.
    Instead {
        /// That content's hash.
        of: String,
    },
}

impl Pins {
    /// Writes a pin into a file of pins, which is made if it isn't there.
    ///
    /// Who reads the file meanwhile sees the old one or the new one, and who writes at the
    /// same time does so before or afterwards.
    ///
    /// # Errors
    /// If the file can't be read, trusted or written, or a line of it is wrong.
    pub fn add(path: &Path, pin: &Pin) -> Result<Added, PinsError> {
        // A link stays one: what it leads to is written.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let lock = File::open(&folder).and_then(|folder| folder.lock().map(|()| folder));
        let _lock = lock.map_err(|error| unwritten(&error))?;
        let text = match access::read_text(&path, CAP) {
            Ok(text) => text,
            Err(Refusal::Missing) => String::new(),
            Err(refusal) => return Err(refusal.into()),
        };
        Pins::parse(&text)?;
        let (text, added) = insert(&text, pin);
        if added != Added::Known {
            durable::replace(&path, 0o644, text.as_bytes()).map_err(|error| unwritten(&error))?;
        }
        Ok(added)
    }
}

fn unwritten(error: &io::Error) -> PinsError {
    let problem = format!("can't be written ({error})");
    PinsError { line: None, problem, remedy: "check that its folder is there and may be written" }
}

/// The text with the pin in it, in the place of the one for the same file, if there is one.
fn insert(text: &str, pin: &Pin) -> (String, Added) {
    let (mut lines, mut instead) = (Vec::new(), None);
    for line in text.lines() {
        let old = if is_skipped(line) { None } else { Pin::parse(line) };
        match old.filter(|old| old.file == pin.file) {
            Some(old) if old.hash == pin.hash => return (text.to_owned(), Added::Known),
            Some(old) => {
                // Two pins for one file would let `sha256sum --check` fail for ever.
                if instead.is_none() {
                    lines.push(pin.line());
                }
                instead.get_or_insert(old.hash);
            }
            None => lines.push(line.to_owned()),
        }
    }
    let added = match instead {
        Some(of) => Added::Instead { of },
        None => {
            lines.push(pin.line());
            Added::New
        }
    };
    (lines.join("\n") + "\n", added)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn pin(file: &str, digit: &str) -> Pin {
        Pin::new(Some(file.to_owned()), &digit.repeat(64)).unwrap()
    }

    #[test]
    fn a_pin_takes_the_place_of_the_old_one_and_all_else_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotbay.pins");
        assert_eq!(Pins::add(&path, &pin("a.so", "A")).unwrap(), Added::New);
        let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{a}  a.so\n"));
        fs::write(&path, format!("# ours\n\n{c} *plugins/c.so\n{a}  a.so\n{c}  a.so")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Pins::add(&path, &pin("a.so", "b")).unwrap(), Added::Instead { of: a });
        let expected = format!("# ours\n\n{c} *plugins/c.so\n{b}  a.so\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(Pins::add(&path, &pin("c.so", "c")).unwrap(), Added::Known);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_name_with_odd_characters_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotbay.pins");
        let odd = pin("a\\ b\n.so", "1");
        assert_eq!(Pins::add(&path, &odd).unwrap(), Added::New);
        assert_eq!(Pins::add(&path, &odd).unwrap(), Added::Known);
        let pins = Pins::load(&path).unwrap().unwrap();
        assert_eq!(pins.of("a\\ b\n.so"), Some(odd.hash.as_str()));
    }

    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Pins::add(&link, &pin("a.so", "a")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(Pins::load(&link).unwrap().unwrap().hold(&"a".repeat(64)));
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
