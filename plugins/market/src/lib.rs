//! The types of market events that plugins exchange.
//!
//! Every type here is plain data of a fixed layout: a plugin writes it into a batch,
//! and a plugin that was built separately reads it without parsing. Prices and
//! quantities are [`Fixed`] decimals, so they are never rounded to binary.

mod decimal;
mod depth;
mod desk;
mod ema;
mod fixed;
mod holding;
mod instrument;
mod market;
mod orders;

pub use depth::{Depth, DepthHeader, DepthSnapshot, DepthUpdate, Level};
pub use desk::Desk;
pub use ema::Ema;
pub use fixed::{Fixed, ParseFixedError};
pub use holding::{Holding, Stance, Ticket};
pub use instrument::{Instrument, InstrumentError};
pub use market::{Bar, FairValue, Quote, Side, Trade};
pub use orders::{DenyReason, Intent, Order, OrderReport, Outcome};
