//! Merges market data by event time into quotes, trades, bars and fair values.
//!
//! The parts that decide are pure and can be used alone: [`Merge`] orders the
//! events of several sources, [`Bars`] and [`Fair`] make something of them.
//! [`MarketAggregator`] stands between them and the channels.
//!
//! The next build of the plugin goes on where this one was: the events that wait in the
//! merge, how far each source has come, open bars, quotes and counts are handed over.

mod aggregator;
pub mod bars;
pub mod config;
pub mod fair;
mod inputs;
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
