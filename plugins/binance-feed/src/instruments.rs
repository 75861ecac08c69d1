//! From the exchange's symbols to the names that instruments have in events.

use std::collections::HashMap;

use hotbay_market::{Instrument, InstrumentError};
use serde::{Deserialize, Serialize};

use crate::Config;

/// Why a message can't be attributed to an instrument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// The symbol is not listed and does not fit as a name.
    #[error("{0}; give it a shorter name under `instruments`")]
    Unfit(#[from] InstrumentError),
    /// A snapshot without a symbol among several instruments.
    #[error("a snapshot that names no symbol; set `snapshot_symbol`")]
    Absent,
}

#[derive(Debug)]
pub(crate) struct Instruments {
    listed: HashMap<String, Instrument>,
    snapshots: Option<Instrument>,
    seen: Seen,
}

/// The symbols met so far. The last one is kept, because runs of the same are the rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Seen {
    None,
    One { symbol: String, instrument: Instrument },
    Several { last: String, instrument: Instrument },
}

impl Instruments {
    pub(crate) fn new(config: &Config) -> Result<Self, SymbolError> {
        let listed: HashMap<_, _> =
            config.instruments.iter().map(|(symbol, name)| (symbol.clone(), *name)).collect();
        let snapshots = match (&config.snapshot_symbol, listed.len()) {
            (Some(symbol), _) => Some(look_up(&listed, symbol)?),
            (None, 1) => listed.values().next().copied(),
            (None, _) => None,
        };
        Ok(Self { listed, snapshots, seen: Seen::None })
    }

    /// The symbols met so far: whose a snapshot without a symbol is depends on them.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Goes on where the instruments of an earlier build were.
    pub(crate) fn resume(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// The instrument of a symbol.
    pub(crate) fn of(&mut self, symbol: &str) -> Result<Instrument, SymbolError> {
        match &self.seen {
            Seen::One { symbol: last, instrument } | Seen::Several { last, instrument }
                if last == symbol =>
            {
                return Ok(*instrument);
            }
            Seen::None | Seen::One { .. } | Seen::Several { .. } => {}
        }
        let instrument = look_up(&self.listed, symbol)?;
        let symbol = symbol.to_owned();
        self.seen = match self.seen {
            Seen::None => Seen::One { symbol, instrument },
            Seen::One { .. } | Seen::Several { .. } => Seen::Several { last: symbol, instrument },
        };
        Ok(instrument)
    }

    /// The instrument of a snapshot that names no symbol: as configured, or the only one.
    pub(crate) fn of_snapshot(&self) -> Result<Instrument, SymbolError> {
        match (&self.snapshots, &self.seen) {
            (Some(instrument), _) | (None, Seen::One { instrument, .. }) => Ok(*instrument),
            (None, Seen::None | Seen::Several { .. }) => Err(SymbolError::Absent),
        }
    }
}

fn look_up(
    listed: &HashMap<String, Instrument>,
    symbol: &str,
) -> Result<Instrument, InstrumentError> {
    listed.get(symbol).map_or_else(|| Instrument::new(symbol), |name| Ok(*name))
}
