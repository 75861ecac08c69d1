//! The loop of a running host.
//!
//! One task, the actor, owns everything that the host knows. It takes one [`ActorEvent`] at a
//! time, changes what it knows, asks [`reconcile`] what is to be done next, and begins that. It
//! never awaits work: whatever takes time runs as an operation, a task of its own, that reports
//! back with an event. So a stop, a failed probation or a command is handled at once, whatever a
//! plugin does meanwhile.
//!
//! Nothing here is locked: an operation gets clones of what it needs, and only the actor changes
//! the originals. What an operation reports may be out of date, so each handler compares it with
//! what the actor knows by then.
//!
//! ```text
//! folder, commands, stop, timers ──┐
//! operations: examine, load,       ├→ Event → turn → reconcile → begin ─┬→ done at once
//!   change, roll back, start, … ───┘                                    └→ an operation
//! ```

mod components;
mod configuration;
mod event;
mod files;
mod load;
mod probation;
mod replace;
mod retire;
mod shutdown;
mod status;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_config::{Config, Diagnostics};
use hotbay_loader::{Inspected, Loader, Trust};
use hotbay_runtime::{Generation, Services};
use hotbay_store::record::{Journal, Replacement};
use hotbay_tasks::{TaskFactory, Tasks};
use tokio::{task::JoinSet, time::sleep_until};

use crate::{
    HostError, HostEvent, RefusedStatus, Status,
    configuration::ConfigSource,
    event_triggers::EventTriggers,
    handle::{HostCommand, HostEndpoint},
    pipeline::{PluginPipeline, Strictness},
    plugins::{ClosingPlugins, KnownPlugins, LoadedPlugin},
    reconcile::{Action, Desired, EngineState, Observed, reconcile},
    refused::RefusedFile,
    watch::{Backend, Snapshot, Watch},
};

pub(crate) use configuration::Readings;
pub(crate) use load::LoadedBuild;
pub(crate) use probation::PluginProbation;

use event::{ActorEvent, reported};
use status::{masked, masked_answer};

/// The time between two checks of things that give no event: libraries that are still mapped, and
/// files that were removed before they were watched.
const TICK: Duration = Duration::from_secs(1);

/// A turn of the loop that takes longer is logged, because no other event was handled meanwhile.
const LONG_TURN: Duration = Duration::from_millis(50);

/// Why the loop ended.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// The host was asked to stop.
    Requested,
    /// The sources ended, and all their events were handled.
    SourcesEnded,
    /// The pipeline did not start, or an operation of the host panicked.
    Failed(HostError),
}

/// The state of a running host.
pub(crate) struct Actor {
    pub(crate) config: Arc<Config>,
    /// The plugins in service, by name.
    pub(crate) plugins: BTreeMap<String, LoadedPlugin>,
    /// Builds that are loaded and not yet in service, by plugin.
    pub(crate) loaded_builds: BTreeMap<String, LoadedBuild>,
    /// Replacements that can still be rolled back, by plugin.
    pub(crate) probations: BTreeMap<String, PluginProbation>,
    /// Files that were examined and wait to be loaded.
    pub(crate) examined: BTreeMap<PathBuf, Inspected>,
    pub(crate) pipeline: Option<PluginPipeline>,
    pub(crate) tasks: Tasks,
    pub(crate) event_triggers: EventTriggers,
    pub(crate) factory: TaskFactory,
    pub(crate) services: Services,
    pub(crate) loader: Arc<Loader>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) closing: ClosingPlugins,
    pub(crate) journal: Journal,
    /// Files that are not loaded, and why.
    pub(crate) refused: BTreeMap<PathBuf, RefusedFile>,
    /// Settings beside a library that are not in force, and why, by plugin.
    pub(crate) refused_settings: BTreeMap<String, RefusedStatus>,
    /// Warnings about the configuration that were logged already.
    pub(crate) known_warnings: Diagnostics,
    /// Why the configuration on disk is not in force.
    pub(crate) configuration_refused: Option<String>,
    pub(crate) source: Option<ConfigSource>,
    /// The number of lines that the program's log has lost.
    pub(crate) lost_log_lines: fn() -> u64,
    /// The newest configuration that was read.
    pub(crate) newest: Arc<Config>,
    pub(crate) desired: Desired,
    pub(crate) observed: Observed,
    pub(crate) watch: Option<Watch>,
    pub(crate) snapshot: Option<Snapshot>,
    /// Libraries that a snapshot has shown.
    pub(crate) shown: BTreeSet<PathBuf>,
    /// The missing files that no snapshot has shown, each with the time at which it was missed.
    pub(crate) unseen: BTreeMap<PathBuf, Instant>,
    pub(crate) strictness: Strictness,
    /// A plugin was rolled back while a configuration was being checked against it.
    pub(crate) check_is_stale: bool,
    pub(crate) readings: Readings,
    /// All components had ended when this was last checked.
    pub(crate) all_ended: bool,
    pub(crate) next_number: u64,
    pub(crate) operations: JoinSet<ActorEvent>,
    pub(crate) endpoint: HostEndpoint,
}

impl Actor {
    /// Runs until the host is to stop, its sources end, or its pipeline does not start.
    pub(crate) async fn run(&mut self, stop: impl Future<Output = ()>) -> StopReason {
        let mut stop = std::pin::pin!(stop);
        let mut tick = tokio::time::interval(TICK);
        loop {
            let began = Instant::now();
            self.act();
            self.publish_status();
            note_long(began, "reconcile");
            if self.has_ended() {
                return StopReason::SourcesEnded;
            }
            let event = self.next(stop.as_mut(), &mut tick).await;
            let began = Instant::now();
            let name = event.name();
            let end = self.turn(event);
            note_long(began, name);
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Waits for the next event. A stop and commands have priority.
    async fn next(
        &mut self,
        stop: Pin<&mut impl Future<Output = ()>>,
        tick: &mut tokio::time::Interval,
    ) -> ActorEvent {
        let deadline = self.observed.next_deadline();
        let Self { endpoint, operations, watch, closing, .. } = self;
        let folder = async {
            match watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let probation_end = async {
            match deadline {
                Some(until) => sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop => ActorEvent::Stop,
            Some(command) = endpoint.commands.recv() => ActorEvent::Command(command),
            Some(joined) = operations.join_next() => reported(joined),
            () = probation_end => ActorEvent::Tick,
            snapshot = folder => ActorEvent::Folder(Box::new(snapshot)),
            () = closing.next() => ActorEvent::Closed,
            _ = tick.tick() => ActorEvent::Tick,
        }
    }

    /// Handles one event. Returns the reason if the loop is to end.
    fn turn(&mut self, event: ActorEvent) -> Option<StopReason> {
        match event {
            ActorEvent::Stop | ActorEvent::Command(HostCommand::Stop) => {
                return Some(StopReason::Requested);
            }
            ActorEvent::Command(HostCommand::Reload) => self.reload(),
            ActorEvent::Command(HostCommand::Status(answer)) => {
                // The caller may not wait for the answer any more.
                drop(answer.send(Arc::new(Status::of(self))));
            }
            ActorEvent::Command(HostCommand::Tasks(request, answer)) => {
                let control = self.tasks.control();
                tokio::spawn(async move {
                    drop(answer.send(masked_answer(control.ask(request).await)));
                });
            }
            ActorEvent::Folder(snapshot) => self.take_snapshot(*snapshot),
            ActorEvent::Read(read) => self.on_read(read),
            ActorEvent::Examined(examined) => self.on_examined(*examined),
            ActorEvent::Loaded(report) => self.on_loaded(*report),
            ActorEvent::Replaced(report) => self.on_replaced(*report),
            ActorEvent::RolledBack(report) => self.on_rolled_back(*report),
            ActorEvent::Retired(report) => self.on_retired(report),
            ActorEvent::Engine(report) => {
                return self.on_engine(report).err().map(StopReason::Failed);
            }
            ActorEvent::Ended => self.all_ended = true,
            ActorEvent::Checked(checked) => self.on_checked(*checked),
            ActorEvent::Applied(applied) => self.on_applied(*applied),
            ActorEvent::Tick => {
                self.closing.retry_in_background();
                self.look_for_gone();
                self.measure_plugins();
            }
            ActorEvent::Panicked(error) => {
                // The report of the operation never comes, and others would wait for it for ever.
                return Some(StopReason::Failed(HostError::System(format!(
                    "an operation of the host panicked: {error}"
                ))));
            }
            // `act` finds out who failed, and may load another build after one was closed.
            ActorEvent::ProbationFailed | ActorEvent::Closed => {}
        }
        None
    }

    /// Begins everything that is to be done next.
    fn act(&mut self) {
        loop {
            self.note_failures();
            self.observed.closing = self.closing.len();
            if self.observed.engine == EngineState::Waiting
                && self.pipeline.as_ref().is_some_and(PluginPipeline::can_be_started)
            {
                self.observed.engine = EngineState::Possible;
            }
            let actions = reconcile(&self.desired, &self.observed, Instant::now());
            if actions.is_empty() {
                return;
            }
            for action in actions {
                tracing::debug!(?action, "begins");
                self.observed.begin(&action, &self.desired);
                self.begin(action);
            }
        }
    }

    fn begin(&mut self, action: Action) {
        match action {
            Action::Examine { file } => self.examine(file),
            Action::Load { file, plugin } => self.load(&file, plugin),
            Action::RefuseDuplicate { file, plugin, of } => self.refuse_duplicate(file, plugin, of),
            Action::Move { file, plugin } => self.move_plugin(&plugin, &file),
            Action::Adopt { file, .. } | Action::Forget { file } => self.forget(&file),
            Action::Enter { plugin } => self.enter(&plugin),
            Action::Change { plugin } => self.replace(plugin),
            Action::Confirm { plugin } => self.confirm(&plugin),
            Action::RollBack { plugin } => self.roll_back(plugin),
            Action::Retire { plugin } => self.retire(plugin),
            Action::Start { plugin } => self.start_components(plugin),
            Action::StartEngine => self.start_engine(),
            Action::Reconfigure { subject } => self.check_configuration(subject),
        }
    }

    /// Starts an operation, which runs beside the loop.
    fn spawn(
        &mut self,
        operation: impl Future<Output = ActorEvent> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        self.operations.spawn(operation)
    }

    /// Returns the plugins in service, for diagnostics.
    fn known(&self) -> KnownPlugins {
        KnownPlugins::new(&self.config.plugins.folder, &self.plugins)
    }

    pub(crate) fn generation(&self, plugin: &str) -> Option<Arc<Generation>> {
        self.plugins.get(plugin).map(|it| Arc::clone(&it.generation))
    }

    /// Returns how changes of files are noticed, in a word.
    pub(crate) fn watching(&self) -> &'static str {
        self.watch.as_ref().map_or("off", |watch| match watch.backend() {
            Backend::Inotify => "inotify",
            Backend::Polling { .. } => "polling",
        })
    }

    /// Counts the threads and measures the mappings of the loaded builds, which reads files in
    /// `/proc` for each of them. The status of each turn shows the last values.
    fn measure_plugins(&mut self) {
        let before = self.probations.values_mut().map(|probation| &mut probation.before);
        for plugin in self.plugins.values_mut().chain(before) {
            plugin.measure();
        }
    }

    fn publish_status(&self) {
        let status = Status::of(self);
        self.endpoint.status.send_if_modified(|last| {
            let differs = last.as_deref() != Some(&status);
            if differs {
                *last = Some(Arc::new(status));
            }
            differs
        });
    }

    fn send_event(&self, event: HostEvent) {
        // There may be no receiver.
        drop(self.endpoint.events.send(event));
    }

    fn record(&mut self, mut record: Replacement) {
        record.alert = masked(record.alert);
        self.send_event(HostEvent::Replacement(Arc::new(record.clone())));
        self.journal.add(record);
    }
}

/// Logs a turn of the loop that took long.
fn note_long(began: Instant, what: &'static str) {
    let took = began.elapsed();
    if took > LONG_TURN {
        tracing::warn!(what, ?took, "a turn of the host's loop took long");
    }
}
