//! Writes the fills to a CSV file.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use hotbay_market::{Fixed, Instrument, Side};
use hotbay_plugin_api::SchedulerError;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::money;

/// One fill, which is a row of the CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The event time of the order.
    pub time_ns: i64,
    /// The source number of the strategy.
    pub strategy: u64,
    /// The strategy's number of the order.
    pub order: u64,
    /// The traded instrument.
    pub instrument: Instrument,
    /// The side of the order.
    pub side: Side,
    /// The filled quantity.
    pub quantity: Fixed,
    /// The price of the fill.
    pub price: Fixed,
    /// The fee paid for the fill.
    pub fee: Decimal,
    /// The profit realized; zero if nothing was closed.
    pub profit: Decimal,
    /// The strategy's position in the instrument after the fill.
    pub position: Fixed,
    /// The account's balance after the fill.
    pub balance: Decimal,
}

/// A CSV file with a line for each fill, in the order of the fills.
///
/// Two builds have the file open while the newer one is on probation. Both append, so that
/// the older build, after a rollback, writes after the lines of the newer one.
#[derive(Debug)]
pub struct FillsFile {
    path: PathBuf,
    writer: csv::Writer<File>,
}

/// Whether the existing content of the file is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Emptied,
    Kept,
}

#[derive(Serialize)]
struct Line<'a> {
    time_ns: i64,
    strategy: u64,
    order: u64,
    instrument: &'a str,
    side: &'static str,
    quantity: String,
    price: String,
    fee: String,
    profit: String,
    position: String,
    balance: String,
}

impl FillsFile {
    /// Creates the file, or truncates it, and writes the header.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn create(path: &Path) -> Result<Self, SchedulerError> {
        Self::open(path, Found::Emptied)
    }

    /// Opens the file of an earlier build for appending; creates it if it does not exist.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn go_on(path: &Path) -> Result<Self, SchedulerError> {
        Self::open(path, Found::Kept)
    }

    /// Returns the path under which the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open(path: &Path, found: Found) -> Result<Self, SchedulerError> {
        let failed = |error: io::Error| {
            SchedulerError::TaskInitialization(format!(
                "cannot create the fills file {}: {error}; create its folder and allow writing \
                 there, or change `fills`",
                path.display()
            ))
        };
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
        let there = file.metadata().map_err(failed)?;
        // A pipe or a terminal can't be truncated.
        if found == Found::Emptied && there.is_file() {
            file.set_len(0).map_err(failed)?;
        }
        let begun = found == Found::Kept && there.len() > 0;
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        if begun {
            return Ok(Self { path: path.to_owned(), writer });
        }
        writer
            .write_record([
                "time_ns",
                "strategy",
                "order",
                "instrument",
                "side",
                "quantity",
                "price",
                "fee",
                "profit",
                "position",
                "balance",
            ])
            .map_err(|error| failed(error.into()))?;
        writer.flush().map_err(failed)?;
        Ok(Self { path: path.to_owned(), writer })
    }

    /// Adds a fill to the buffer.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn add(&mut self, fill: &Fill) -> Result<(), SchedulerError> {
        let line = Line {
            time_ns: fill.time_ns,
            strategy: fill.strategy,
            order: fill.order,
            instrument: fill.instrument.as_str(),
            side: match fill.side {
                Side::Buy => "buy",
                Side::Sell => "sell",
            },
            quantity: fill.quantity.to_string(),
            price: fill.price.to_string(),
            fee: money::text(fill.fee),
            profit: money::text(fill.profit),
            position: fill.position.to_string(),
            balance: money::text(fill.balance),
        };
        self.writer.serialize(line).map_err(|error| self.failed(&error))
    }

    /// Writes the added fills to the file.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn flush(&mut self) -> Result<(), SchedulerError> {
        self.writer.flush().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::error::Error) -> SchedulerError {
        let path = self.path.display();
        SchedulerError::TaskExecution(format!("cannot write the fills file {path}: {error}"))
    }
}
