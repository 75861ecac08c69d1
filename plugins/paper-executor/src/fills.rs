//! The fills file.

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

/// One fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The event time of the order.
    pub time_ns: i64,
    /// The source number of the strategy.
    pub strategy: u64,
    /// The strategy's number of the order.
    pub order: u64,
    /// What was traded.
    pub instrument: Instrument,
    /// Which way.
    pub side: Side,
    /// How much.
    pub quantity: Fixed,
    /// At which price.
    pub price: Fixed,
    /// The fee paid.
    pub fee: Decimal,
    /// The profit realized; zero if nothing was closed.
    pub profit: Decimal,
    /// The strategy's position afterwards.
    pub position: Fixed,
    /// The account's balance afterwards.
    pub balance: Decimal,
}

/// A CSV file with a line for each fill, in the order of filling.
#[derive(Debug)]
pub struct FillsFile {
    path: PathBuf,
    writer: csv::Writer<File>,
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
    /// Creates the file, or empties it, and writes the header.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn create(path: &Path) -> Result<Self, SchedulerError> {
        let failed = |error: io::Error| {
            SchedulerError::TaskInitialization(format!(
                "cannot create the fills file {}: {error}; create its folder and allow writing \
                 there, or change `fills`",
                path.display()
            ))
        };
        File::create(path).map_err(failed)?;
        // Appending, because the build that takes over writes to the same file, and this one
        // may go on after it.
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
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

    /// Goes on with the file of the build before, or begins it if it is gone.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn resume(path: &Path) -> Result<Self, SchedulerError> {
        match OpenOptions::new().append(true).open(path) {
            Ok(file) => {
                let writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
                Ok(Self { path: path.to_owned(), writer })
            }
            Err(_) => Self::create(path),
        }
    }

    /// Adds a fill.
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

    /// Puts what was added into the file.
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
