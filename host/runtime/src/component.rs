//! The components of plugins, as tasks that the scheduler drives like any other.

use abi_stable::std_types::ROption;
use async_trait::async_trait;
use hotbay_loader::{BackgroundObject, EventObject};
use hotbay_plugin_api::{
    Aggregator, BackgroundTask, Batch, ChannelName, Connector, EventTask, Executor, SavedState,
    SchedulerError, Strategy, abi::FfiState,
};

use super::{object_handle::ObjectHandle, report_gate::ReportGate};

use super::call::{call, start};

/// A component that a plugin made.
#[derive(Debug)]
pub enum PluginComponent {
    /// A connector or an aggregator.
    Background(PluginBackgroundTask),
    /// A strategy or an executor.
    Event(PluginEventTask),
}

/// A plugin's connector or aggregator, to be driven on the runtime of its bay.
pub struct PluginBackgroundTask {
    pub(crate) object: ObjectHandle<BackgroundObject>,
    pub(crate) report_gate: ReportGate,
}

/// A plugin's strategy or executor, to be driven on the runtime of its bay.
pub struct PluginEventTask {
    pub(crate) object: ObjectHandle<EventObject>,
    pub(crate) channel: ChannelName,
    pub(crate) report_gate: ReportGate,
}

#[async_trait]
impl BackgroundTask for PluginBackgroundTask {
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.initialize(), Ok).await
    }

    async fn execute(&mut self) -> Result<(), SchedulerError> {
        start(&self.object, |object, cx| object.execute(cx)).await
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        call(&self.object, |object| object.save_state(), saved).await
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.restore(state.into()), Ok).await
    }

    async fn suspend(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.suspend(), Ok).await
    }

    async fn resume(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.resume(), Ok).await
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.shutdown(), Ok).await
    }
}

impl PluginComponent {
    /// Returns the gate through which this build of the component publishes and reports.
    pub fn report_gate(&self) -> ReportGate {
        match self {
            Self::Background(task) => task.report_gate.clone(),
            Self::Event(task) => task.report_gate.clone(),
        }
    }
}

impl Connector for PluginBackgroundTask {}
impl Aggregator for PluginBackgroundTask {}

#[async_trait]
impl EventTask<ChannelName, Batch> for PluginEventTask {
    fn subscribed_event(&self) -> &ChannelName {
        &self.channel
    }

    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.initialize(), Ok).await
    }

    async fn handle_event(&mut self, batch: Batch) -> Result<(), SchedulerError> {
        start(&self.object, |object, cx| object.handle_event(batch, cx)).await
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.end_of_input(), Ok).await
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        call(&self.object, |object| object.save_state(), saved).await
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.restore(state.into()), Ok).await
    }

    async fn suspend(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.suspend(), Ok).await
    }

    async fn resume(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.resume(), Ok).await
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.shutdown(), Ok).await
    }
}

/// Copies a saved state out of the plugin's memory.
fn saved(state: ROption<FfiState>) -> Result<Option<SavedState>, SchedulerError> {
    state.into_option().map(FfiState::take).transpose()
}

impl Strategy<ChannelName, Batch> for PluginEventTask {}
impl Executor<ChannelName, Batch> for PluginEventTask {}

impl std::fmt::Debug for PluginBackgroundTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginBackgroundTask").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PluginEventTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginEventTask").field("channel", &self.channel).finish_non_exhaustive()
    }
}
