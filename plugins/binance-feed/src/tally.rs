//! The feed's counts, and its row in the report.

use hotbay_line_source::{Damage, Unknown};
use serde::{Deserialize, Serialize};

use crate::MessageKind;

/// The feed's counts. Each message is counted by its kind, as damaged or as unknown, once.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) lines: u64,
    pub(crate) events: u64,
    pub(crate) kinds: [u64; 4],
    pub(crate) skipped: u64,
    pub(crate) without_exchange_time: u64,
    pub(crate) connections_lost: u64,
    pub(crate) damage: Damage,
    pub(crate) unknown: Unknown,
}

impl Tally {
    pub(crate) fn kind(&mut self, kind: MessageKind) {
        self.kinds[kind as usize] += 1;
    }

    pub(crate) fn row(&self, source: &str, origin: &str) -> Row {
        let of = |kind: MessageKind| self.kinds[kind as usize];
        Row {
            source: source.to_owned(),
            origin: origin.to_owned(),
            lines: self.lines,
            events: self.events,
            book_ticker: of(MessageKind::BookTicker),
            trade: of(MessageKind::Trade),
            depth: of(MessageKind::Depth),
            snapshot: of(MessageKind::Snapshot),
            skipped: self.skipped,
            damaged: self.damage.total(),
            damaged_lines: self.damage.lines(),
            unknown: self.unknown.total(),
            unknown_kinds: self.unknown.names(),
            without_exchange_time: self.without_exchange_time,
            connections_lost: self.connections_lost,
        }
    }
}

/// The feed's row in the section `sources` of the report.
///
/// `lines` = `book_ticker` + `trade` + `depth` + `snapshot` + `damaged` +
/// `unknown`; the four kinds together = `events` + `skipped`.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    source: String,
    origin: String,
    lines: u64,
    events: u64,
    book_ticker: u64,
    trade: u64,
    depth: u64,
    snapshot: u64,
    skipped: u64,
    damaged: u64,
    damaged_lines: String,
    unknown: u64,
    unknown_kinds: String,
    without_exchange_time: u64,
    connections_lost: u64,
}
