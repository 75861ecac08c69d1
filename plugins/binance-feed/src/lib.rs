//! Binance market data: spot, USD-M and COIN-M, from a raw capture or a live websocket.
//!
//! The component `feed` publishes [`Quote`](hotbay_market::Quote),
//! [`Trade`](hotbay_market::Trade) and [`Depth`](hotbay_market::Depth) events. Its
//! [`Config`] says from where and which; [`Parser`] turns one message of the
//! exchange into one event and is usable by itself.

mod capture;
mod config;
mod envelope;
mod feed;
mod instruments;
mod intake;
mod live;
mod message;
mod parser;
mod tally;
mod wire;

use hotbay_plugin_api::prelude::*;

pub use config::{Config, Connection, EventTime, MessageKind};
pub use feed::Feed;
pub use instruments::SymbolError;
pub use message::{Body, Damaged, Message, Parsed, split_line};
pub use parser::Parser;

export_plugin! { components: [connector::<Feed>("feed")] }
