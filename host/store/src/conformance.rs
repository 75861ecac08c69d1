//! What every store must do, as checks that run against any of them.
//!
//! Each check gets a [`Factory`], which opens the same store as often as it is called: each handle
//! stands for one host. A check panics if the store does not do what it must.

mod claims;
mod epochs;
mod history;
mod records;
mod samples;

use std::sync::Arc;

pub use samples::{created, end, queued, requested, start};

use crate::store::Store;

/// Opens handles of one store, which is empty at first.
pub trait Factory {
    /// Opens a further handle, as another host would.
    fn open(&self) -> Arc<dyn Store>;
}

/// A check and its name.
pub type Check = (&'static str, fn(&dyn Factory));

/// All checks.
pub const CHECKS: &[Check] = &[
    ("a newer epoch fences the older one", epochs::a_newer_epoch_fences_the_older_one),
    ("a closed epoch can be followed at once", epochs::a_closed_epoch_can_be_followed_at_once),
    ("a host in charge keeps others out", epochs::a_host_in_charge_keeps_others_out),
    ("a host that is gone is followed", epochs::a_host_that_is_gone_is_followed),
    ("a nominal time has one run", records::a_nominal_time_has_one_run),
    ("an event is a cause", records::an_event_is_a_cause),
    ("a clock that is set back lets times come again", records::a_clock_that_is_set_back),
    ("an error of one batch leaves others alone", records::an_error_of_one_batch_leaves_others),
    ("a task is known as it was stored", records::a_task_is_known_as_it_was_stored),
    ("a batch is told to its caller once, in order", records::batches_are_told_in_order),
    ("a run is claimed once", claims::a_run_is_claimed_once),
    ("a run of an older epoch is found and tried again", claims::a_run_of_an_older_epoch),
    ("a run ends once, and not during an attempt", claims::a_run_ends_once),
    ("a run has all that was said of it", history::a_run_has_all_that_was_said_of_it),
    ("pages hold every run once, newest first", history::pages_hold_every_run_once),
    ("counts are those of the runs", history::counts_are_those_of_the_runs),
    ("what is kept is kept, and the rest removed", history::what_is_kept_is_kept),
    ("a log is read from any line", history::a_log_is_read_from_any_line),
    ("all is there after reopening", history::all_is_there_after_reopening),
];
