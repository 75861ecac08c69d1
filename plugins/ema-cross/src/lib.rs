//! Trades the crossing of two moving averages of bars.
//!
//! [`Cross`] decides and does no I/O; [`EmaCross`] connects it to the channels.

mod config;
mod cross;
mod strategy;

pub use config::Config;
pub use cross::{Cross, CrossState, Trend};
pub use strategy::EmaCross;

use hotbay_plugin_api::{export_plugin, strategy};

export_plugin! { components: [strategy::<EmaCross>("ema-cross")] }
