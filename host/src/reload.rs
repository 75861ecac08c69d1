//! Following changes while the host runs: watching, replacing, rolling back.
//!
//! `watch` says what the plugins folder holds once it is stable.

pub mod watch;
