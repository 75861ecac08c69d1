//! The component `sample`, a connector that replays a recording.

use std::path::PathBuf;

use hotbay_line_source::{Damage, LineReader, Recording, Unknown, check_usable, excerpt};
use hotbay_market::{Instrument, Quote, Trade};
use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::entry::{Entry, parse};

/// The number of entries in a turn, which take less than a millisecond to parse.
const ENTRIES_PER_TURN: usize = 256;
/// The number of lost connections of the recorder that are logged; all of them are counted.
const LOGGED: u64 = 5;
/// The version of [`State`]. Raise it whenever a field changes its meaning.
const STATE_VERSION: u32 = 2;

/// Where the recording is, and what its instruments are called.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The recording: JSON lines or one JSON array, plain, gzip or zstd.
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
    /// A recording of which no line has shown yet whether it is an array.
    Opened(Box<LineReader>),
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
    no_trade: u64,
    reconnects: u64,
    lost_values: Damage,
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
    /// Those of the quotes that have no two sides.
    one_sided: u64,
    /// Trades without a price or a quantity, which are not published.
    no_trade: u64,
    reconnects: u64,
    lost_values: u64,
    lost_values_lines: String,
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
        self.source = Source::Opened(Box::new(LineReader::new(recording)));
        Ok(())
    }

    /// Returns the number of lines, or entries of an array, that were read or are to be skipped.
    fn position(&self) -> u64 {
        let passed = match &self.source {
            Source::Unopened => 0,
            Source::Opened(lines) | Source::Lines(lines) => lines.passed(),
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
                Source::Opened(lines) => match starts_array(lines)? {
                    None => return Err(self.ended()),
                    Some(true) => self.source = array(lines)?,
                    Some(false) => {
                        let Source::Opened(lines) =
                            std::mem::replace(&mut self.source, Source::Unopened)
                        else {
                            continue;
                        };
                        self.source = Source::Lines(lines);
                    }
                },
                Source::Lines(lines) => {
                    let Some(line) = lines.peek().map_err(SchedulerError::execution)? else {
                        return Err(self.ended());
                    };
                    if line.number > self.skip {
                        let (number, text) = (line.number, String::from_utf8_lossy(line.bytes));
                        for entry in serde_json::Deserializer::from_str(&text).into_iter() {
                            let entry: Result<&RawValue, _> = entry;
                            let json = entry.map_or(&*text, RawValue::get);
                            take(json, number, &self.config, &mut self.events, &mut self.tally);
                        }
                    }
                    lines.advance();
                }
                Source::Array { rest, total } => {
                    let left = total.saturating_sub(usize::try_from(self.skip).unwrap_or(*total));
                    // The entries are in reverse order, so the published ones are cut off the end.
                    rest.truncate(left);
                    let Some(entry) = rest.pop() else { return Err(self.ended()) };
                    let number = self.tally.entries + 1;
                    take(entry.get(), number, &self.config, &mut self.events, &mut self.tally);
                }
            }
        }
        match &self.source {
            Source::Unopened => {}
            Source::Opened(lines) | Source::Lines(lines) => {
                let recording = lines.recording();
                self.context.progress(recording.bytes_done(), recording.bytes_total());
            }
            Source::Array { rest, total } => {
                self.context.progress((total - rest.len()) as u64, *total as u64);
            }
        }
        Ok(())
    }

    /// Returns how the recording ended: well, unless nothing of it was of use.
    fn ended(&self) -> SchedulerError {
        let Tally { entries, quotes, trades, damage, unknown, .. } = &self.tally;
        if quotes + trades == 0 {
            let path = self.config.path.display();
            tracing::warn!(%path, entries, "nothing of the recording was published");
        }
        check_usable(&self.config.path, *entries, damage, unknown)
            .map_or_else(SchedulerError::execution, |()| SchedulerError::Finished)
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
            no_trade: tally.no_trade,
            reconnects: tally.reconnects,
            lost_values: tally.lost_values.total(),
            lost_values_lines: tally.lost_values.lines(),
            damaged: tally.damage.total(),
            damaged_lines: tally.damage.lines(),
            unknown: tally.unknown.total(),
            unknown_kinds: tally.unknown.names(),
        };
        self.context.report("sources", &row);
    }
}

/// Returns `true` if the first line that is not blank begins an array; `None` if there is none.
fn starts_array(lines: &mut LineReader) -> Result<Option<bool>, SchedulerError> {
    while let Some(line) = lines.peek().map_err(SchedulerError::execution)? {
        let text = line.bytes.trim_ascii_start();
        if !text.is_empty() {
            return Ok(Some(text.starts_with(b"[")));
        }
        lines.advance();
    }
    Ok(None)
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
    let instrument_of = |number: usize| config.instruments.get(number).copied();
    match entry {
        Entry::Quote { time_ns, instrument: of, bid, ask, lost_values } => {
            let Some(instrument) = instrument_of(of) else {
                return tally.unknown.note(&origin, number, &format!("instrument {of}"));
            };
            let ((bid, bid_size), (ask, ask_size)) = (bid, ask);
            let quote = Quote { instrument, bid, bid_size, ask, ask_size };
            events.push(time_ns, &quote);
            tally.quotes += 1;
            tally.one_sided += u64::from(!quote.is_two_sided());
            if let Some(values) = lost_values {
                tally.lost_values.note_values(&origin, number, &values);
            }
        }
        Entry::Trade { time_ns, instrument: of, price, quantity, id, side } => {
            let Some(instrument) = instrument_of(of) else {
                return tally.unknown.note(&origin, number, &format!("instrument {of}"));
            };
            let trade = Trade { instrument, price, quantity, id, side: side.code() };
            if !trade.is_trade() {
                return tally.no_trade += 1;
            }
            events.push(time_ns, &trade);
            tally.trades += 1;
        }
        Entry::Reconnecting(exchange) => {
            tally.reconnects += 1;
            if tally.reconnects <= LOGGED {
                let exchange = excerpt(&exchange);
                tracing::warn!(exchange, entry = number, "the recorder lost its connection here");
            }
        }
        Entry::Unknown(name) => tally.unknown.note(&origin, number, &name),
    }
}
