//! Trades the distance of one venue from the fair value of several.
//!
//! [`Reversion`] decides and does no I/O; [`MeanReversion`] connects it to the channels.

mod reversion;
mod strategy;

pub use reversion::{Reversion, ReversionState};
pub use strategy::{Config, MeanReversion};

use hotbay_plugin_api::{export_plugin, strategy};

export_plugin! { components: [strategy::<MeanReversion>("mean-reversion")] }
