//! The observed state and its transitions.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    Action, Desired, FileState, Incoming, ObservedFile, ObservedPlugin, ObservedProbation,
    PluginActivity, Retry, Service, Stage, Subject,
};

/// The state of files and plugins, and of the operations under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// The files of the plugins folder that were examined.
    pub(crate) files: BTreeMap<PathBuf, ObservedFile>,
    /// The plugins that are in service, or on their way into service.
    pub(crate) plugins: BTreeMap<String, ObservedPlugin>,
    /// The number of the newest configuration that was applied or refused.
    pub(crate) configuration: u64,
    /// A configuration is being applied.
    pub(crate) reconfiguring: bool,
    /// The configuration and the settings that are being applied. Changes in the meantime are
    /// applied next.
    pub(crate) asked: Asked,
    /// The state of the pipeline's engine.
    pub(crate) engine: EngineState,
    /// The number of builds that are being closed.
    pub(crate) closing: usize,
}

/// The configuration and the settings that are being applied.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    configuration: u64,
    settings: String,
}

/// The state of the pipeline's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum EngineState {
    /// There is no pipeline, or too few of its components can be made.
    #[default]
    Waiting,
    /// At least one component of each role can be made.
    Possible,
    /// Components are being made and initialized.
    Starting,
    /// The components run. Others can be added.
    Running,
}

impl Observed {
    /// Notes that an action was begun, so that it is not returned again.
    ///
    /// Actions that end as soon as they are begun (`Adopt`, `RefuseDuplicate`, `Move`, `Forget`,
    /// `Enter`, `Confirm`) have their whole effect here.
    pub(crate) fn begin(&mut self, action: &Action, desired: &Desired) {
        match action {
            Action::Examine { file } => {
                let version = desired.files.as_ref().and_then(|files| files.get(file));
                let observation = desired.observe(&version.cloned().unwrap_or_default());
                let examined = ObservedFile { observation, state: FileState::Examining };
                self.files.insert(file.clone(), examined);
            }
            Action::Adopt { file, plugin } => {
                let version = desired.files.as_ref().and_then(|files| files.get(file));
                let observation = desired.observe(&version.cloned().unwrap_or_default());
                let state = FileState::Taken { plugin: plugin.clone() };
                self.files.insert(file.clone(), ObservedFile { observation, state });
            }
            Action::Load { file, plugin } => self.begin_load(file, plugin, desired),
            Action::RefuseDuplicate { file, plugin, .. } => {
                self.refuse(file, Some(plugin.clone()), Retry::Duplicate);
            }
            Action::Move { file, plugin } => self.move_service(file, plugin),
            Action::Forget { file } => drop(self.files.remove(file)),
            Action::Enter { plugin } => self.put_in_service(plugin, None),
            Action::Change { plugin } => self.set_activity(plugin, PluginActivity::Changing),
            Action::Confirm { plugin } => {
                if let Some(service) = self.service_mut(plugin) {
                    service.probation = None;
                }
            }
            Action::RollBack { plugin } => self.set_activity(plugin, PluginActivity::RollingBack),
            Action::Retire { plugin } => self.set_activity(plugin, PluginActivity::Retiring),
            Action::Start { plugin } => {
                self.set_activity(plugin, PluginActivity::Starting);
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

    /// Notes the result of a file's examination.
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

    /// Notes that a build on its way into service was refused.
    ///
    /// If the build came from a file of another name, and the file of the build in service is gone,
    /// the build in service continues under the new name: it is not retired because its successor
    /// was refused.
    pub(crate) fn turned_away(&mut self, plugin: &str, retry: Retry, desired: &Desired) {
        let Some(known) = self.plugins.get_mut(plugin) else { return };
        // Loading may end while the old build is retired or rolled back. That activity is not
        // affected.
        if known.activity == Some(PluginActivity::Changing) {
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

    /// Notes that the build on its way into service is in service now.
    pub(crate) fn put_in_service(&mut self, plugin: &str, probation: Option<Instant>) {
        let Some(known) = self.plugins.get_mut(plugin) else { return };
        let Some(incoming) = known.incoming.take() else { return };
        let Incoming { file, hash, settings, .. } = incoming;
        let probation = probation.map(|until| ObservedProbation { until, failed: false });
        let before = known.service.replace(Service { file, hash, settings, probation });
        known.activity = None;
        known.unstarted = true;
        let now = known.service.as_ref().map(|service| service.file.clone());
        // The new build came from another file: the file was renamed and changed at the same time.
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

    /// Ends a probation now: there is no way back any more.
    pub(crate) fn end_probation(&mut self, plugin: &str, now: Instant) {
        if let Some(probation) = self.service_mut(plugin).and_then(|it| it.probation.as_mut()) {
            probation.until = now;
        }
    }

    /// Notes that the previous build is in service again.
    ///
    /// The build that failed is not tried again under the circumstances of this moment: those
    /// under which it was examined may have changed during its probation, and it still failed.
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
                known.observation.circumstances = desired.circumstances;
            }
        }
    }

    /// Notes that a plugin is out of service.
    pub(crate) fn retired(&mut self, plugin: &str) {
        let Some(known) = self.plugins.get_mut(plugin) else { return };
        known.activity = None;
        let incoming = known.incoming.as_ref().map(|it| it.file.clone());
        // The next build may be on its way into service from the same file.
        if let Some(service) = known.service.take().filter(|it| Some(&it.file) != incoming.as_ref())
        {
            self.release(&service.file, plugin);
        }
        self.drop_if_empty(plugin);
    }

    /// Notes that the activity of a plugin has ended.
    pub(crate) fn idle(&mut self, plugin: &str) {
        if let Some(known) = self.plugins.get_mut(plugin) {
            known.activity = None;
        }
    }

    /// Marks plugins whose components a configuration is about to change.
    pub(crate) fn reconfigures<'p>(&mut self, plugins: impl IntoIterator<Item = &'p String>) {
        plugins.into_iter().for_each(|it| self.set_activity(it, PluginActivity::Reconfiguring));
    }

    /// Notes that a configuration or settings were applied or refused.
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

    /// Notes that no configuration is being applied any more.
    pub(crate) fn reconfigure_ended(&mut self) {
        self.reconfiguring = false;
        for plugin in self.plugins.values_mut() {
            if plugin.activity == Some(PluginActivity::Reconfiguring) {
                plugin.activity = None;
            }
            plugin.unstarted = true;
        }
    }

    /// Returns the time at which the next probation ends that can be ended.
    ///
    /// A plugin with an activity is left out: the end of the activity wakes the loop, and the time may
    /// have passed already.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.engine == EngineState::Starting {
            return None;
        }
        let idle = self.plugins.values().filter(|it| it.activity.is_none());
        let services = idle.filter_map(|it| it.service.as_ref());
        services.filter_map(|it| it.probation.map(|it| it.until)).min()
    }

    /// Returns `true` if no operation is under way that may change a build in service.
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

    fn set_activity(&mut self, plugin: &str, activity: PluginActivity) {
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
