//! The limits of what a host takes from a plugin.
//!
//! A host keeps, logs and shows what its plugins say, so all of it is bounded where it arrives.
//! A text that is too long is [cut], and shows that it was. Of counters, gauges and rows of the
//! report, the host counts what it leaves out, and says so once in its log, and in its report. A
//! result, an event or a state that is too large is refused with an error. Fields and spans of the
//! log are left out without a word.
//!
//! | what | limit |
//! |---|---|
//! | the text of an error, a panic or a problem of a configuration | [`TEXT`] |
//! | the message of a log event | [`LOG_MESSAGE`] |
//! | the fields of a log event, with those of its spans | [`LOG_FIELDS`], each of [`LOG_FIELD`] |
//! | names: of counters, gauges and sections of the report; the spans of a log event | [`NAME`] |
//! | counters, and gauges, of a component or task | [`METERS`] of each |
//! | rows of the report of a component or task | [`REPORT_ROWS`], and [`REPORT_BYTES`] |
//! | one row of the report | [`REPORT_ROW`] |
//! | the result of a run | [`RUN_RESULT`] |
//! | the payload of an event | [`EVENT`] |
//! | the state that a component saves | [`STATE`] |
//! | spans that are open at the same time | [`SPANS`] |

use crate::{EventHeader, SchedulerError};

/// The bytes of the text of an error. The rest is cut off.
pub const TEXT: usize = 4 << 10;

/// The bytes of the message of a log event. The rest is cut off.
pub const LOG_MESSAGE: usize = 8 << 10;

/// The number of fields of a log event, those of its spans included. Further ones are left out.
pub const LOG_FIELDS: usize = 32;

/// The bytes of the text of one field of a log event. The rest is cut off.
pub const LOG_FIELD: usize = 1 << 10;

/// The bytes of a name, and of the names of a log event's spans together. The rest is cut off, and
/// spans further inside are not named.
pub const NAME: usize = 128;

/// The number of counters, and of gauges, of a component or task. Further counters count together
/// as [`OTHERS`]; further gauges are not shown.
pub const METERS: usize = 256;

/// The name under which a host shows the counters beyond [`METERS`].
pub const OTHERS: &str = "(others)";

/// The number of rows of a component or task in the report. Earlier ones are left out.
pub const REPORT_ROWS: usize = 10_000;

/// The bytes of the rows of a component or task in the report, as JSON. Earlier rows are left out.
pub const REPORT_BYTES: usize = 4 << 20;

/// The bytes of one row of the report, as JSON. A larger one is left out.
pub const REPORT_ROW: usize = 64 << 10;

/// The bytes of the result of a run, as JSON. A run with a larger one has failed.
pub const RUN_RESULT: usize = 1 << 20;

/// The bytes of the payload of an event. A larger one can't be published.
pub const EVENT: usize = 64 << 20;

/// The bytes of a saved state. A larger one can't be handed over.
pub const STATE: usize = 256 << 20;

/// The number of spans of a plugin that are open at the same time. Further ones are not logged.
pub const SPANS: usize = 4096;

/// Checks the events of a batch before a host publishes them.
///
/// # Errors
/// If the payload of one is larger than [`EVENT`].
pub fn check_events(headers: &[EventHeader]) -> Result<(), SchedulerError> {
    let large = headers.iter().find(|header| header.len as usize > EVENT);
    large.map_or(Ok(()), |EventHeader { len, .. }| {
        let text = format!("an event has {len} bytes; events of at most {EVENT} are published");
        Err(SchedulerError::EventSend(text))
    })
}

/// Returns a text, cut after at most `limit` bytes and marked with its length if it is longer.
///
/// ```
/// use hotbay_plugin_api::limits::cut;
///
/// assert_eq!(cut("short", 8), "short");
/// assert_eq!(cut("twelve bytes", 6), "twelve… (cut, 12 bytes)");
/// ```
pub fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}… (cut, {} bytes)", start(text, limit), text.len())
}

/// Returns the start of a text: as many whole characters as fit into `limit` bytes.
pub(crate) fn start(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
