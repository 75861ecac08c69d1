//! Binance market data: spot, USD-M and COIN-M, from a raw capture or a live websocket.
//!
//! The component `feed` publishes [`Quote`](hotbay_market::Quote),
//! [`Trade`](hotbay_market::Trade) and [`Depth`](hotbay_market::Depth) events. Its
//! [`Config`] says from where and which; [`Parser`] turns one message of the
//! exchange into one event and is usable by itself.
//!
//! # When a new build takes over
//! A capture goes on at the line behind the last one that was published, at its pace; all
//! counts go on. A live feed counts on and opens a websocket of its own as it initializes,
//! before its first turn. What the exchange sent between the last turn of the old build and
//! then is missed, as after a lost connection: the exchange does not send it again. Nothing
//! comes twice. The same holds when a build that failed on probation is rolled back.
//!
//! A missed quote is made good by the next one; missed trades stay missing. A book is to be
//! checked by who keeps it, and the feed passes on what that takes, unchanged: on spot an
//! update's `first_update` is one more than the `last_update` before, on futures its
//! `previous_update` equals it. Where that does not hold, the book is stale until the next
//! snapshot, which a partial book stream brings by itself and REST on demand.

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

pub use config::{Config, Connection, EventTime, MessageKind};
pub use feed::Feed;
pub use instruments::SymbolError;
pub use message::{Body, Damaged, Message, Parsed, split_line};
pub use parser::Parser;

export_plugin! { components: [connector::<Feed>("feed")] }
