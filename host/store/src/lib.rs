//! What outlives a host: durable files, and the records that stand in them.

#![forbid(unsafe_code)]

pub mod durable;
pub mod record;
pub mod rfc3339;
