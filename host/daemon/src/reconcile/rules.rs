//! The rules by which [`reconcile`] decides on actions.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    Action, Desired, EngineState, FileObservation, FileState, FileVersion, MAX_CLOSING, Observed,
    ObservedFile, ObservedPlugin, Retry, Service, Stage, Subject,
};

/// Returns the next steps towards the desired state, at most one for each plugin and file.
///
/// If there are none, nothing is to be done until an operation ends, the desired state changes, or
/// the time of [`Observed::next_deadline`] comes. Only a refused file that is to be tried again at some
/// time is not part of that time: it may be late, and is noticed when this is called at a tick.
pub(crate) fn reconcile(desired: &Desired, observed: &Observed, now: Instant) -> Vec<Action> {
    let mut actions = Vec::new();
    for (name, plugin) in &observed.plugins {
        actions.extend(of_plugin(desired, observed, name, plugin, now));
    }
    if let Some(files) = &desired.files {
        Files { desired, observed, files, now }.add_to(&mut actions);
    }
    let is_quiet = observed.is_idle() && !observed.reconfiguring && actions.is_empty();
    if observed.engine == EngineState::Possible && observed.is_idle() && !observed.reconfiguring {
        actions.push(Action::StartEngine);
    } else if is_quiet && observed.engine != EngineState::Starting && !desired.reading {
        actions.extend(subject(desired, observed).map(|subject| Action::Reconfigure { subject }));
    }
    actions
}

/// Returns the configuration or settings that are neither in force nor refused, if there are any.
fn subject(desired: &Desired, observed: &Observed) -> Option<Subject> {
    if desired.configuration != observed.configuration {
        return Some(Subject::Configuration);
    }
    desired.files.as_ref()?;
    let differ = |(name, plugin): &(&String, &ObservedPlugin)| {
        let service = plugin.service.as_ref();
        service.is_some_and(|it| it.settings != desired.settings_of(&it.file, name))
    };
    let (plugin, _) = observed.plugins.iter().find(differ)?;
    Some(Subject::Settings { plugin: plugin.clone() })
}

/// Returns the next action for one plugin.
fn of_plugin(
    desired: &Desired,
    observed: &Observed,
    name: &str,
    plugin: &ObservedPlugin,
    now: Instant,
) -> Option<Action> {
    // While components are being made for the first time, the builds in service must not change.
    if plugin.activity.is_some() || observed.engine == EngineState::Starting {
        return None;
    }
    let own = || name.to_owned();
    let is_loaded = plugin.incoming.as_ref().is_some_and(|it| it.stage == Stage::Loaded);
    let Some(service) = &plugin.service else {
        return is_loaded.then(|| Action::Enter { plugin: own() });
    };
    let leaves = !observed.reconfiguring && is_leaving(desired, observed, name, plugin, service);
    match service.probation {
        Some(it) if it.failed => return Some(Action::RollBack { plugin: own() }),
        Some(it) if is_loaded || leaves || it.until <= now => {
            return Some(Action::Confirm { plugin: own() });
        }
        Some(_) | None => {}
    }
    if is_loaded {
        Some(Action::Change { plugin: own() })
    } else if leaves {
        Some(Action::Retire { plugin: own() })
    } else if plugin.unstarted && observed.engine == EngineState::Running && !observed.reconfiguring
    {
        Some(Action::Start { plugin: own() })
    } else {
        None
    }
}

/// Returns `true` if the file of a plugin is gone, and no other file may hold the plugin.
fn is_leaving(
    desired: &Desired,
    observed: &Observed,
    name: &str,
    plugin: &ObservedPlugin,
    service: &Service,
) -> bool {
    let may_bring_it = |file: &ObservedFile| match &file.state {
        FileState::Examining | FileState::Ready { .. } => true,
        FileState::Refused { plugin, retry: Retry::Duplicate } => plugin.as_deref() == Some(name),
        FileState::Taken { .. } | FileState::Refused { .. } => false,
    };
    let Some(files) = &desired.files else { return false };
    desired.gone.contains(&service.file)
        && plugin.incoming.is_none()
        && files.keys().all(|path| observed.files.contains_key(path))
        && !observed.files.values().any(may_bring_it)
}

/// The rules for the files in the plugins folder.
struct Files<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    files: &'a BTreeMap<PathBuf, FileVersion>,
    now: Instant,
}

impl Files<'_> {
    fn add_to(&self, actions: &mut Vec<Action>) {
        let mut loading = BTreeSet::new();
        for (path, version) in self.files {
            let action = self.of_file(path, version);
            if let Some(Action::Load { plugin, .. }) = &action
                && !loading.insert(plugin.clone())
            {
                // Another file holds the same plugin, and comes first.
                continue;
            }
            actions.extend(action);
        }
        for (path, file) in &self.observed.files {
            let is_over = matches!(file.state, FileState::Refused { .. } | FileState::Ready { .. });
            if is_over && !self.files.contains_key(path) {
                actions.push(Action::Forget { file: path.clone() });
            }
        }
    }

    fn of_file(&self, path: &Path, version: &FileVersion) -> Option<Action> {
        let file = path.to_owned();
        let Some(known) = self.observed.files.get(path) else {
            return Some(self.adopt(path, version).unwrap_or(Action::Examine { file }));
        };
        if known.state == FileState::Examining {
            // A change in the meantime is noticed when the examination has ended.
            return None;
        }
        if known.observation.version != *version
            || self.is_to_be_tried_again(&known.state, &known.observation)
        {
            let is_incoming = self.is_incoming(path);
            let again = self.adopt(path, version).unwrap_or(Action::Examine { file });
            // A build that is being loaded from this file has to be in service or refused first.
            return (!is_incoming).then_some(again);
        }
        match &known.state {
            FileState::Ready { plugin, hash } => self.of_ready(path, plugin, hash),
            FileState::Examining | FileState::Taken { .. } | FileState::Refused { .. } => None,
        }
    }

    /// Returns the adoption of a file whose content is in service already, so that it needs no
    /// examination.
    fn adopt(&self, path: &Path, version: &FileVersion) -> Option<Action> {
        let mut plugins = self.observed.plugins.iter();
        let (plugin, _) = plugins.find(|(_, plugin)| {
            let service = plugin.service.as_ref();
            service.is_some_and(|it| it.file == path && it.hash == version.content)
        })?;
        Some(Action::Adopt { file: path.to_owned(), plugin: plugin.clone() })
    }

    fn is_incoming(&self, path: &Path) -> bool {
        let mut incoming = self.observed.plugins.values().filter_map(|it| it.incoming.as_ref());
        incoming.any(|it| it.file == path)
    }

    fn is_to_be_tried_again(&self, state: &FileState, observation: &FileObservation) -> bool {
        if matches!(state, FileState::Ready { .. }) {
            // It waited while that changed who vouches for it.
            return observation.trust != self.desired.trust;
        }
        let FileState::Refused { plugin, retry } = state else { return false };
        match retry {
            Retry::File => false,
            Retry::Circumstances => observation.circumstances != self.desired.circumstances,
            Retry::Outside { at } => {
                self.now >= *at
                    || observation.requests != self.desired.requests
                    || observation.circumstances != self.desired.circumstances
            }
            Retry::Quarantine => {
                observation.quarantine != self.desired.quarantine
                    || observation.circumstances != self.desired.circumstances
            }
            Retry::Duplicate => {
                let plugin = plugin.as_ref().and_then(|name| self.observed.plugins.get(name));
                match plugin {
                    None => true,
                    Some(ObservedPlugin { service: Some(it), .. }) => {
                        self.desired.gone.contains(&it.file)
                    }
                    Some(_) => false,
                }
            }
        }
    }

    fn of_ready(&self, path: &Path, plugin: &str, hash: &str) -> Option<Action> {
        let (file, plugin) = (path.to_owned(), plugin.to_owned());
        let known = self.observed.plugins.get(&plugin);
        let is_free = known.is_none_or(|it| it.incoming.is_none());
        let may_load = is_free
            && self.observed.closing <= MAX_CLOSING
            && !self.observed.reconfiguring
            && !self.desired.reading
            && self.desired.configuration == self.observed.configuration;
        let load = |file, plugin| may_load.then_some(Action::Load { file, plugin });
        match known.and_then(|it| it.service.as_ref()) {
            None => load(file, plugin),
            Some(service) if service.file == path && service.hash == hash => {
                Some(Action::Adopt { file, plugin })
            }
            Some(service) if service.file == path => load(file, plugin),
            Some(service) if !self.desired.gone.contains(&service.file) => {
                Some(Action::RefuseDuplicate { file, plugin, of: service.file.clone() })
            }
            Some(service) if service.hash == hash && is_free => Some(Action::Move { file, plugin }),
            Some(_) => load(file, plugin),
        }
    }
}
