//! The connector `sample`: normalised market events, as the crate `barter` ships them.
//!
//! A recording is a file of JSON lines, or one JSON array, plain or gzip. Each entry
//! is an event, `{"Item": …}` or `{"Item": {"Ok": …}}`, or a note that the recorder
//! lost its connection, `{"Reconnecting": "binance_spot"}`. Events go out in the order
//! of the file, which is not quite that of their times. The next build of the plugin goes on
//! at the entry behind the last one that this build published.

mod entry;
mod sample;

use hotbay_plugin_api::prelude::*;

pub use entry::{Entry, EntryError, parse};
pub use sample::{Config, Sample};

export_plugin! { components: [connector::<Sample>("sample")] }
