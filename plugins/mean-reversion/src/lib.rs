//! Trades the distance of one venue from the fair value of several.
//!
//! [`Reversion`] decides, and is pure; [`MeanReversion`] stands between it and the channels.

mod reversion;
mod strategy;

pub use reversion::{Reversion, ReversionState};
pub use strategy::{Config, MeanReversion};

use hotbay_plugin_api::{export_plugin, strategy};

export_plugin! { components: [strategy::<MeanReversion>("mean-reversion")] }
