//! Reads recordings line by line, plain, gzip or zstd, for connectors that replay them.
//!
//! [`Recording`] reads the text of a file, [`LineReader`] its lines with their
//! numbers. A connector counts damaged lines in [`Damage`] and unknown names in
//! [`Unknown`]: both count everything, log the first few, and give the text of a
//! cell in the final report.

mod error;
mod lines;
mod recording;
mod tally;

pub use error::{OpenError, ReadError};
pub use lines::{Line, LineReader};
pub use recording::{Packing, Recording};
pub use tally::{Damage, Unknown, check_usable, excerpt};
