//! What a host keeps on disk.
//!
//! A few records are files of their own in the state folder of a host: the [`quarantine`], the
//! history of [`crashes`], and one [`record`] for each replacement. People read these files, so each
//! is JSON with times in RFC 3339. A crate that keeps a further record puts it here and writes it
//! through [`durable`].
//!
//! Tasks and their runs are in a [`store`], which is a file of [`sqlite`].

#![forbid(unsafe_code)]

pub mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod crashes;
pub mod durable;
pub mod path_text;
pub mod quarantine;
pub mod record;
pub mod rfc3339;
pub mod sqlite;
pub mod store;

/// Returns the first characters of a hash, as people see it in tables and messages.
pub fn short_hash(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
