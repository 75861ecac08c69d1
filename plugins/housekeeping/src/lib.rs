//! Tasks that keep folders in order: they remove old files, compute statistics, export these as a
//! report, and copy a folder to another one.
//!
//! None of them runs until the configuration switches it on and names its folders:
//!
//! ```yaml
//! tasks:
//!   - plugin: housekeeping
//!     task: clean_cache
//!     enabled: true
//!     config: { folders: [/var/cache/app], older_than: 7days }
//! ```
//!
//! A task stays in the folders that it was given, whatever links are in them and whoever renames
//! folders while it runs: each folder is held open, and names are looked up in it one by one,
//! without following links (see the module `folder`). It does not leave their file system either.

mod clean_cache;
mod compute_stats;
mod export_report;
mod folder;
mod histogram;
mod output;
mod problems;
mod settings;
mod stats;
mod sync_data;

use std::time::Duration;

use hotbay_plugin_api::prelude::*;

use clean_cache::clean_cache;
use compute_stats::compute_stats;
use export_report::export_report;
use sync_data::sync_data;

const HOURLY: Schedule = Schedule::Every(Duration::from_secs(3600));

/// The tasks that the host runs; `hotbay plugin inspect` shows their settings.
pub const PLUGIN_TASKS: &[PluginTask] = &[
    PluginTask {
        description: "Removes the files that were not modified for a time",
        schedule: HOURLY,
        settings: Some(settings_of::<clean_cache::Settings>()),
        enabled: false,
        ..PluginTask::new("clean_cache", run_async!(clean_cache))
    },
    PluginTask {
        description: "Computes the sizes, counts and ages of the files in folders",
        schedule: HOURLY,
        priority: Priority::HIGH,
        settings: Some(settings_of::<compute_stats::Settings>()),
        enabled: false,
        ..PluginTask::new("compute_stats", run_sync!(compute_stats))
    },
    PluginTask {
        description: "Writes the statistics as an HTML page and a CSV table",
        schedule: Schedule::AfterDependencies,
        depends_on: &["compute_stats"],
        settings: Some(settings_of::<export_report::Settings>()),
        enabled: false,
        ..PluginTask::new("export_report", run_sync!(export_report))
    },
    PluginTask {
        description: "Copies new and changed files to another folder",
        schedule: HOURLY,
        attempts: 4,
        alert_after: Some(1),
        retry_delay: Duration::from_secs(60),
        settings: Some(settings_of::<sync_data::Settings>()),
        enabled: false,
        ..PluginTask::new("sync_data", run_sync!(sync_data))
    },
];

export_plugin! { tasks: PLUGIN_TASKS }

/// Returns an error if the run was asked to stop.
fn check_cancelled(context: &Context) -> Result<(), SchedulerError> {
    match context.is_cancelled() {
        true => Err(SchedulerError::TaskExecution("cancelled".to_owned())),
        false => Ok(()),
    }
}
