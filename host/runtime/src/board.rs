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
    /// The number of rows so far, which orders those of all components.
    rows: u64,
}

/// The reports of one component or task.
#[derive(Debug, Default)]
struct Reported {
    counters: BTreeMap<String, SharedCounter>,
    gauges: BTreeMap<String, SharedGauge>,
    /// The gauge that stands for those which are not shown.
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
        let name = cut(name, limits::NAME);
        self.with(component, |it| {
            let is_known = it.counters.contains_key(&name);
            if is_known || it.counters.len() < limits::METERS {
                return it.counters.entry(name).or_default().clone();
            }
            note(component, "counters", limits::METERS, &mut it.left_out.counters);
            it.counters.entry(limits::OTHERS.to_owned()).or_default().clone()
        })
    }

    /// Returns the gauge of this name, which survives the builds of its component.
    pub(crate) fn gauge(&self, component: &str, name: &str) -> SharedGauge {
        let name = cut(name, limits::NAME);
        self.with(component, |it| {
            let is_known = it.gauges.contains_key(&name);
            if is_known || it.gauges.len() < limits::METERS {
                return it.gauges.entry(name).or_default().clone();
            }
            note(component, "gauges", limits::METERS, &mut it.left_out.gauges);
            it.unshown.clone()
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
        for _ in 0..it.rows.add(*rows, section, json) {
            note(component, "rows", limits::REPORT_ROWS, &mut it.left_out.rows);
        }
    }

    /// Returns the values of all counters, by component and name.
    pub fn counters(&self) -> BTreeMap<(String, String), u64> {
        self.collect(|it| it.counters.iter().map(|(name, it)| (name, it.value())).collect())
    }

    /// Returns the values of all gauges that were set, by component and name.
    pub fn gauges(&self) -> BTreeMap<(String, String), f64> {
        self.collect(|it| {
            it.gauges.iter().filter_map(|(name, it)| Some((name, it.value()?))).collect()
        })
    }

    fn collect<V>(
        &self,
        values: impl Fn(&Reported) -> Vec<(&String, V)>,
    ) -> BTreeMap<(String, String), V> {
        let entries = self.0.lock();
        let of = |(component, reported)| {
            let named = |(name, value): (&String, V)| {
                let component: &String = component;
                ((component.clone(), name.clone()), value)
            };
            values(reported).into_iter().map(named).collect::<Vec<_>>()
        };
        entries.of.iter().flat_map(of).collect()
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

/// Counts something that is left out, and logs the first.
fn note(component: &str, what: &str, room: usize, left_out: &mut u64) {
    if *left_out == 0 {
        tracing::warn!(component, "there is room for {room} {what}; further ones are left out");
    }
    *left_out = left_out.saturating_add(1);
}

#[cfg(test)]
mod tests;
