//! What went wrong with single files, while a task went on with the others.

use std::error::Error;

use hotbay_plugin_api::SchedulerError;

use crate::folder::FolderError;

/// How many problems of a run are logged.
const LOGGED: usize = 20;

/// The problems of a run.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    count: u64,
    first: Vec<String>,
}

impl Problems {
    /// Returns a value, or notes the problem for which there is none.
    pub(crate) fn noted<T>(&mut self, result: Result<T, FolderError>) -> Option<T> {
        result.map_err(|error| self.add(&error)).ok()
    }

    fn add(&mut self, error: &FolderError) {
        self.count += 1;
        if self.first.len() < LOGGED {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            self.first.push(format!("{error}{cause}"));
        }
    }

    /// Returns the result of the run, which is `value` if there were no problems.
    ///
    /// # Errors
    /// The number of problems and the first one, after the first ones were logged.
    pub(crate) fn result<T>(self, value: T) -> Result<T, SchedulerError> {
        self.first.iter().for_each(|problem| tracing::warn!("{problem}"));
        match (self.count, self.first.first()) {
            (1, Some(problem)) => Err(SchedulerError::TaskExecution(problem.clone())),
            (count, Some(first)) => Err(SchedulerError::TaskExecution(format!(
                "{count} problems, of which the first is: {first}"
            ))),
            (_, None) => Ok(value),
        }
    }
}
