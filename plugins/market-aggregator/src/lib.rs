//! Merges market data by event time into quotes, trades, bars and fair values.
//!
//! The parts without I/O can be used alone: [`Merge`] orders the events of several
//! sources, [`Bars`] and [`Fair`] compute bars and fair values from them.
//! [`MarketAggregator`] connects them to the channels.
//!
//! The next build of the plugin continues where this one stopped: the saved state holds the
//! events that wait in the merge, each source's progress, open bars, quotes and counts.

mod aggregator;
pub mod bars;
pub mod config;
pub mod fair;
pub mod merge;
mod outputs;
mod pace;
mod raw;
mod report;

pub use aggregator::MarketAggregator;
pub use bars::Bars;
pub use config::Config;
pub use fair::Fair;
pub use merge::Merge;

use hotbay_plugin_api::{aggregator, export_plugin};

export_plugin! { components: [aggregator::<MarketAggregator>("merge")] }
