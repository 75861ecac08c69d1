//! The observed state of one plugin.

use std::{path::PathBuf, time::Instant};

/// One plugin, in service or on its way into service.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObservedPlugin {
    /// The build in service, if there is one.
    pub(crate) service: Option<Service>,
    /// The build on its way into service, if there is one.
    pub(crate) incoming: Option<Incoming>,
    /// The operation under way that changes the build in service or its components.
    pub(crate) activity: Option<PluginActivity>,
    /// Components may have to be started.
    pub(crate) unstarted: bool,
}

/// A build in service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) file: PathBuf,
    pub(crate) hash: String,
    /// The content of the settings files that were applied or refused.
    pub(crate) settings: String,
    pub(crate) probation: Option<ObservedProbation>,
}

/// The probation of a new build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObservedProbation {
    pub(crate) until: Instant,
    pub(crate) failed: bool,
}

/// A build on its way into service.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) file: PathBuf,
    pub(crate) hash: String,
    pub(crate) settings: String,
    pub(crate) stage: Stage,
}

/// The stages of a build on its way into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The library is being loaded.
    Loading,
    /// The library is loaded. The build can be put into service.
    Loaded,
}

/// The operations that change a plugin's build or components. A plugin has one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PluginActivity {
    Changing,
    RollingBack,
    Retiring,
    Starting,
    Reconfiguring,
}
