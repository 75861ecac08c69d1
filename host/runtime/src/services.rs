//! What the host shares among all plugins: the bus, the clock, and the board on
//! which components leave their numbers.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use hotbay_plugin_api::{
    Batch, ChannelName, Mode,
    abi::{SharedCounter, SharedGauge},
};

use hotbay_core::bus::EventBus;

/// The time that plugins see. The system's, unless a test or a simulation holds it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Nanoseconds since 1970, UTC.
    fn now_ns(&self) -> i64;

    /// Comes back when the clock has moved on by `duration`.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ns(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// What plugins share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// The channels between components.
    pub bus: EventBus<ChannelName, Batch>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether time comes from a recording.
    pub mode: Mode,
    /// Where components leave numbers and rows.
    pub board: Arc<Board>,
}

impl Services {
    /// Services on the system's clock, in live mode, with an empty board.
    pub fn new(bus: EventBus<ChannelName, Batch>) -> Self {
        Self { bus, clock: Arc::new(SystemClock), mode: Mode::Live, board: Arc::default() }
    }

    /// The same services for a replay.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}

/// One row of the final report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRow {
    /// The table that it belongs to.
    pub section: String,
    /// The component that gave it.
    pub component: String,
    /// Its columns.
    pub row: serde_json::Value,
}

/// How far a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How much is done, in the component's unit.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// The numbers, rows and progress that components leave.
#[derive(Debug, Default)]
pub struct Board(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    counters: BTreeMap<(String, String), SharedCounter>,
    gauges: BTreeMap<(String, String), SharedGauge>,
    progress: BTreeMap<String, Progress>,
    rows: Vec<ReportRow>,
}

impl Board {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counter of this name, which outlives the builds of its component.
    pub(crate) fn counter(&self, component: &str, name: &str) -> SharedCounter {
        let key = (component.to_owned(), name.to_owned());
        self.notes().counters.entry(key).or_default().clone()
    }

    /// The gauge of this name, which outlives the builds of its component.
    pub(crate) fn gauge(&self, component: &str, name: &str) -> SharedGauge {
        let key = (component.to_owned(), name.to_owned());
        self.notes().gauges.entry(key).or_default().clone()
    }

    pub(crate) fn progress(&self, component: &str, progress: Progress) {
        self.notes().progress.insert(component.to_owned(), progress);
    }

    pub(crate) fn row(&self, row: ReportRow) {
        self.notes().rows.push(row);
    }

    /// All counters that were asked for, by component and name.
    pub fn counters(&self) -> BTreeMap<(String, String), u64> {
        let notes = self.notes();
        notes.counters.iter().map(|(key, counter)| (key.clone(), counter.value())).collect()
    }

    /// All gauges that were set, by component and name.
    pub fn gauges(&self) -> BTreeMap<(String, String), f64> {
        let notes = self.notes();
        let set =
            notes.gauges.iter().filter_map(|(key, gauge)| Some((key.clone(), gauge.value()?)));
        set.collect()
    }

    /// How far each component is that told so.
    pub fn progresses(&self) -> BTreeMap<String, Progress> {
        self.notes().progress.clone()
    }

    /// The rows of the report, in the order in which they came.
    pub fn rows(&self) -> Vec<ReportRow> {
        self.notes().rows.clone()
    }
}
