//! Maps the exchange's symbols to the names of instruments in events.

use std::collections::HashMap;

use hotbay_market::{Instrument, InstrumentError};
use serde::{Deserialize, Serialize};

use crate::Config;

/// An error that is returned when a message can't be attributed to an instrument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// The symbol is not listed and is not a valid name of an instrument.
    #[error("{0}; give it a shorter name under `instruments`")]
    Unfit(#[from] InstrumentError),
    /// A snapshot has no symbol, and there are several instruments.
    #[error("a snapshot that names no symbol; set `snapshot_symbol`")]
    Absent,
}

#[derive(Debug)]
pub(crate) struct Instruments {
    listed: HashMap<String, Instrument>,
    snapshots: Option<Instrument>,
    seen: Seen,
}

/// The symbols seen so far. The last one is cached, because the same symbol often repeats.
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

    /// Returns the symbols seen so far, which decide the instrument of a snapshot without one.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Restores the symbols that an earlier build has seen.
    pub(crate) fn resume(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// Returns the instrument of a symbol.
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

    /// Returns the instrument of a snapshot without a symbol: as configured, or the only one.
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
