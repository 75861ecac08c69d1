//! Simulates the filling of orders, with risk limits and decimal positions, fees and profit.
//!
//! [`Paper`] decides and does no I/O; [`PaperExecutor`] connects it to the channels.

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
