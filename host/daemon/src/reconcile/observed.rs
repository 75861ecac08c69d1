//! The observed state and its transitions.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{Action, Desired, FileVersion, Subject};

/// What is there, and what is under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// The files of the plugins folder that were looked at.
    pub(crate) files: BTreeMap<PathBuf, ObservedFile>,
    /// The plugins that are in service or on their way there.
    pub(crate) plugins: BTreeMap<String, ObservedPlugin>,
    /// The number of the newest configuration that was taken over or refused.
    pub(crate) configuration: u64,
    /// Whether a configuration is being taken over.
    pub(crate) reconfiguring: bool,
    /// What was asked for when that was begun. What changes meanwhile is taken over next.
    pub(crate) asked: Asked,
    /// Whether the pipeline was started.
    pub(crate) engine: EngineState,
    /// How many builds are being closed.
    pub(crate) closing: usize,
}

/// The configuration and the settings that are being taken over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    configuration: u64,
    settings: String,
}

/// Whether the pipeline was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum EngineState {
    /// There is no pipeline, or not enough of its components can be made yet.
    #[default]
    Waiting,
    /// Components of each role can be made.
    Possible,
    /// Components are being made and initialized.
    Starting,
    /// The components run. More can be added.
    Running,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObservedFile {
    /// What the file was when it was looked at.
    pub(crate) look: Look,
    /// What became of it.
    pub(crate) state: FileState,
}

/// What a file was when it was looked at, and under which circumstances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Look {
    pub(crate) version: FileVersion,
    pub(crate) circumstances: u64,
    pub(crate) quarantine: u64,
    pub(crate) trust: u64,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileState {
    /// It is being checked and probed.
    Examining,
    /// It is sound and waits for its turn.
    Ready { plugin: String, hash: String },
    /// Its build is in service, or on its way there.
    Taken { plugin: String },
    /// It is not loaded.
    Refused { plugin: Option<String>, retry: Retry },
}

/// What has to change before a refused file is tried again, apart from the file itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Nothing else: the file is at fault.
    File,
    /// The configuration, the settings or whom the host trusts.
    Circumstances,
    /// The quarantine.
    Quarantine,
    /// The other file that brings the same plugin.
    Duplicate,
}

/// One plugin.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObservedPlugin {
    /// The build in service.
    pub(crate) service: Option<Service>,
    /// The build on its way there.
    pub(crate) incoming: Option<Incoming>,
    /// What is under way that changes which build is in service, or its components.
    pub(crate) activity: Option<Activity>,
    /// Whether components may have to be started.
    pub(crate) unstarted: bool,
}

/// A build in service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) file: PathBuf,
    pub(crate) hash: String,
    /// What stood in the settings files when they were read, or refused.
    pub(crate) settings: String,
    pub(crate) probation: Option<ObservedProbation>,
}

/// The first time of a new build in service.
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

/// How far a build is on its way into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Loading,
    Loaded,
}

/// What is under way with a plugin. No two of them at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Changing,
    RollingBack,
    Retiring,
    Starting,
    Reconfiguring,
}

impl Observed {
    /// Notes that an action is begun, so that it is not asked for again.
    ///
    /// Actions that are done when they are begun (`Adopt`, `RefuseDuplicate`, `Move`, `Forget`,
    /// `Enter`, `Confirm`) have their whole effect here.
    pub(crate) fn begin(&mut self, action: &Action, desired: &Desired) {
        match action {
            Action::Examine { file } => {
                let version = desired.files.as_ref().and_then(|files| files.get(file));
                let look = desired.look(&version.cloned().unwrap_or_default());
                let examined = ObservedFile { look, state: FileState::Examining };
                self.files.insert(file.clone(), examined);
            }
            Action::Adopt { file, plugin } => {
                let version = desired.files.as_ref().and_then(|files| files.get(file));
                let look = desired.look(&version.cloned().unwrap_or_default());
                let state = FileState::Taken { plugin: plugin.clone() };
                self.files.insert(file.clone(), ObservedFile { look, state });
            }
            Action::Load { file, plugin } => self.begin_load(file, plugin, desired),
            Action::RefuseDuplicate { file, plugin, .. } => {
                self.refuse(file, Some(plugin.clone()), Retry::Duplicate);
            }
            Action::Move { file, plugin } => self.move_service(file, plugin),
            Action::Forget { file } => drop(self.files.remove(file)),
            Action::Enter { plugin } => self.put_in_service(plugin, None),
            Action::Change { plugin } => self.set_activity(plugin, Activity::Changing),
            Action::Confirm { plugin } => {
                if let Some(service) = self.service_mut(plugin) {
                    service.probation = None;
                }
            }
            Action::RollBack { plugin } => self.set_activity(plugin, Activity::RollingBack),
            Action::Retire { plugin } => self.set_activity(plugin, Activity::Retiring),
            Action::Start { plugin } => {
                self.set_activity(plugin, Activity::Starting);
                if let Some(plugin) = self.plugins.get_mut(plugin) {
                    plugin.unstarted = false;
                }
            }
            Action::StartEngine => {
                self.engine = EngineState::Starting;
                self.plugins.values_mut().for_each(|plugin| plugin.unstarted = false);
            }
            Action::Reconfigure { subject } => self.begin_reconfigure(subject, desired),
        }
    }

    fn begin_reconfigure(&mut self, subject: &Subject, desired: &Desired) {
        let settings = match subject {
            Subject::Configuration => String::new(),
            Subject::Settings { plugin } => self
                .service_mut(plugin)
                .map(|service| desired.settings_of(&service.file, plugin))
                .unwrap_or_default(),
        };
        self.reconfiguring = true;
        self.asked = Asked { configuration: desired.configuration, settings };
    }

    fn begin_load(&mut self, file: &Path, plugin: &str, desired: &Desired) {
        let Some(known) = self.files.get_mut(file) else { return };
        let FileState::Ready { hash, .. } = &known.state else { return };
        let incoming = Incoming {
            file: file.to_owned(),
            hash: hash.clone(),
            settings: desired.settings_of(file, plugin),
            stage: Stage::Loading,
        };
        known.state = FileState::Taken { plugin: plugin.to_owned() };
        self.plugins.entry(plugin.to_owned()).or_default().incoming = Some(incoming);
    }

    fn move_service(&mut self, file: &Path, plugin: &str) {
        if let Some(service) = self.service_mut(plugin) {
            let before = std::mem::replace(&mut service.file, file.to_owned());
            self.release(&before, plugin);
        }
        if let Some(known) = self.files.get_mut(file) {
            known.state = FileState::Taken { plugin: plugin.to_owned() };
        }
    }

    /// Notes what the examination of a file gave.
    pub(crate) fn examined(&mut self, file: &Path, found: Result<(String, String), Retry>) {
        let Some(known) = self.files.get_mut(file) else { return };
        known.state = match found {
            Ok((plugin, hash)) => FileState::Ready { plugin, hash },
            Err(retry) => FileState::Refused { plugin: None, retry },
        };
    }

    /// Notes that a build was loaded.
    pub(crate) fn loaded(&mut self, plugin: &str) {
        let incoming = self.plugins.get_mut(plugin).and_then(|it| it.incoming.as_mut());
        if let Some(incoming) = incoming {
            incoming.stage = Stage::Loaded;
        }
    }

    /// Notes that a build on its way into service does not come there.
    ///
    /// If it came under another name, and the file of the build in service is gone, that build
    /// goes on under the new name: it is not retired because its successor is refused.
    pub(crate) fn turned_away(&mut self, plugin: &str, retry: Retry, desired: &Desired) {
        let Some(known) = self.plugins.get_mut(plugin) else { return };
        // A load may end while the old build is taken out or rolled back, which goes on.
        if known.activity == Some(Activity::Changing) {
            known.activity = None;
        }
        if let Some(incoming) = known.incoming.take() {
            let service = known.service.as_ref();
            if service.is_some_and(|it| desired.gone.contains(&it.file)) {
                self.move_service(&incoming.file, plugin);
            }
            self.refuse(&incoming.file, Some(plugin.to_owned()), retry);
        }
        self.drop_if_empty(plugin);
    }

    /// Notes that the build on its way is in service now.
    pub(crate) fn put_in_service(&mut self, plugin: &str, probation: Option<Instant>) {
        let Some(known) = self.plugins.get_mut(plugin) else { return };
        let Some(incoming) = known.incoming.take() else { return };
        let Incoming { file, hash, settings, .. } = incoming;
        let probation = probation.map(|until| ObservedProbation { until, failed: false });
        let before = known.service.replace(Service { file, hash, settings, probation });
        known.activity = None;
        known.unstarted = true;
        let now = known.service.as_ref().map(|service| service.file.clone());
        // A file that was given another name together with another content.
        if let Some(before) = before.filter(|before| Some(&before.file) != now.as_ref()) {
            self.release(&before.file, plugin);
        }
    }

    /// Notes that a new build failed on probation.
    pub(crate) fn failed(&mut self, plugin: &str) {
        if let Some(probation) = self.service_mut(plugin).and_then(|it| it.probation.as_mut()) {
            probation.failed = true;
        }
    }

    /// Notes that the build before is in service again.
    ///
    /// The build that failed is not tried again under the circumstances of this moment: those
    /// under which it was examined may have changed during its probation, and it failed still.
    pub(crate) fn rolled_back(&mut self, plugin: &str, hash: String, desired: &Desired) {
        let Some(known) = self.plugins.get_mut(plugin) else { return };
        known.activity = None;
        known.unstarted = true;
        let Some(service) = &mut known.service else { return };
        service.hash = hash;
        service.probation = None;
        let file = service.file.clone();
        // Another build may be in the file by now, whose turn comes.
        let is_new = known.incoming.as_ref().is_some_and(|it| it.file == file);
        if !is_new && self.is_taken(&file, plugin) {
            self.refuse(&file, Some(plugin.to_owned()), Retry::Circumstances);
            if let Some(known) = self.files.get_mut(&file) {
                known.look.circumstances = desired.circumstances;
            }
        }
    }

    /// Notes that a plugin is out of service.
    pub(crate) fn retired(&mut self, plugin: &str) {
        let Some(known) = self.plugins.get_mut(plugin) else { return };
        known.activity = None;
        let incoming = known.incoming.as_ref().map(|it| it.file.clone());
        // The next build may be on its way from the same file.
        if let Some(service) = known.service.take().filter(|it| Some(&it.file) != incoming.as_ref())
        {
            self.release(&service.file, plugin);
        }
        self.drop_if_empty(plugin);
    }

    /// Notes that what was under way with a plugin's components is over.
    pub(crate) fn idle(&mut self, plugin: &str) {
        if let Some(known) = self.plugins.get_mut(plugin) {
            known.activity = None;
        }
    }

    /// Marks plugins whose components a configuration is about to change.
    pub(crate) fn reconfigures<'p>(&mut self, plugins: impl IntoIterator<Item = &'p String>) {
        plugins.into_iter().for_each(|it| self.set_activity(it, Activity::Reconfiguring));
    }

    /// Notes that a configuration or settings were taken over or refused.
    pub(crate) fn reconfigured(&mut self, subject: &Subject) {
        let Asked { configuration, settings } = std::mem::take(&mut self.asked);
        match subject {
            Subject::Configuration => self.configuration = configuration,
            Subject::Settings { plugin } => {
                if let Some(service) = self.service_mut(plugin) {
                    service.settings = settings;
                }
            }
        }
        self.reconfigure_ended();
    }

    /// Notes that a configuration is not being taken over any more.
    pub(crate) fn reconfigure_ended(&mut self) {
        self.reconfiguring = false;
        for plugin in self.plugins.values_mut() {
            if plugin.activity == Some(Activity::Reconfiguring) {
                plugin.activity = None;
            }
            plugin.unstarted = true;
        }
    }

    /// When the next probation ends that can be ended: while something is under way with the
    /// plugin, the end of that is waited for, and not a time that may have passed.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.engine == EngineState::Starting {
            return None;
        }
        let idle = self.plugins.values().filter(|it| it.activity.is_none());
        let services = idle.filter_map(|it| it.service.as_ref());
        services.filter_map(|it| it.probation.map(|it| it.until)).min()
    }

    /// Whether nothing is under way that may still change which build is in service.
    pub(crate) fn is_idle(&self) -> bool {
        self.plugins.values().all(|it| it.activity.is_none() && it.incoming.is_none())
    }

    fn refuse(&mut self, file: &Path, plugin: Option<String>, retry: Retry) {
        if let Some(known) = self.files.get_mut(file) {
            known.state = FileState::Refused { plugin, retry };
        }
    }

    /// Forgets a file that a plugin has left, unless it holds something else by now.
    fn release(&mut self, file: &Path, plugin: &str) {
        if self.is_taken(file, plugin) {
            self.files.remove(file);
        }
    }

    fn is_taken(&self, file: &Path, by: &str) -> bool {
        let state = self.files.get(file).map(|it| &it.state);
        matches!(state, Some(FileState::Taken { plugin }) if plugin == by)
    }

    fn service_mut(&mut self, plugin: &str) -> Option<&mut Service> {
        self.plugins.get_mut(plugin)?.service.as_mut()
    }

    fn set_activity(&mut self, plugin: &str, activity: Activity) {
        if let Some(known) = self.plugins.get_mut(plugin) {
            known.activity = Some(activity);
        }
    }

    fn drop_if_empty(&mut self, plugin: &str) {
        let empty = |it: &ObservedPlugin| it.service.is_none() && it.incoming.is_none();
        if self.plugins.get(plugin).is_some_and(empty) {
            self.plugins.remove(plugin);
        }
    }
}
