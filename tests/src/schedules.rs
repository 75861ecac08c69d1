//! Hosts with the plugin `schedules`, of whose tasks a test picks those that it needs.

use std::path::PathBuf;

use serde_json::Value;

use crate::{ConfigFile, Ended, PluginsFolder, Run, Running, switched_off, until};

/// The tasks of the plugin `schedules` that run without being asked for.
const SCHEDULED: [&str; 9] =
    ["ticks", "after", "once", "stubborn", "hangs", "deaf", "beside", "past", "doomed"];

/// Returns entries of a configuration's `tasks` that switch off those tasks of the plugin `schedules`
/// that run without being asked for, but for these.
pub fn only_scheduled(tasks: &[&str]) -> String {
    switched_off("schedules", &SCHEDULED, tasks)
}

/// A configuration with the plugin `schedules`, for one host after another.
#[derive(Debug)]
pub struct Schedules {
    _folder: PluginsFolder,
    config: ConfigFile,
}

impl Schedules {
    /// Makes a configuration in which these tasks keep their schedules, and all others run only when
    /// they are asked for. `more` is YAML that follows the entries of `tasks`.
    ///
    /// # Panics
    /// If the plugin does not build, or the configuration can't be written.
    pub fn with(tasks: &[&str], more: &str) -> Self {
        let folder = PluginsFolder::with(&["schedules"]);
        let off = only_scheduled(tasks);
        let config = ConfigFile::new(&folder, &format!("tasks:\n{off}{more}"));
        Self { _folder: folder, config }
    }

    /// Returns the configuration file with which the hosts are started.
    pub fn config(&self) -> &ConfigFile {
        &self.config
    }

    /// Starts a host, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(&self) -> Running {
        let running = Run::config(self.config.path()).log("info").start();
        until("the host answers", || self.config.status());
        running
    }

    /// Prepares the call `hotbay task COMMAND CONFIG ARGUMENTS`.
    pub fn call(&self, command: &str, arguments: &[&str]) -> Run {
        let start = [PathBuf::from("task"), command.into(), self.config.path()];
        Run::new(start.into_iter().chain(arguments.iter().map(PathBuf::from)))
    }

    /// Calls `hotbay task COMMAND CONFIG ARGUMENTS`, and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn task(&self, command: &str, arguments: &[&str]) -> Ended {
        self.call(command, arguments).finish()
    }

    /// Returns what `hotbay task COMMAND CONFIG ARGUMENTS --output json` prints.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn json(&self, command: &str, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        let ended = self.task(command, &arguments).expect_code(0);
        serde_json::from_str(&ended.stdout).expect("it is JSON")
    }

    /// Returns the latest runs of a task, the latest first.
    ///
    /// # Panics
    /// If the host does not list them.
    pub fn history(&self, task: &str) -> Vec<Value> {
        self.json("history", &[task]).as_array().cloned().expect("a list")
    }
}
