//! The loop of a running host.
//!
//! One task owns everything that the host knows. It takes one [`Event`] at a time, changes
//! what it knows, asks [`reconcile`] what is to be done next, and begins it. It never awaits
//! work: whatever takes time runs as an operation (a task of its own) that reports back as an
//! event. So a stop, a verdict or a command is dealt with at once, whatever a plugin does.
//!
//! ```text
//! folder, commands, stop, timers ──┐
//! operations: examine, load,       ├→ Event → turn → reconcile → begin ─┬→ done at once
//!   change, roll back, start, … ───┘                                    └→ an operation
//! ```

mod components;
mod configuration;
mod files;
mod service;
mod shutdown;

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
    HostError, HostEvent, Status,
    configuration::Source,
    handle::{Command, HandleEnds},
    pipeline::{Pipeline, Strictness},
    plugins::{Closings, KnownPlugins, LoadedPlugin},
    reconcile::{Action, Desired, EngineState, Observed, Subject, reconcile},
    refused::RefusedFile,
    watch::{Backend, Snapshot, Watch},
};

pub(crate) use service::{Brought, Probation};

use components::EngineReport;
pub(crate) use configuration::Readings;
use configuration::{Applied, Checked, Read};
use files::Examined;
use service::{ChangeReport, LoadReport, RetireReport, RollBackReport};

/// How often the host looks at what gives no event: leaks, files that went before they were
/// watched.
const TICK: Duration = Duration::from_secs(1);

/// A turn that takes longer is logged: meanwhile nothing else was dealt with.
const LONG_TURN: Duration = Duration::from_millis(50);

/// Everything that the loop waits for.
pub(crate) enum Event {
    /// Somebody asks for something.
    Command(Command),
    /// The host is asked to stop.
    Stop,
    /// The plugins folder, or a file beside it, changed.
    Folder(Box<Snapshot>),
    /// Files were read that the host depends on.
    Read(Read),
    /// A file was checked and probed.
    Examined(Box<Examined>),
    /// A library was loaded, or not.
    Loaded(Box<LoadReport>),
    /// A build took the place of another, or did not.
    Changed(Box<ChangeReport>),
    /// The build before is in service again.
    RolledBack(Box<RollBackReport>),
    /// A plugin's components were taken out.
    Retired(RetireReport),
    /// A new build failed on probation. It is looked up who failed, and why.
    ProbationFailed,
    /// Components were made or started.
    Engine(EngineReport),
    /// All components have ended by themselves, unless one was started meanwhile.
    Ended,
    /// A configuration was held against the plugins.
    Checked(Box<Result<Checked, (Subject, Diagnostics)>>),
    /// A configuration was taken over, or not.
    Applied(Box<Result<Applied, (Subject, Diagnostics)>>),
    /// A build was closed.
    Closed,
    /// Time has passed.
    Tick,
    /// An operation panicked, and will not report.
    Panicked(String),
}

/// Why the loop ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The host was asked to stop.
    Stopped,
    /// The sources ended and everything flowed through.
    Ended,
    /// The pipeline did not start, or the host is at fault.
    Failed(HostError),
}

/// Everything that runs, and what is known about it.
pub(crate) struct Actor {
    pub(crate) config: Arc<Config>,
    /// The plugins in service, by name.
    pub(crate) plugins: BTreeMap<String, LoadedPlugin>,
    /// Builds that are loaded and not yet in service, by plugin.
    pub(crate) brought: BTreeMap<String, Brought>,
    /// Replacements that can still be taken back, by plugin.
    pub(crate) probations: BTreeMap<String, Probation>,
    /// Files that were examined and wait for their turn.
    pub(crate) examined: BTreeMap<PathBuf, Inspected>,
    pub(crate) pipeline: Option<Pipeline>,
    pub(crate) tasks: Tasks,
    pub(crate) factory: TaskFactory,
    pub(crate) services: Services,
    pub(crate) loader: Arc<Loader>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) closings: Closings,
    pub(crate) journal: Journal,
    /// Files that are not loaded, and why.
    pub(crate) refused: BTreeMap<PathBuf, RefusedFile>,
    /// Warnings about the configuration that were given already.
    pub(crate) warned: Diagnostics,
    /// Why the configuration on disk is not the one that runs.
    pub(crate) configuration_refused: Option<String>,
    pub(crate) source: Option<Source>,
    /// The newest configuration that was read.
    pub(crate) newest: Arc<Config>,
    pub(crate) desired: Desired,
    pub(crate) observed: Observed,
    pub(crate) watch: Option<Watch>,
    pub(crate) snapshot: Option<Snapshot>,
    /// Libraries that a snapshot has shown.
    pub(crate) shown: BTreeSet<PathBuf>,
    /// Since when files are missing that no snapshot has shown.
    pub(crate) unseen: BTreeMap<PathBuf, Instant>,
    pub(crate) strictness: Strictness,
    /// Whether a plugin changed while a configuration was held against it.
    pub(crate) check_is_stale: bool,
    pub(crate) readings: Readings,
    /// Whether all components had ended when that was last looked at.
    pub(crate) all_ended: bool,
    pub(crate) next_number: u64,
    pub(crate) operations: JoinSet<Event>,
    pub(crate) ends: HandleEnds,
}

impl Actor {
    /// Runs until the host is to stop, its sources end, or its pipeline does not start.
    pub(crate) async fn run(&mut self, stop: impl Future<Output = ()>) -> End {
        let mut stop = std::pin::pin!(stop);
        let mut tick = tokio::time::interval(TICK);
        loop {
            let began = Instant::now();
            self.act();
            self.publish_status();
            note_long(began, "reconcile");
            if self.has_ended() {
                return End::Ended;
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

    /// Waits for whatever comes next; a stop and commands come first.
    async fn next(
        &mut self,
        stop: Pin<&mut impl Future<Output = ()>>,
        tick: &mut tokio::time::Interval,
    ) -> Event {
        let deadline = self.observed.next_deadline();
        let Self { ends, operations, watch, closings, .. } = self;
        let folder = async {
            match watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let verdict = async {
            match deadline {
                Some(until) => sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop => Event::Stop,
            Some(command) = ends.commands.recv() => Event::Command(command),
            Some(joined) = operations.join_next() => reported(joined),
            () = verdict => Event::Tick,
            snapshot = folder => Event::Folder(Box::new(snapshot)),
            () = closings.next() => Event::Closed,
            _ = tick.tick() => Event::Tick,
        }
    }

    /// Deals with one event; returns why the loop is to end, if it is.
    fn turn(&mut self, event: Event) -> Option<End> {
        match event {
            Event::Stop | Event::Command(Command::Stop) => return Some(End::Stopped),
            Event::Command(Command::Reload) => self.reload(),
            Event::Command(Command::Status(answer)) => {
                // Who asked may have gone meanwhile.
                drop(answer.send(Arc::new(Status::of(self))));
            }
            Event::Folder(snapshot) => self.take_snapshot(*snapshot),
            Event::Read(read) => self.note_read(read),
            Event::Examined(examined) => self.note_examined(*examined),
            Event::Loaded(report) => self.note_loaded(*report),
            Event::Changed(report) => self.note_changed(*report),
            Event::RolledBack(report) => self.note_rolled_back(*report),
            Event::Retired(report) => self.note_retired(report),
            Event::Engine(report) => return self.note_engine(report).err().map(End::Failed),
            Event::Ended => self.all_ended = true,
            Event::Checked(checked) => self.note_checked(*checked),
            Event::Applied(applied) => self.note_applied(*applied),
            Event::Tick => {
                self.closings.look_again();
                self.look_for_gone();
            }
            Event::Panicked(error) => {
                // What it was to report is waited for by others for ever.
                return Some(End::Failed(HostError::System(format!(
                    "an operation of the host panicked: {error}"
                ))));
            }
            // `act` looks who failed; a closed build made room for the next one.
            Event::ProbationFailed | Event::Closed => {}
        }
        None
    }

    /// Begins everything that is to be done next.
    fn act(&mut self) {
        loop {
            self.note_failures();
            self.observed.closing = self.closings.len();
            if self.observed.engine == EngineState::Waiting
                && self.pipeline.as_ref().is_some_and(Pipeline::can_be_started)
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
            Action::Adopt { file, .. } => self.adopt(&file),
            Action::Load { file, plugin } => self.load(&file, plugin),
            Action::RefuseDuplicate { file, plugin, of } => self.refuse_duplicate(file, plugin, of),
            Action::Move { file, plugin } => self.move_plugin(&plugin, &file),
            Action::Forget { file } => self.forget(&file),
            Action::Enter { plugin } => self.enter(&plugin),
            Action::Change { plugin } => self.change(plugin),
            Action::Confirm { plugin } => self.confirm(&plugin),
            Action::RollBack { plugin } => self.roll_back(plugin),
            Action::Retire { plugin } => self.retire(plugin),
            Action::Start { plugin } => self.start_components(plugin),
            Action::StartEngine => self.start_engine(),
            Action::Reconfigure { subject } => self.check_configuration(subject),
        }
    }

    /// Runs an operation beside the loop.
    fn spawn(
        &mut self,
        operation: impl Future<Output = Event> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        self.operations.spawn(operation)
    }

    /// The names of the plugins in service.
    fn known(&self) -> KnownPlugins {
        KnownPlugins::new(&self.config.plugins.folder, &self.plugins)
    }

    fn generation(&self, plugin: &str) -> Option<Arc<Generation>> {
        self.plugins.get(plugin).map(|it| Arc::clone(&it.generation))
    }

    /// How changes are followed, in a word.
    pub(crate) fn watching(&self) -> &'static str {
        self.watch.as_ref().map_or("off", |watch| match watch.backend() {
            Backend::Inotify => "inotify",
            Backend::Polling { .. } => "polling",
        })
    }

    fn publish_status(&self) {
        let status = Status::of(self);
        self.ends.status.send_if_modified(|last| {
            let differs = last.as_deref() != Some(&status);
            if differs {
                *last = Some(Arc::new(status));
            }
            differs
        });
    }

    fn tell(&self, event: HostEvent) {
        // Nobody need listen.
        drop(self.ends.events.send(event));
    }

    fn record(&mut self, record: Replacement) {
        self.tell(HostEvent::Replacement(Arc::new(record.clone())));
        self.journal.add(record);
    }
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Stop => "stop",
            Self::Folder(_) => "folder",
            Self::Read(_) => "read",
            Self::Examined(_) => "examined",
            Self::Loaded(_) => "loaded",
            Self::Changed(_) => "changed",
            Self::RolledBack(_) => "rolled back",
            Self::Retired(_) => "retired",
            Self::ProbationFailed => "probation failed",
            Self::Engine(_) => "engine",
            Self::Ended => "ended",
            Self::Checked(_) => "checked",
            Self::Applied(_) => "applied",
            Self::Closed => "closed",
            Self::Tick => "tick",
            Self::Panicked(_) => "panicked",
        }
    }
}

/// What an operation reported. Only a watcher is aborted while the host runs.
fn reported(joined: Result<Event, tokio::task::JoinError>) -> Event {
    joined.unwrap_or_else(|error| match error.is_panic() {
        true => Event::Panicked(error.to_string()),
        false => Event::Tick,
    })
}

fn note_long(began: Instant, what: &'static str) {
    let took = began.elapsed();
    if took > LONG_TURN {
        tracing::warn!(what, ?took, "a turn of the host's loop took long");
    }
}
