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
    pub(crate) no_trade: u64,
    pub(crate) off_book: u64,
    pub(crate) without_exchange_time: u64,
    pub(crate) connections_lost: u64,
    pub(crate) server_errors: u64,
    pub(crate) lost_values: Damage,
    pub(crate) damage: Damage,
    pub(crate) unknown: Unknown,
}

impl Tally {
    pub(crate) fn kind(&mut self, kind: MessageKind) {
        self.kinds[kind as usize] += 1;
    }

    /// Returns the number of messages of known kinds.
    pub(crate) fn of_market(&self) -> u64 {
        self.kinds.iter().sum()
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
            no_trade: self.no_trade,
            off_book: self.off_book,
            lost_values: self.lost_values.total(),
            lost_values_lines: self.lost_values.lines(),
            damaged: self.damage.total(),
            damaged_lines: self.damage.lines(),
            unknown: self.unknown.total(),
            unknown_kinds: self.unknown.names(),
            without_exchange_time: self.without_exchange_time,
            connections_lost: self.connections_lost,
            server_errors: self.server_errors,
        }
    }
}

/// The feed's row in the section `sources` of the report.
///
/// `lines` = `book_ticker` + `trade` + `depth` + `snapshot` + `damaged` +
/// `unknown`; the four kinds together = `events` + `skipped` + `no_trade`, and + `off_book`
/// unless these are kept. `lost_values` counts events with values that
/// can't be used.
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
    no_trade: u64,
    off_book: u64,
    lost_values: u64,
    lost_values_lines: String,
    damaged: u64,
    damaged_lines: String,
    unknown: u64,
    unknown_kinds: String,
    without_exchange_time: u64,
    connections_lost: u64,
    server_errors: u64,
}
