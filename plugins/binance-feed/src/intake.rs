//! Parses incoming messages, publishes their events and counts both.

use std::path::Path;

use hotbay_line_source::{ReadError, check_usable, excerpt};
use hotbay_plugin_api::{Counter, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Body, Config, Damaged, EventTime, Message, Nature, OffBookTrades, Parsed, Parser,
    instruments::Seen,
    tally::{Row, Tally},
};

/// The number of errors of the server that are logged; all of them are counted.
const LOGGED: u64 = 5;

/// Parses messages and publishes their events.
#[derive(Debug)]
pub(crate) struct Intake {
    context: Context,
    origin: String,
    parser: Parser,
    event_time: EventTime,
    off_book_trades: OffBookTrades,
    /// The last error that the server sent.
    server_error: Option<String>,
    out: Publisher,
    tally: Tally,
    lines: Counted,
    events: Counted,
    damaged: Counted,
    connections_lost: Counter,
    report: Report,
}

/// A counter of the host, and the count that was already added to it.
#[derive(Debug)]
struct Counted {
    counter: Counter,
    known: u64,
}

impl Counted {
    fn new(counter: Counter) -> Self {
        Self { counter, known: 0 }
    }

    fn bring_up_to(&mut self, count: u64) {
        if count > self.known {
            self.counter.add(count - self.known);
            self.known = count;
        }
    }
}

/// The intake's saved state; `T` and `S` are borrowed when it is written, owned when it is read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved<T, S> {
    tally: T,
    seen: S,
}

#[derive(Debug, PartialEq, Eq)]
enum Report {
    Due,
    Given,
}

impl Intake {
    pub(crate) fn new(
        config: &Config,
        origin: String,
        context: Context,
    ) -> Result<Self, SchedulerError> {
        let parser = Parser::new(config).map_err(|error| {
            SchedulerError::Configuration(format!("{}: snapshot_symbol: {error}", context.id()))
        })?;
        Ok(Self {
            out: context.publisher("events")?,
            lines: Counted::new(context.counter("lines")),
            events: Counted::new(context.counter("events")),
            damaged: Counted::new(context.counter("damaged")),
            connections_lost: context.counter("connections_lost"),
            context,
            origin,
            parser,
            event_time: config.event_time,
            off_book_trades: config.off_book_trades,
            server_error: None,
            tally: Tally::default(),
            report: Report::Due,
        })
    }

    pub(crate) fn save(&self) -> Saved<&Tally, &Seen> {
        Saved { tally: &self.tally, seen: self.parser.seen() }
    }

    /// Restores the saved state of another build's intake.
    pub(crate) fn resume(&mut self, saved: Saved<Tally, Seen>) {
        let Saved { tally, seen } = saved;
        // Saved after a flush: the host's counters, which outlive a build, include these counts.
        self.lines.known = tally.lines;
        self.events.known = tally.events;
        self.damaged.known = tally.damage.total();
        self.tally = tally;
        self.parser.resume(seen);
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Returns `true` if a flush is due.
    pub(crate) fn is_full(&self) -> bool {
        self.out.is_full()
    }

    /// Returns the number of messages received, damaged ones included.
    pub(crate) fn lines(&self) -> u64 {
        self.tally.lines
    }

    /// Returns the number of messages of the market received.
    pub(crate) fn of_market(&self) -> u64 {
        self.tally.of_market()
    }

    /// Returns the last error that the server sent.
    pub(crate) fn server_error(&self) -> Option<&str> {
        self.server_error.as_deref()
    }

    /// Parses one message, given its number, the time of receipt and its text.
    pub(crate) fn take(&mut self, number: u64, received_ns: i64, json: &[u8]) {
        let message = match self.parser.parse(json) {
            Ok(Parsed::Message(message)) => message,
            Ok(Parsed::Skipped(kind)) => {
                self.tally.lines += 1;
                self.tally.skipped += 1;
                return self.tally.kind(kind);
            }
            Ok(Parsed::Unknown(name)) => {
                self.tally.lines += 1;
                self.tally.unknown.note(&self.origin, number, &name);
                return self.note_server_error(number, json);
            }
            Err(damaged) => return self.damaged(number, &damaged),
        };
        let Message { kind, exchange_ns, nature, lost_values, body } = message;
        self.tally.lines += 1;
        self.tally.kind(kind);
        if let Some(values) = lost_values {
            self.tally.lost_values.note_values(&self.origin, number, &values);
        }
        let time_ns = match (self.event_time, exchange_ns) {
            (EventTime::Received, _) => received_ns,
            (EventTime::Exchange, Some(exchange_ns)) => exchange_ns,
            (EventTime::Exchange, None) => {
                self.tally.without_exchange_time += 1;
                received_ns
            }
        };
        match nature {
            Nature::Market => {}
            Nature::NoTrade => return self.tally.no_trade += 1,
            Nature::OffBook => {
                self.tally.off_book += 1;
                if self.off_book_trades == OffBookTrades::Drop {
                    return;
                }
            }
        }
        match body {
            Body::Quote(quote) => self.out.push(time_ns, &quote),
            Body::Trade(trade) => self.out.push(time_ns, &trade),
            Body::Depth { kind, payload } => self.out.push_bytes(time_ns, kind, payload),
        }
        self.tally.events += 1;
    }

    /// Counts and logs a message by which the server reports an error.
    fn note_server_error(&mut self, number: u64, json: &[u8]) {
        let Some(error) = server_error(json) else { return };
        self.tally.server_errors += 1;
        if self.tally.server_errors <= LOGGED {
            tracing::warn!(origin = self.origin, line = number, error, "the server sent an error");
        }
        self.server_error = Some(error);
    }

    /// Checks, at the end of a capture, that something of it was of use.
    ///
    /// # Errors
    /// If nothing was.
    pub(crate) fn check_usable(&self, path: &Path) -> Result<(), ReadError> {
        let tally = &self.tally;
        if tally.events == 0 {
            tracing::warn!(
                origin = self.origin,
                lines = tally.lines,
                skipped = tally.skipped,
                unknown_kinds = tally.unknown.names(),
                "nothing of the recording was published"
            );
        }
        check_usable(path, tally.lines, &tally.damage, &tally.unknown)
    }

    /// Counts a damaged line.
    pub(crate) fn damaged(&mut self, number: u64, reason: &Damaged) {
        self.tally.lines += 1;
        self.tally.damage.note(&self.origin, number, reason);
    }

    /// Counts a connection that was lost or could not be established.
    pub(crate) fn connection_lost(&mut self) {
        self.tally.connections_lost += 1;
        self.connections_lost.add(1);
    }

    /// Publishes the pushed events and updates the host's counters.
    pub(crate) async fn flush(&mut self) -> Result<(), SchedulerError> {
        self.lines.bring_up_to(self.tally.lines);
        self.events.bring_up_to(self.tally.events);
        self.damaged.bring_up_to(self.tally.damage.total());
        self.out.flush().await
    }

    /// Adds the feed's row to the report, on the first call only.
    pub(crate) fn report(&mut self) {
        if self.report == Report::Due {
            self.report = Report::Given;
            let row: Row = self.tally.row(self.context.id(), &self.origin);
            self.context.report("sources", &row);
        }
    }
}

/// Returns what a server reports as an error, as the start of a log's text.
fn server_error(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        msg: Option<&'a RawValue>,
    }
    let reply: Reply<'_> = serde_json::from_slice(json).ok()?;
    let is_error = reply.error.or(reply.msg).is_some();
    is_error.then(|| excerpt(&String::from_utf8_lossy(json)))
}
