//! Writes the fills to a CSV file.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
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
/// Rows are appended whole, as soon as they are added. Two builds have the file open while the
/// newer one is on probation: the older build, after a rollback, writes after the lines of the
/// newer one.
#[derive(Debug)]
pub struct FillsFile {
    path: PathBuf,
    file: File,
}

/// The names of the columns.
const HEADER: [&str; 11] = [
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
];

/// Rows are written together up to this size in bytes, at which a pipe, too, takes them whole.
const AT_ONCE: usize = 4096;

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
    /// Creates the file, or truncates a fills file of an earlier run, and writes the header.
    ///
    /// # Errors
    /// If it can't be written, if another executor writes it, or if a file exists there that
    /// is no fills file: it could be the recording that is replayed.
    pub fn create(path: &Path) -> Result<Self, SchedulerError> {
        Self::open(path, Found::Emptied)
    }

    /// Opens the file of an earlier build for appending; creates it if it does not exist.
    ///
    /// # Errors
    /// As for [`create`](Self::create), except that the earlier build may still have it open.
    pub fn go_on(path: &Path) -> Result<Self, SchedulerError> {
        Self::open(path, Found::Kept)
    }

    /// Returns the path under which the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open(path: &Path, found: Found) -> Result<Self, SchedulerError> {
        let refused = |text: &str| {
            SchedulerError::TaskInitialization(format!("the fills file {} {text}", path.display()))
        };
        let failed = |error: io::Error| {
            SchedulerError::TaskInitialization(format!(
                "cannot create the fills file {}: {error}; create its folder and allow writing \
                 there, or change `fills`",
                path.display()
            ))
        };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = Self { path: path.to_owned(), file: file.map_err(failed)? };
        let there = file.file.metadata().map_err(failed)?;
        // A pipe or a terminal has nothing to lose, and can't be locked or truncated.
        if there.is_file() {
            let lock = file.file.try_lock();
            if found == Found::Emptied && matches!(lock, Err(TryLockError::WouldBlock)) {
                return Err(refused("is being written by another executor; change `fills`"));
            }
            if there.len() > 0 && !file.has_header().map_err(failed)? {
                return Err(refused(
                    "exists and is no fills file: its first line is another one; change `fills`, \
                     or move the file away",
                ));
            }
            if found == Found::Emptied {
                file.file.set_len(0).map_err(failed)?;
            } else if there.len() > 0 {
                return Ok(file);
            }
        }
        let header = row(|writer| writer.write_record(HEADER)).map_err(failed)?;
        file.append(&header).map_err(failed)?;
        Ok(file)
    }

    /// Returns `true` if the first line of the file is that of a fills file.
    fn has_header(&self) -> io::Result<bool> {
        let expected = row(|writer| writer.write_record(HEADER))?;
        let mut start = Vec::new();
        (&self.file).take(expected.len() as u64).read_to_end(&mut start)?;
        Ok(start == expected)
    }

    /// Appends fills to the file.
    ///
    /// # Errors
    /// If they can't be written. The file then has none of the last rows, and no half one.
    pub fn add(&mut self, fills: impl IntoIterator<Item = Fill>) -> Result<(), SchedulerError> {
        let path = self.path.display().to_string();
        let failed = |error| {
            SchedulerError::TaskExecution(format!("cannot write the fills file {path}: {error}"))
        };
        let mut rows = Vec::new();
        for fill in fills {
            let next = row(|writer| writer.serialize(line(&fill))).map_err(failed)?;
            if rows.len() + next.len() > AT_ONCE {
                self.append(&rows).map_err(failed)?;
                rows.clear();
            }
            rows.extend_from_slice(&next);
        }
        self.append(&rows).map_err(failed)
    }

    /// Appends whole rows, all of them or none.
    fn append(&mut self, rows: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < rows.len() {
            match self.file.write(&rows[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if written > 0
                        && let Ok(there) = self.file.metadata()
                        && let Err(error) = self.file.set_len(there.len() - written as u64)
                    {
                        tracing::warn!(%error, "half a row is left in the fills file");
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn row(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    write(&mut writer)?;
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn line(fill: &Fill) -> Line<'_> {
    Line {
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
    }
}
