//! The rows that the aggregator adds to the report.

use hotbay_plugin_api::Context;
use serde::{Deserialize, Serialize};

/// The numbers of published events, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) merged: u64,
    pub(crate) quotes: u64,
    pub(crate) trades: u64,
    pub(crate) bars: u64,
    pub(crate) fair: u64,
    /// Quotes that gave no fair value, because the last quote of another instrument was too old.
    pub(crate) fair_too_old: u64,
    /// Quotes that had no two sides.
    pub(crate) one_sided: u64,
}

/// The row of one source in the section `merge`.
#[derive(Debug, Serialize)]
pub(crate) struct SourceRow<'a> {
    pub(crate) source: &'a str,
    /// Quotes and trades that arrived, late or not.
    pub(crate) events: u64,
    /// Quotes and trades that were late and therefore discarded.
    pub(crate) late: u64,
    /// Quotes and trades that were discarded because their time was far ahead of the others'.
    pub(crate) jumped: u64,
    /// How often the source's clock was set back: the times after it were shifted.
    pub(crate) set_back: u64,
    /// Trades without a price or a quantity: counted, not merged.
    pub(crate) no_trade: u64,
    /// Depth events: counted, not merged.
    pub(crate) depth: u64,
    /// Events of other kinds: counted, not merged.
    pub(crate) other: u64,
}

#[derive(Serialize)]
struct Row<'a, T: Serialize> {
    aggregator: &'a str,
    #[serde(flatten)]
    of: T,
}

pub(crate) fn source(context: &Context, row: SourceRow<'_>) {
    context.report("merge", &Row { aggregator: context.id(), of: row });
}

pub(crate) fn totals(context: &Context, totals: Totals) {
    context.report("aggregator", &Row { aggregator: context.id(), of: totals });
}
