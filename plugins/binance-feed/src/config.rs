//! The configuration of the component `feed`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use hotbay_market::Instrument;
use schemars::JsonSchema;
use serde::Deserialize;

/// The configuration of the component `feed`. It takes `path` or `url`, one of the two.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A raw capture, gzip or plain: on each line the receiver's clock in ns, a space, the message.
    pub path: Option<PathBuf>,
    /// A websocket, such as `wss://stream.binance.com:9443/stream?streams=btcusdt@bookTicker`.
    pub url: Option<String>,
    /// The exchange's symbol, and the instrument's name in events; others keep their symbol.
    #[serde(default)]
    pub instruments: BTreeMap<String, Instrument>,
    /// Which messages to publish; the others are only counted.
    #[serde(default = "MessageKind::all")]
    pub kinds: BTreeSet<MessageKind>,
    /// What to do with trades that were not made in the order book: those of the insurance fund
    /// and of auto-deleveraging. Messages by which nothing was traded are never published. Both
    /// are counted in the report.
    #[serde(default)]
    pub off_book_trades: OffBookTrades,
    /// Which clock an event's time comes from.
    #[serde(default)]
    pub event_time: EventTime,
    /// How many times as fast as it was recorded a capture is replayed; absent: as fast as it goes.
    pub speed: Option<f64>,
    /// The symbol of REST snapshots that don't name one; absent: the only one there is.
    pub snapshot_symbol: Option<String>,
    /// How to keep the connection to `url`.
    #[serde(default)]
    pub connection: Connection,
}

/// One kind of message that the feed knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// The best bid and ask.
    BookTicker,
    /// One trade.
    Trade,
    /// A change of the book.
    Depth,
    /// The whole book, from REST or a partial book stream.
    Snapshot,
}

impl MessageKind {
    fn all() -> BTreeSet<Self> {
        [Self::BookTicker, Self::Trade, Self::Depth, Self::Snapshot].into()
    }
}

/// What to do with trades that were not made in the order book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffBookTrades {
    /// They are counted and not published: their prices are not the market's.
    #[default]
    Drop,
    /// They are published with the others.
    Keep,
}

/// Which clock an event's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventTime {
    /// The receiver's clock, at the arrival of the message.
    #[default]
    Received,
    /// The exchange's clock; a message without a time gets the receiver's and is counted.
    Exchange,
}

/// How a live connection is made and kept.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// The limit of one attempt to connect, in milliseconds.
    pub connect_timeout_ms: u64,
    /// The time without a message or ping after which a connection is lost, in milliseconds.
    pub idle_timeout_ms: u64,
    /// The delay before the first reconnect, in milliseconds; it doubles each time, with jitter.
    pub first_delay_ms: u64,
    /// The longest delay before a reconnect, in milliseconds.
    pub longest_delay_ms: u64,
    /// The number of reconnects in a row after which the feed fails; absent: none. The count, and
    /// the delay, begin again after a connection that proved itself.
    pub max_reconnects: Option<u32>,
    /// How long a connection has to last, and to bring market data, to prove itself, in
    /// milliseconds.
    pub proven_after_ms: u64,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 10_000,
            // Binance pings every 20 s on spot, every 3 minutes on futures.
            idle_timeout_ms: 240_000,
            first_delay_ms: 500,
            longest_delay_ms: 60_000,
            max_reconnects: None,
            proven_after_ms: 10_000,
        }
    }
}

/// Where the messages come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Capture { path: PathBuf },
    Live { url: String },
}

impl Config {
    /// Where the messages come from, if exactly one place is named.
    pub(crate) fn origin(&self) -> Result<Origin, String> {
        match (&self.path, &self.url) {
            (Some(path), None) => Ok(Origin::Capture { path: path.clone() }),
            (None, Some(url)) => Ok(Origin::Live { url: url.clone() }),
            (Some(_), Some(_)) => Err("`path` and `url` are both set; keep one of them".into()),
            (None, None) => {
                Err("set `path` (a capture to replay) or `url` (a websocket to listen to)".into())
            }
        }
    }

    /// Checks what the types can't say.
    pub(crate) fn check(&self) -> Result<(), String> {
        let live = match self.origin()? {
            Origin::Capture { path } if path.as_os_str().is_empty() => {
                return Err("path: is empty; name a capture to replay".into());
            }
            Origin::Capture { .. } => false,
            Origin::Live { url } if !url.starts_with("ws://") && !url.starts_with("wss://") => {
                return Err(format!("url: expected ws:// or wss://, found {url:?}"));
            }
            Origin::Live { .. } => true,
        };
        if self.kinds.is_empty() {
            return Err("kinds: is empty; name at least one, or leave it out for all".into());
        }
        if let Some(speed) = self.speed {
            if live {
                return Err("speed: only for a capture; a live feed comes as it comes".into());
            }
            if !(speed.is_finite() && speed > 0.0) {
                return Err(format!("speed: expected a number above 0, found {speed}"));
            }
        }
        for symbol in self.instruments.keys().chain(&self.snapshot_symbol) {
            // Stream names are in lower case, but symbols inside messages never are.
            if symbol.chars().any(|letter| letter.is_ascii_lowercase()) {
                let capital = symbol.to_ascii_uppercase();
                return Err(format!(
                    "the symbol {symbol:?} must be as in the messages: {capital:?}"
                ));
            }
        }
        self.connection.check()
    }
}

impl Connection {
    fn check(&self) -> Result<(), String> {
        let times = [
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
            ("first_delay_ms", self.first_delay_ms),
        ];
        if let Some((name, _)) = times.iter().find(|(_, value)| *value == 0) {
            return Err(format!("connection.{name}: expected at least 1"));
        }
        if self.longest_delay_ms < self.first_delay_ms {
            return Err(format!(
                "connection.longest_delay_ms: expected at least first_delay_ms ({}), found {}",
                self.first_delay_ms, self.longest_delay_ms
            ));
        }
        Ok(())
    }
}
