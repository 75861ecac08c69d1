//! The runs of one build that are under way.
//!
//! A build is `Open` until it is closed, and then begins no more runs. A driver takes the build in
//! service and begins a run of it in two steps; in between, another build may come into service,
//! and the old one may have been found without runs and be unloaded.

use tokio::sync::watch;

/// Counts the runs under way.
#[derive(Debug)]
pub(super) struct RunsUnderWay(watch::Sender<State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open { runs: usize },
    Closed { runs: usize },
}

impl State {
    fn runs(self) -> usize {
        match self {
            Self::Open { runs } | Self::Closed { runs } => runs,
        }
    }

    fn runs_mut(&mut self) -> &mut usize {
        match self {
            Self::Open { runs } | Self::Closed { runs } => runs,
        }
    }
}

impl Default for RunsUnderWay {
    fn default() -> Self {
        Self(watch::Sender::new(State::Open { runs: 0 }))
    }
}

impl RunsUnderWay {
    /// Counts a run until the guard is dropped. Returns `None` if the build is closed.
    pub(super) fn begin(&self) -> Option<RunGuard<'_>> {
        let is_begun = self.0.send_if_modified(|state| match state {
            State::Open { runs } => {
                *runs += 1;
                true
            }
            State::Closed { .. } => false,
        });
        is_begun.then(|| RunGuard(&self.0))
    }

    /// Lets no more runs begin.
    pub(super) fn close(&self) {
        self.0.send_modify(|state| *state = State::Closed { runs: state.runs() });
    }

    /// Returns the number of runs under way.
    pub(super) fn count(&self) -> usize {
        self.0.borrow().runs()
    }

    /// Waits until no run is under way.
    pub(super) async fn none(&self) {
        let mut state = self.0.subscribe();
        // The sender is borrowed, so waiting does not fail.
        drop(state.wait_for(|state| state.runs() == 0).await);
    }
}

/// A run that is under way until this guard is dropped.
#[derive(Debug)]
pub(super) struct RunGuard<'a>(&'a watch::Sender<State>);

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|state| *state.runs_mut() -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{runtime::Builder, time::timeout};

    use super::*;

    #[test]
    fn a_build_that_is_closed_begins_no_run_and_waits_for_those_under_way() {
        let runs = RunsUnderWay::default();
        let run = runs.begin().expect("it is open");
        runs.close();
        assert!(runs.begin().is_none());
        assert_eq!(runs.count(), 1);
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let is_none = || {
            let none = async { timeout(Duration::ZERO, runs.none()).await.is_ok() };
            runtime.block_on(none)
        };
        assert!(!is_none(), "one is under way");
        drop(run);
        assert!(is_none());
    }
}
