//! A plugin with the market data of Binance (spot, USD-M and COIN-M) from a raw capture or a live
//! websocket.
//!
//! The component `feed` publishes [`Quote`](hotbay_market::Quote),
//! [`Trade`](hotbay_market::Trade) and [`Depth`](hotbay_market::Depth) events. Its
//! [`Config`] names the source and the kinds of messages; [`Parser`] turns one message
//! of the exchange into one event and can be used alone.
//!
//! # When a new build takes over
//! All counts continue. A capture continues at the line after the last published one, at
//! the same pace. A live feed opens a new websocket when it initializes, before its first
//! turn. Messages that the exchange sends between the last turn of the old build and that
//! moment are lost, as after a lost connection, because the exchange does not repeat them. No
//! event is published twice. The same holds when a build that failed on probation is rolled back.
//!
//! The next quote replaces a lost one; lost trades are not recovered. A consumer that keeps a
//! book must check its update numbers, which the feed passes on unchanged: on spot, an
//! update's `first_update` is one more than the last update's `last_update`; on futures, its
//! `previous_update` equals that number. If not, the book is stale until the next
//! snapshot, which a partial book stream sends by itself and REST on demand.

mod attempts;
mod capture;
mod config;
mod envelope;
mod feed;
mod instruments;
mod intake;
mod live;
mod message;
mod parser;
mod socket;
mod tally;
mod wire;

use hotbay_plugin_api::prelude::*;

pub use config::{Config, Connection, EventTime, MessageKind, OffBookTrades};
pub use feed::Feed;
pub use instruments::SymbolError;
pub use message::{Body, Damaged, Message, Nature, Parsed, split_line};
pub use parser::Parser;

export_plugin! { components: [connector::<Feed>("feed")] }
