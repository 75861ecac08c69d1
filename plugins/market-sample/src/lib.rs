//! The connector `sample`, which replays market events in the format of the crate `barter`.
//!
//! A recording is a file of JSON lines, or one JSON array, plain, gzip or zstd. Each entry
//! is an event, `{"Item": …}` or `{"Item": {"Ok": …}}`, or a note that the recorder
//! lost its connection, `{"Reconnecting": "binance_spot"}`. Events go out in the order
//! of the file, which is not quite that of their times. The next build of the plugin continues
//! at the entry after the last one that this build published.

mod entry;
mod sample;

use hotbay_plugin_api::prelude::*;

pub use entry::{Entry, EntryError, parse};
pub use sample::{Config, Sample};

export_plugin! { components: [connector::<Sample>("sample")] }
