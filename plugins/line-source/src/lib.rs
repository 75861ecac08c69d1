//! Reads recordings line by line, plain or gzip, for connectors that replay them.
//!
//! [`Recording`] is the text of a file, [`LineReader`] its lines with their
//! numbers. What a connector finds wrong with a line it notes in [`Damage`], what
//! it does not know in [`Unknown`]: both count everything, log the first few, and
//! give a cell for the final report.

mod error;
mod lines;
mod recording;
mod tally;

pub use error::{OpenError, ReadError};
pub use lines::{Line, LineReader};
pub use recording::Recording;
pub use tally::{Damage, Unknown};
