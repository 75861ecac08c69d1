//! The component `sample`, a connector that replays a recording.

use std::path::PathBuf;

use hotbay_line_source::{Damage, LineReader, Recording, Unknown};
use hotbay_market::{Instrument, Quote, Trade};
use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::entry::{Entry, parse};

/// The number of entries in a turn, which take less than a millisecond to parse.
const ENTRIES_PER_TURN: usize = 256;
/// The version of [`State`]. Raise it whenever a field changes its meaning.
const STATE_VERSION: u32 = 1;

/// Where the recording is, and what its instruments are called.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The recording: JSON lines or one JSON array, plain or gzip.
    path: PathBuf,
    /// The names of the recording's instruments, from number 0.
    instruments: Vec<Instrument>,
}

/// The connector `sample`, which reads a recording and publishes its events.
#[derive(Debug)]
pub struct Sample {
    config: Config,
    context: Context,
    events: Publisher,
    source: Source,
    /// The number of lines, or entries of an array, that an earlier build published. They are
    /// read again and skipped, because gzip does not allow seeking.
    skip: u64,
    tally: Tally,
}

/// The saved state; the tally `T` is borrowed when it is written and owned when it is read.
#[derive(Debug, Serialize, Deserialize)]
struct State<T> {
    /// The number of lines, or entries of an array, that were read.
    position: u64,
    tally: T,
}

#[derive(Debug)]
enum Source {
    Unopened,
    Lines(Box<LineReader>),
    /// The remaining entries of an array, in reverse order.
    Array {
        rest: Vec<Box<RawValue>>,
        total: usize,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Tally {
    entries: u64,
    quotes: u64,
    trades: u64,
    one_sided: u64,
    reconnects: u64,
    damage: Damage,
    unknown: Unknown,
    #[serde(skip)]
    reported: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    source: &'a str,
    origin: &'a str,
    lines: u64,
    events: u64,
    quotes: u64,
    trades: u64,
    one_sided: u64,
    reconnects: u64,
    damaged: u64,
    damaged_lines: String,
    unknown: u64,
    unknown_kinds: String,
}

impl Component for Sample {
    type Config = Config;
    const DESCRIPTION: &'static str = "Normalised market data, as the crate `barter` ships it";
    const OUTPUTS: &'static [Port] =
        &[Port::required("events", "quotes and trades").of::<(Quote, Trade)>()];

    fn check(config: &Config) -> Result<(), String> {
        if config.instruments.is_empty() {
            return Err("instruments: expected the names of the instruments, from number 0".into());
        }
        Ok(())
    }

    fn create(config: Config, context: Context) -> Result<Self, SchedulerError> {
        let events = context.publisher("events")?;
        let (source, tally) = (Source::Unopened, Tally::default());
        Ok(Self { config, context, events, source, skip: 0, tally })
    }
}

#[async_trait]
impl BackgroundTask for Sample {
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        self.open()
    }

    async fn execute(&mut self) -> Result<(), SchedulerError> {
        let turn = self.turn();
        // Publish the events that were read even if the turn failed.
        self.events.flush().await?;
        if turn.is_err() {
            self.report();
        }
        turn
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        let state = State { position: self.position(), tally: &self.tally };
        SavedState::json(STATE_VERSION, &state).map(Some)
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        let State { position, tally } = state.read_json(STATE_VERSION)?;
        // After a rollback the restored position is ahead, and this build skips up to it.
        if self.position() > position {
            self.open()?;
        }
        (self.skip, self.tally) = (position, tally);
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.report();
        Ok(())
    }
}

impl Connector for Sample {}

impl Sample {
    fn open(&mut self) -> Result<(), SchedulerError> {
        let recording =
            Recording::open(&self.config.path).map_err(SchedulerError::initialization)?;
        self.source = Source::Lines(Box::new(LineReader::new(recording)));
        Ok(())
    }

    /// Returns the number of lines, or entries of an array, that were read or are to be skipped.
    fn position(&self) -> u64 {
        let passed = match &self.source {
            Source::Unopened => 0,
            Source::Lines(lines) => lines.passed(),
            Source::Array { rest, total } => (total - rest.len()) as u64,
        };
        passed.max(self.skip)
    }

    fn turn(&mut self) -> Result<(), SchedulerError> {
        for _ in 0..ENTRIES_PER_TURN {
            match &mut self.source {
                Source::Unopened => {
                    let message = "execute before initialize".to_owned();
                    return Err(SchedulerError::InvalidState(message));
                }
                Source::Lines(lines) => {
                    let Some(line) = lines.peek().map_err(SchedulerError::execution)? else {
                        return Err(SchedulerError::Finished);
                    };
                    if line.number == 1 && line.bytes.trim_ascii_start().starts_with(b"[") {
                        self.source = array(lines)?;
                        continue;
                    }
                    if line.number <= self.skip {
                        lines.advance();
                        continue;
                    }
                    let (number, text) = (line.number, String::from_utf8_lossy(line.bytes));
                    if !text.trim().is_empty() {
                        take(&text, number, &self.config, &mut self.events, &mut self.tally);
                    }
                    lines.advance();
                }
                Source::Array { rest, total } => {
                    let left = total.saturating_sub(usize::try_from(self.skip).unwrap_or(*total));
                    // The entries are in reverse order, so the published ones are cut off the end.
                    rest.truncate(left);
                    let Some(entry) = rest.pop() else { return Err(SchedulerError::Finished) };
                    let number = self.tally.entries + 1;
                    take(entry.get(), number, &self.config, &mut self.events, &mut self.tally);
                }
            }
        }
        match &self.source {
            Source::Unopened => {}
            Source::Lines(lines) => {
                let recording = lines.recording();
                self.context.progress(recording.bytes_done(), recording.bytes_total());
            }
            Source::Array { rest, total } => {
                self.context.progress((total - rest.len()) as u64, *total as u64);
            }
        }
        Ok(())
    }

    fn report(&mut self) {
        if std::mem::replace(&mut self.tally.reported, true) {
            return;
        }
        let origin = self.config.path.file_name().unwrap_or_default().to_string_lossy();
        let tally = &self.tally;
        let row = Row {
            source: self.context.id(),
            origin: &origin,
            lines: tally.entries,
            events: tally.quotes + tally.trades,
            quotes: tally.quotes,
            trades: tally.trades,
            one_sided: tally.one_sided,
            reconnects: tally.reconnects,
            damaged: tally.damage.total(),
            damaged_lines: tally.damage.lines(),
            unknown: tally.unknown.total(),
            unknown_kinds: tally.unknown.names(),
        };
        self.context.report("sources", &row);
    }
}

/// Reads a recording that is one JSON array.
fn array(lines: &mut LineReader) -> Result<Source, SchedulerError> {
    let mut text = Vec::new();
    lines.read_rest(&mut text).map_err(SchedulerError::execution)?;
    let mut rest: Vec<Box<RawValue>> = serde_json::from_slice(&text).map_err(|error| {
        let path = lines.recording().path().display();
        SchedulerError::TaskExecution(format!("{path} is no JSON array: {error}; copy it again"))
    })?;
    rest.reverse();
    let total = rest.len();
    Ok(Source::Array { rest, total })
}

/// Parses one entry, and publishes or counts it.
fn take(json: &str, number: u64, config: &Config, events: &mut Publisher, tally: &mut Tally) {
    tally.entries += 1;
    let origin = config.path.display().to_string();
    let entry = match parse(json) {
        Ok(entry) => entry,
        Err(error) => return tally.damage.note(&origin, number, &error),
    };
    match entry {
        Entry::Quote { time_ns, instrument, bid, ask } => {
            match config.instruments.get(instrument) {
                Some(&instrument) => {
                    let (bid, bid_size) = bid;
                    let (ask, ask_size) = ask;
                    events.push(time_ns, &Quote { instrument, bid, bid_size, ask, ask_size });
                    tally.quotes += 1;
                }
                None => tally.unknown.note(&origin, number, &format!("instrument {instrument}")),
            }
        }
        Entry::Trade { time_ns, instrument, price, quantity, id, side } => {
            match config.instruments.get(instrument) {
                Some(&instrument) => {
                    let side = side.code();
                    events.push(time_ns, &Trade { instrument, price, quantity, id, side });
                    tally.trades += 1;
                }
                None => tally.unknown.note(&origin, number, &format!("instrument {instrument}")),
            }
        }
        Entry::OneSided => tally.one_sided += 1,
        Entry::Reconnecting(exchange) => {
            tracing::warn!(exchange, entry = number, "the recorder lost its connection here");
            tally.reconnects += 1;
        }
        Entry::Unknown(name) => tally.unknown.note(&origin, number, &name),
    }
}
