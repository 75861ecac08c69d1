//! A configuration while it is being read: what is there, complete or not.

use std::path::{Path, PathBuf};

use crate::Config;
use crate::diagnostic::{Diagnostics, Position};
use crate::document::{Document, Node};
use crate::entries::{ChannelEntry, ComponentEntry, Pipeline, Plugins, Reload};
use crate::entries::{Shutdown, TaskEntry, TimeMode};
use crate::source::Report;
use hotbay_plugin_api::Role;

/// The entries that could be read.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(super) plugins: Option<Plugins>,
    /// Every declared channel; without its declaration if that is wrong.
    pub(crate) channels: Vec<(String, Option<ChannelEntry>)>,
    pub(crate) pipeline: Option<PipelineDraft>,
    pub(crate) tasks: Vec<TaskEntry>,
    pub(super) reload: Reload,
    pub(super) state_folder: Option<PathBuf>,
    pub(super) shutdown: Shutdown,
}

/// The pipeline's components that could be read.
#[derive(Debug)]
pub(crate) struct PipelineDraft {
    pub(super) time: Option<TimeMode>,
    pub(crate) components: Vec<ComponentEntry>,
    /// Where an entry of each role stands, also one that is wrong.
    pub(crate) places: Vec<(Role, Position)>,
    /// Roles whose list couldn't be read, so that its entries can't be counted.
    pub(crate) unreadable: Vec<Role>,
    /// Whether `components` has all entries of the file.
    pub(crate) is_complete: bool,
    /// Where `pipeline` stands.
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

    /// Adds an entry, or the fact that there is one.
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
    /// The configuration, if the report has no error.
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
            reload: self.reload,
            state_folder: self.state_folder.unwrap_or_else(|| state_folder(&document.file)),
            shutdown: self.shutdown,
            base_dir: base_dir(&document.file),
            warnings: report.found,
            document,
        })
    }
}

/// The folder to which the relative paths of a file refer.
pub(crate) fn base_dir(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Where a host keeps what has to survive it, if its file doesn't say: hidden beside the
/// file, and not shared with that of another file.
pub(crate) fn state_folder(file: &Path) -> PathBuf {
    base_dir(file).join(".hotbay").join(file.file_stem().unwrap_or_default())
}
