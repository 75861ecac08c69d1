//! Fills orders on paper: positions, fees and profit in decimal, risk limits.
//!
//! [`Paper`] decides, and is pure; [`PaperExecutor`] stands between it and the channels.

pub mod account;
pub mod config;
mod executor;
pub mod fills;
pub mod limits;
mod money;
pub mod paper;
pub mod position;

pub use account::{AccountRow, Accounts};
pub use config::Config;
pub use executor::PaperExecutor;
pub use limits::{Limits, MaxOrders};
pub use paper::{Decision, Paper};

use hotbay_plugin_api::{executor, export_plugin};

export_plugin! { components: [executor::<PaperExecutor>("paper")] }
