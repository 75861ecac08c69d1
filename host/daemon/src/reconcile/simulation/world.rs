//! The world outside of [`reconcile`]: what the actor, the system and the plugins do.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::super::*;

const PROBATION: Duration = Duration::from_secs(10);

/// What becomes of a file with this content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Works,
    IsRefused,
    /// Refused until the world around it is mended.
    IsRefusedForNow,
    DoesNotLoad,
    DoesNotChange,
    FailsOnProbation,
}

pub(super) const FATES: [Fate; 6] = [
    Fate::Works,
    Fate::IsRefused,
    Fate::IsRefusedForNow,
    Fate::DoesNotLoad,
    Fate::DoesNotChange,
    Fate::FailsOnProbation,
];

/// The time until a file is tried again that is refused for now.
pub(super) const RETRY: Duration = Duration::from_secs(10);

/// What is in a file.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) plugin: String,
    pub(super) hash: String,
    pub(super) fate: Fate,
}

/// The files, and what a host has done with them.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) files: BTreeMap<PathBuf, Content>,
    pub(super) is_hidden: bool,
    pub(super) is_mended: bool,
    pub(super) desired: Desired,
    pub(super) observed: Observed,
    pub(super) under_way: Vec<Action>,
    /// What a file held when its examination began.
    pub(super) read: BTreeMap<PathBuf, Content>,
    /// What is being loaded, by plugin.
    pub(super) loading: BTreeMap<String, Content>,
    /// The content of each build that is loaded, by plugin: in service, before it, incoming.
    pub(super) service: BTreeMap<String, Content>,
    pub(super) before: BTreeMap<String, Content>,
    pub(super) incoming: BTreeMap<String, Content>,
    pub(super) number: u64,
    /// The configuration that is being taken over, and the one that was.
    pub(super) taking_over: u64,
    pub(super) in_force: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let observed = Observed { engine: EngineState::Running, ..Observed::default() };
        let desired = Desired { files: Some(BTreeMap::new()), ..Desired::default() };
        Self {
            now: Instant::now(),
            files: BTreeMap::new(),
            is_hidden: false,
            is_mended: false,
            desired,
            observed,
            under_way: Vec::new(),
            read: BTreeMap::new(),
            loading: BTreeMap::new(),
            service: BTreeMap::new(),
            before: BTreeMap::new(),
            incoming: BTreeMap::new(),
            number: 0,
            taking_over: 0,
            in_force: 0,
        }
    }

    /// What the watch shows.
    pub(super) fn look(&mut self) {
        if self.is_hidden {
            self.desired.files = None;
            self.desired.gone.clear();
            return;
        }
        let version = |(path, content): (&PathBuf, &Content)| {
            (path.clone(), FileVersion { content: content.hash.clone(), rest: String::new() })
        };
        self.desired.files = Some(self.files.iter().map(version).collect());
        self.look_for_gone();
    }

    fn look_for_gone(&mut self) {
        if self.is_hidden {
            return;
        }
        let services = self.observed.plugins.values().filter_map(|it| it.service.as_ref());
        let gone = services.map(|it| it.file.clone()).filter(|it| !self.files.contains_key(it));
        self.desired.gone = gone.collect();
    }

    pub(super) fn act(&mut self) {
        for turn in 0.. {
            assert!(turn < 100, "reconcile does not come to rest: {:#?}", self.observed);
            let actions = reconcile(&self.desired, &self.observed, self.now);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.check(&action);
                self.observed.begin(&action, &self.desired);
                self.begin(action);
                self.look_for_gone();
            }
        }
    }

    fn begin(&mut self, action: Action) {
        match &action {
            Action::Examine { file } => {
                let content = self.files.get(file).cloned();
                content.map(|content| self.read.insert(file.clone(), content));
                self.under_way.push(action);
            }
            Action::Load { file, plugin } => {
                self.loading.insert(plugin.clone(), self.read[file].clone());
                self.under_way.push(action);
            }
            Action::Change { .. }
            | Action::RollBack { .. }
            | Action::Retire { .. }
            | Action::Start { .. } => self.under_way.push(action),
            Action::Reconfigure { .. } => {
                self.taking_over = self.desired.configuration;
                self.under_way.push(action);
            }
            Action::Enter { plugin } => {
                let content = self.incoming.remove(plugin).expect("a loaded build");
                let none = self.service.insert(plugin.clone(), content);
                assert!(none.is_none(), "a build of {plugin} is lost");
            }
            Action::Confirm { plugin } => drop(self.before.remove(plugin).expect("a build before")),
            Action::Adopt { .. }
            | Action::RefuseDuplicate { .. }
            | Action::Move { .. }
            | Action::Forget { .. }
            | Action::StartEngine => {}
        }
    }

    pub(super) fn end(&mut self, action: Action) {
        match action {
            Action::Examine { file } => {
                let content = self.read.get(&file).cloned();
                let found = match content {
                    Some(it) if it.fate == Fate::IsRefusedForNow && !self.is_mended => {
                        Err(Retry::Outside { at: self.now + RETRY })
                    }
                    Some(it) if it.fate != Fate::IsRefused => Ok((it.plugin, it.hash)),
                    Some(_) | None => Err(Retry::File),
                };
                self.observed.examined(&file, found);
            }
            Action::Load { plugin, .. } => {
                let content = self.loading.remove(&plugin).expect("a build that is loaded");
                if content.fate == Fate::DoesNotLoad {
                    self.observed.turned_away(&plugin, Retry::File, &self.desired);
                } else {
                    let none = self.incoming.insert(plugin.clone(), content);
                    assert!(none.is_none(), "a build of {plugin} is lost");
                    self.observed.loaded(&plugin);
                }
            }
            Action::Change { plugin } => {
                let content = self.incoming.remove(&plugin).expect("a loaded build");
                if content.fate == Fate::DoesNotChange {
                    self.observed.turned_away(&plugin, Retry::Circumstances, &self.desired);
                } else {
                    let before = self.service.insert(plugin.clone(), content);
                    let before = before.expect("a build in service");
                    assert!(self.before.insert(plugin.clone(), before).is_none());
                    self.observed.put_in_service(&plugin, Some(self.now + PROBATION));
                }
            }
            Action::RollBack { plugin } => {
                let before = self.before.remove(&plugin).expect("a build before");
                self.observed.rolled_back(&plugin, before.hash.clone(), &self.desired);
                self.service.insert(plugin, before).expect("a build in service");
            }
            Action::Retire { plugin } => {
                self.service.remove(&plugin).expect("a build in service");
                self.observed.retired(&plugin);
            }
            Action::Start { plugin } => self.observed.idle(&plugin),
            Action::Reconfigure { subject } => {
                if subject == Subject::Configuration {
                    self.in_force = self.taking_over;
                }
                self.observed.reconfigured(&subject);
                self.desired.circumstances += 1;
            }
            done @ (Action::Adopt { .. }
            | Action::RefuseDuplicate { .. }
            | Action::Move { .. }
            | Action::Forget { .. }
            | Action::Enter { .. }
            | Action::Confirm { .. }
            | Action::StartEngine) => panic!("{done:?} is done when it is begun"),
        }
        self.look_for_gone();
    }
}
