//! The services that the host shares among all plugins: the bus, the clock, and the board with
//! what components report.

mod clock;

use std::{collections::BTreeMap, sync::Arc};

use hotbay_plugin_api::{
    Batch, ChannelName, Mode,
    abi::{SharedCounter, SharedGauge},
};
use parking_lot::{Mutex, MutexGuard};

use hotbay_core::bus::EventBus;

pub use clock::{Clock, SystemClock};

/// The services that all plugins share. Clones are cheap and share everything.
#[derive(Debug, Clone)]
pub struct Services {
    /// The channels between components.
    pub bus: EventBus<ChannelName, Batch>,
    /// The clock that plugins see.
    pub clock: Arc<dyn Clock>,
    /// Live operation, or a replay whose time comes from a recording.
    pub mode: Mode,
    /// The board with what components report.
    pub board: Arc<Board>,
}

impl Services {
    /// Makes services with the system's clock, in live mode, with an empty board.
    pub fn new(bus: EventBus<ChannelName, Batch>) -> Self {
        Self { bus, clock: Arc::new(SystemClock::new()), mode: Mode::Live, board: Arc::default() }
    }

    /// Returns the same services in another mode.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}

/// One row of the final report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRow {
    /// The section of the report that the row belongs to.
    pub section: String,
    /// The component that reported the row.
    pub component: String,
    /// The columns of the row, a JSON object.
    pub row: serde_json::Value,
}

/// The progress of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The amount that is done, in the component's own unit.
    pub done: u64,
    /// The amount that there is to do, in the same unit.
    pub total: u64,
}

/// Collects the metrics, the rows of the report and the progress of all components.
#[derive(Debug, Default)]
pub struct Board(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    counters: BTreeMap<(String, String), SharedCounter>,
    gauges: BTreeMap<(String, String), SharedGauge>,
    progress: BTreeMap<String, Progress>,
    rows: Vec<ReportRow>,
}

impl Board {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock()
    }

    /// Returns the counter of this name, which survives the builds of its component.
    pub(crate) fn counter(&self, component: &str, name: &str) -> SharedCounter {
        let key = (component.to_owned(), name.to_owned());
        self.entries().counters.entry(key).or_default().clone()
    }

    /// Returns the gauge of this name, which survives the builds of its component.
    pub(crate) fn gauge(&self, component: &str, name: &str) -> SharedGauge {
        let key = (component.to_owned(), name.to_owned());
        self.entries().gauges.entry(key).or_default().clone()
    }

    pub(crate) fn progress(&self, component: &str, progress: Progress) {
        self.entries().progress.insert(component.to_owned(), progress);
    }

    pub(crate) fn row(&self, row: ReportRow) {
        self.entries().rows.push(row);
    }

    /// Returns the values of all counters, by component and name.
    pub fn counters(&self) -> BTreeMap<(String, String), u64> {
        let entries = self.entries();
        entries.counters.iter().map(|(key, counter)| (key.clone(), counter.value())).collect()
    }

    /// Returns the values of all gauges that were set, by component and name.
    pub fn gauges(&self) -> BTreeMap<(String, String), f64> {
        let entries = self.entries();
        let set =
            entries.gauges.iter().filter_map(|(key, gauge)| Some((key.clone(), gauge.value()?)));
        set.collect()
    }

    /// Returns the progress of each component that has reported its progress.
    pub fn progresses(&self) -> BTreeMap<String, Progress> {
        self.entries().progress.clone()
    }

    /// Returns the rows of the report, in the order in which they were reported.
    pub fn rows(&self) -> Vec<ReportRow> {
        self.entries().rows.clone()
    }
}
