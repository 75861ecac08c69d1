//! The gate through which one build of a component publishes and reports.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Decides whether one build of a component may publish events and add rows to the report.
///
/// The gate of a build is closed when another build continues with its state: what the two
/// report would be counted twice otherwise. A roll-back opens the gate again. Clones are the
/// same gate; a new gate is open.
#[derive(Debug, Clone, Default)]
pub struct ReportGate {
    is_closed: Arc<AtomicBool>,
}

impl ReportGate {
    /// Closes the gate.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Opens the gate again.
    pub fn open(&self) {
        self.is_closed.store(false, Ordering::Release);
    }

    /// Returns `true` while the gate is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Returns `true` if both are the gate of the same build of the same component.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.is_closed, &other.is_closed)
    }
}
