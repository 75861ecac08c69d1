//! Market events as they travel between plugins.
//!
//! Every type here is plain data of a fixed layout: a plugin writes it into a
//! batch, another plugin, built elsewhere, reads it back without parsing. Prices
//! and quantities are [`Fixed`] decimals, so money stays decimal all the way.

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
