//! The board, which collects what components and tasks report: numbers, rows and progress.
//!
//! Each component or task has a place of its own, with room for what [`limits`] allows. What one of
//! them reports takes no room from the others.

mod rows;

use std::collections::BTreeMap;

use hotbay_plugin_api::{
    abi::{SharedCounter, SharedGauge},
    limits::{self, cut},
};
use parking_lot::Mutex;

use rows::Rows;

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

/// The amount that a component or task reported beyond the [limits].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The rows of the report that were left out.
    pub rows: u64,
    /// The requests for counters that count together under [`limits::OTHERS`].
    pub counters: u64,
    /// The requests for gauges that are not shown.
    pub gauges: u64,
}

/// Collects the metrics, the rows of the report and the progress of all components.
#[derive(Debug, Default)]
pub struct Board(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    of: BTreeMap<String, Reported>,
    /// The number of rows so far, by which the rows of all components are sorted.
    rows: u64,
}

/// The reports of one component or task.
#[derive(Debug, Default)]
struct Reported {
    counters: BTreeMap<String, SharedCounter>,
    gauges: BTreeMap<String, SharedGauge>,
    /// The gauge that is set in place of all those for which there is no room.
    unshown: SharedGauge,
    progress: Option<Progress>,
    rows: Rows,
    left_out: LeftOut,
}

impl Board {
    fn with<T>(&self, component: &str, change: impl FnOnce(&mut Reported) -> T) -> T {
        change(self.0.lock().of.entry(component.to_owned()).or_default())
    }

    /// Returns the counter of this name, which survives the builds of its component.
    pub(crate) fn counter(&self, component: &str, name: &str) -> SharedCounter {
        self.with(component, |it| {
            meter(&mut it.counters, name).unwrap_or_else(|| {
                note(component, "counters", &mut it.left_out.counters);
                it.counters.entry(limits::OTHERS.to_owned()).or_default().clone()
            })
        })
    }

    /// Returns the gauge of this name, which survives the builds of its component.
    pub(crate) fn gauge(&self, component: &str, name: &str) -> SharedGauge {
        self.with(component, |it| {
            meter(&mut it.gauges, name).unwrap_or_else(|| {
                note(component, "gauges", &mut it.left_out.gauges);
                it.unshown.clone()
            })
        })
    }

    pub(crate) fn progress(&self, component: &str, progress: Progress) {
        self.with(component, |it| it.progress = Some(progress));
    }

    /// Adds a row, given as JSON, to a section of the report.
    pub(crate) fn row(&self, component: &str, section: &str, json: &str) {
        if json.len() <= limits::REPORT_ROW
            && let Err(error) = serde_json::from_str::<serde_json::Value>(json)
        {
            tracing::error!(%error, component, "a row of the report is not JSON");
            return;
        }
        let mut entries = self.0.lock();
        let Entries { of, rows } = &mut *entries;
        *rows += 1;
        let it = of.entry(component.to_owned()).or_default();
        let left_out = it.rows.add(*rows, section, json);
        if it.left_out.rows == 0 && left_out > 0 {
            tracing::warn!(
                component,
                "rows of the report are left out: of the last ones, {} are kept, of {} KiB together \
                 and {} KiB each",
                limits::REPORT_ROWS,
                limits::REPORT_BYTES >> 10,
                limits::REPORT_ROW >> 10,
            );
        }
        it.left_out.rows = it.left_out.rows.saturating_add(left_out);
    }

    /// Returns the values of all counters, by component and name.
    pub fn counters(&self) -> BTreeMap<(String, String), u64> {
        self.collect(|it| &it.counters, |counter| Some(counter.value()))
    }

    /// Returns the values of all gauges that were set, by component and name.
    pub fn gauges(&self) -> BTreeMap<(String, String), f64> {
        self.collect(|it| &it.gauges, SharedGauge::value)
    }

    fn collect<M, V>(
        &self,
        meters: impl Fn(&Reported) -> &BTreeMap<String, M>,
        value: impl Fn(&M) -> Option<V>,
    ) -> BTreeMap<(String, String), V> {
        let mut values = BTreeMap::new();
        for (component, reported) in &self.0.lock().of {
            for (name, meter) in meters(reported) {
                if let Some(value) = value(meter) {
                    values.insert((component.clone(), name.clone()), value);
                }
            }
        }
        values
    }

    /// Returns the progress of each component that has reported its progress.
    pub fn progresses(&self) -> BTreeMap<String, Progress> {
        let entries = self.0.lock();
        let told = entries.of.iter().filter_map(|(of, it)| Some((of.clone(), it.progress?)));
        told.collect()
    }

    /// Returns the rows of the report, in the order in which they were reported.
    pub fn rows(&self) -> Vec<ReportRow> {
        let entries = self.0.lock();
        let mut rows: Vec<_> =
            entries.of.iter().flat_map(|(component, it)| it.rows.read(component)).collect();
        rows.sort_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Returns the components and tasks that reported more than the [limits] allow.
    pub fn left_out(&self) -> BTreeMap<String, LeftOut> {
        let entries = self.0.lock();
        let beyond = entries.of.iter().filter(|(_, it)| it.left_out != LeftOut::default());
        beyond.map(|(of, it)| (of.clone(), it.left_out)).collect()
    }
}

/// Returns the counter or gauge of this name, or `None` if there is no room for another one.
fn meter<M: Clone + Default>(known: &mut BTreeMap<String, M>, name: &str) -> Option<M> {
    let name = cut(name, limits::NAME);
    let has_room = known.len() < limits::METERS || known.contains_key(&name);
    has_room.then(|| known.entry(name).or_default().clone())
}

/// Counts a counter or gauge that is left out, and logs the first of each kind.
fn note(component: &str, what: &str, left_out: &mut u64) {
    if *left_out == 0 {
        let room = limits::METERS;
        tracing::warn!(component, "there is room for {room} {what}; further ones are left out");
    }
    *left_out = left_out.saturating_add(1);
}

#[cfg(test)]
mod tests;
