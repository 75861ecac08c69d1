//! Parses incoming messages, publishes their events and counts both.

use hotbay_plugin_api::{Counter, prelude::*};
use serde::{Deserialize, Serialize};

use crate::{
    Body, Config, Damaged, EventTime, Parsed, Parser,
    instruments::Seen,
    tally::{Row, Tally},
};

/// Parses messages and publishes their events.
#[derive(Debug)]
pub(crate) struct Intake {
    context: Context,
    origin: String,
    parser: Parser,
    event_time: EventTime,
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
                return self.tally.unknown.note(&self.origin, number, &name);
            }
            Err(damaged) => return self.damaged(number, &damaged),
        };
        let time_ns = match (self.event_time, message.exchange_ns) {
            (EventTime::Received, _) => received_ns,
            (EventTime::Exchange, Some(exchange_ns)) => exchange_ns,
            (EventTime::Exchange, None) => {
                self.tally.without_exchange_time += 1;
                received_ns
            }
        };
        match message.body {
            Body::Quote(quote) => self.out.push(time_ns, &quote),
            Body::Trade(trade) => self.out.push(time_ns, &trade),
            Body::Depth { kind, payload } => self.out.push_bytes(time_ns, kind, payload),
        }
        self.tally.lines += 1;
        self.tally.events += 1;
        self.tally.kind(message.kind);
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
