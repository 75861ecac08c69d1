//! A configuration while it is being read, complete or not.

use std::path::PathBuf;

use crate::Config;
use crate::diagnostic::{Diagnostics, Position};
use crate::document::{Document, Node};
use crate::entries::{ChannelEntry, ComponentEntry, History, Limits, Pipeline, Plugins, Reload};
use crate::entries::{Shutdown, TimeMode};
use crate::folders::{base_dir, state_folder};
use crate::source::Report;
use crate::tasks::TaskEntry;
use hotbay_plugin_api::Role;

/// The entries that have no error.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(super) plugins: Option<Plugins>,
    /// Every declared channel. The declaration is `None` if it has an error.
    pub(crate) channels: Vec<(String, Option<ChannelEntry>)>,
    pub(crate) pipeline: Option<PipelineDraft>,
    pub(crate) tasks: Vec<TaskEntry>,
    pub(super) limits: Limits,
    pub(super) history: History,
    pub(super) reload: Reload,
    pub(super) state_folder: Option<PathBuf>,
    pub(super) shutdown: Shutdown,
}

/// The components of the pipeline that have no error.
#[derive(Debug)]
pub(crate) struct PipelineDraft {
    pub(super) time: Option<TimeMode>,
    pub(crate) components: Vec<ComponentEntry>,
    /// The positions of all entries, including those with an error.
    pub(crate) places: Vec<(Role, Position)>,
    /// The roles whose list has an error, so that its entries cannot be counted.
    pub(crate) unreadable: Vec<Role>,
    /// Whether `components` contains all entries of the file.
    pub(crate) is_complete: bool,
    /// The position of the key `pipeline`.
    pub(crate) key_position: Position,
}

impl PipelineDraft {
    pub(super) fn new(key_position: Position) -> Self {
        Self {
            time: None,
            components: Vec::new(),
            places: Vec::new(),
            unreadable: Vec::new(),
            is_complete: true,
            key_position,
        }
    }

    /// Adds an entry. `None` stands for an entry with an error.
    pub(super) fn add(&mut self, role: Role, node: &Node, entry: Option<ComponentEntry>) {
        self.places.push((role, node.position));
        self.is_complete &= entry.is_some();
        self.components.extend(entry);
    }

    fn finish(self) -> Option<Pipeline> {
        let mut components = self.components;
        let mut of = |role| components.extract_if(.., |entry| entry.role == role).collect();
        let (connectors, mut aggregators): (_, Vec<_>) =
            (of(Role::Connector), of(Role::Aggregator));
        Some(Pipeline {
            time: self.time?,
            connectors,
            aggregator: aggregators.pop()?,
            strategies: of(Role::Strategy),
            executors: of(Role::Executor),
        })
    }
}

impl Draft {
    /// Returns the configuration, if the report has no error.
    pub(crate) fn finish(self, document: Document, report: Report) -> Result<Config, Diagnostics> {
        let Some(plugins) = self.plugins.filter(|_| !report.found.has_errors()) else {
            return Err(report.found);
        };
        let channels = self.channels.into_iter();
        Ok(Config {
            plugins,
            channels: channels.filter_map(|(name, config)| Some((name, config?))).collect(),
            pipeline: self.pipeline.and_then(PipelineDraft::finish),
            tasks: self.tasks,
            limits: self.limits,
            history: self.history,
            reload: self.reload,
            state_folder: self.state_folder.unwrap_or_else(|| state_folder(&document.file)),
            shutdown: self.shutdown,
            base_dir: base_dir(&document.file),
            warnings: report.found,
            document,
        })
    }
}
