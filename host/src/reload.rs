//! Following changes while the host runs: watching, replacing, rolling back.
//!
//! `watch` says what the plugins folder holds once it is stable, `change` replaces the
//! components of a plugin as one transaction, `record` keeps what became of it.

pub(crate) mod change;
pub mod record;
pub mod watch;
