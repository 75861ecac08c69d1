//! Merges market data by event time into quotes, trades, bars and fair values.
//!
//! The parts that decide are pure and can be used alone: [`Merge`] orders the
//! events of several sources, [`Bars`] and [`Fair`] make something of them.
//! [`MarketAggregator`] stands between them and the channels.

mod aggregator;
pub mod bars;
pub mod config;
pub mod fair;
mod inputs;
pub mod merge;
mod outputs;
mod pace;
mod report;

pub use aggregator::MarketAggregator;
pub use bars::Bars;
pub use config::Config;
pub use fair::Fair;
pub use merge::Merge;

use hotbay_plugin_api::{aggregator, export_plugin};

export_plugin! { components: [aggregator::<MarketAggregator>("merge")] }
