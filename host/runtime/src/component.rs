//! A plugin's components as tasks that the scheduler can't tell from linked-in ones.

mod call;

use abi_stable::std_types::RBox;
use async_trait::async_trait;
use hotbay_plugin_api::{
    Aggregator, BackgroundTask, Batch, ChannelName, Connector, EventTask, Executor, SavedState,
    SchedulerError, Strategy,
    abi::{BackgroundObject_TO, EventObject_TO},
};

use super::{lent::Mute, lodger::Housed};

use call::{call, start};

type Turns = BackgroundObject_TO<'static, RBox<()>>;
type Events = EventObject_TO<'static, RBox<()>>;

/// What a plugin made of one component entry.
#[derive(Debug)]
pub enum PluginComponent {
    /// A connector or an aggregator.
    Turns(PluginTurns),
    /// A strategy or an executor.
    Events(PluginEvents),
}

/// A plugin's connector or aggregator. Drive it on its bay's runtime.
pub struct PluginTurns {
    pub(crate) object: Housed<Turns>,
    pub(crate) mute: Mute,
}

/// A plugin's strategy or executor. Drive it on its bay's runtime.
pub struct PluginEvents {
    pub(crate) object: Housed<Events>,
    pub(crate) channel: ChannelName,
    pub(crate) mute: Mute,
}

#[async_trait]
impl BackgroundTask for PluginTurns {
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.initialize()).await
    }

    async fn execute(&mut self) -> Result<(), SchedulerError> {
        start(&self.object, |object, cx| object.execute(cx)).await
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        let saved = call(&self.object, |object| object.save_state()).await?;
        Ok(saved.into_option().map(SavedState::from))
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.restore(state.into())).await
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.shutdown()).await
    }
}

impl PluginComponent {
    /// Ends, or lets begin again, what it says in the report.
    pub fn voice(&self) -> Mute {
        match self {
            Self::Turns(turns) => turns.mute.clone(),
            Self::Events(events) => events.mute.clone(),
        }
    }
}

impl Connector for PluginTurns {}
impl Aggregator for PluginTurns {}

#[async_trait]
impl EventTask<ChannelName, Batch> for PluginEvents {
    fn subscribed_event(&self) -> &ChannelName {
        &self.channel
    }

    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.initialize()).await
    }

    async fn handle_event(&mut self, batch: Batch) -> Result<(), SchedulerError> {
        start(&self.object, |object, cx| object.handle_event(batch, cx)).await
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.end_of_input()).await
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        let saved = call(&self.object, |object| object.save_state()).await?;
        Ok(saved.into_option().map(SavedState::from))
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.restore(state.into())).await
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        call(&self.object, |object| object.shutdown()).await
    }
}

impl Strategy<ChannelName, Batch> for PluginEvents {}
impl Executor<ChannelName, Batch> for PluginEvents {}

impl std::fmt::Debug for PluginTurns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginTurns").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PluginEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginEvents").field("channel", &self.channel).finish_non_exhaustive()
    }
}
