//! A simulated host around [`reconcile`]: files appear, change and go, operations end in any
//! order, well or not, time passes. After the last event, observed has to reach desired.
//!
//! What a file does is told by its content, so that the end is known: `plugin.number.fate`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;

const PROBATION: Duration = Duration::from_secs(10);

/// What becomes of a file with this content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    IsRefused,
    /// Refused until the world around it is mended.
    IsRefusedForNow,
    DoesNotLoad,
    DoesNotChange,
    FailsOnProbation,
}

const FATES: [Fate; 6] = [
    Fate::Works,
    Fate::IsRefused,
    Fate::IsRefusedForNow,
    Fate::DoesNotLoad,
    Fate::DoesNotChange,
    Fate::FailsOnProbation,
];

/// The time until a file is tried again that is refused for now.
const RETRY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
enum Step {
    Put { file: usize, plugin: usize, fate: Fate },
    Remove { file: usize },
    Rename { from: usize, to: usize },
    End { operation: usize },
    Pass { seconds: u64 },
    FailProbation { plugin: usize },
    Configure,
    Set { file: usize },
    HideFolder,
    ShowFolder,
    Mend,
}

fn step() -> impl Strategy<Value = Step> {
    let fate = (0..FATES.len()).prop_map(|at| FATES[at]);
    prop_oneof![
        4 => (0..4usize, 0..3usize, fate).prop_map(|(file, plugin, fate)| Step::Put { file, plugin, fate }),
        2 => (0..4usize).prop_map(|file| Step::Remove { file }),
        1 => (0..4usize, 0..4usize).prop_map(|(from, to)| Step::Rename { from, to }),
        8 => (0..8usize).prop_map(|operation| Step::End { operation }),
        1 => (1..12u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..3usize).prop_map(|plugin| Step::FailProbation { plugin }),
        1 => Just(Step::Configure),
        1 => (0..4usize).prop_map(|file| Step::Set { file }),
        1 => Just(Step::HideFolder),
        1 => Just(Step::ShowFolder),
        1 => Just(Step::Mend),
    ]
}

#[derive(Debug, Clone)]
struct Content {
    plugin: String,
    hash: String,
    fate: Fate,
}

/// The world outside: what the actor, the system and the plugins do.
struct World {
    now: Instant,
    files: BTreeMap<PathBuf, Content>,
    is_hidden: bool,
    is_mended: bool,
    desired: Desired,
    observed: Observed,
    under_way: Vec<Action>,
    /// What a file held when its examination began.
    read: BTreeMap<PathBuf, Content>,
    /// What is being loaded, by plugin.
    loading: BTreeMap<String, Content>,
    /// The content of each build that is loaded, by plugin: in service, before it, incoming.
    service: BTreeMap<String, Content>,
    before: BTreeMap<String, Content>,
    incoming: BTreeMap<String, Content>,
    number: u64,
    /// The configuration that is being taken over, and the one that was.
    taking_over: u64,
    in_force: u64,
}

impl World {
    fn new() -> Self {
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
    fn look(&mut self) {
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

    fn act(&mut self) {
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

    /// What must hold whenever an action is begun.
    fn check(&self, action: &Action) {
        let plugin = |name: &String| self.observed.plugins.get(name).cloned().unwrap_or_default();
        match action {
            Action::Load { file, plugin: name } => {
                let plugin = plugin(name);
                assert!(plugin.incoming.is_none(), "two builds of {name} are on their way");
                let FileState::Ready { hash, .. } = &self.observed.files[file].state else {
                    panic!("{file:?} was not examined")
                };
                let service = plugin.service.as_ref();
                let twice = service.is_some_and(|it| it.file == *file && it.hash == *hash);
                assert!(!twice, "{name} is loaded twice from the same file");
                assert!(!self.observed.reconfiguring, "a load during a reconfiguration");
            }
            Action::Change { plugin: name }
            | Action::RollBack { plugin: name }
            | Action::Retire { plugin: name }
            | Action::Start { plugin: name } => {
                assert_eq!(plugin(name).activity, None, "{action:?} during an activity");
            }
            Action::Reconfigure { .. } => assert!(self.observed.is_idle(), "not idle"),
            Action::Examine { .. }
            | Action::Adopt { .. }
            | Action::RefuseDuplicate { .. }
            | Action::Move { .. }
            | Action::Forget { .. }
            | Action::Enter { .. }
            | Action::Confirm { .. }
            | Action::StartEngine => {}
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

    fn end(&mut self, action: Action) {
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

    fn take(&mut self, step: Step) {
        match step {
            Step::Put { file, plugin, fate } => {
                self.number += 1;
                let plugin = format!("p{plugin}");
                let hash = format!("{plugin}.{}.{fate:?}", self.number);
                self.files.insert(path(file), Content { plugin, hash, fate });
                self.look();
            }
            Step::Remove { file } => {
                self.files.remove(&path(file));
                self.look();
            }
            Step::Rename { from, to } => {
                if let Some(content) = self.files.remove(&path(from)) {
                    self.files.insert(path(to), content);
                }
                self.look();
            }
            Step::End { operation } => {
                if !self.under_way.is_empty() {
                    let action = self.under_way.remove(operation % self.under_way.len());
                    self.end(action);
                }
            }
            Step::Pass { seconds } => self.now += Duration::from_secs(seconds),
            Step::FailProbation { plugin } => {
                let plugin = format!("p{plugin}");
                if self.service.get(&plugin).is_some_and(|it| it.fate == Fate::FailsOnProbation) {
                    self.observed.failed(&plugin);
                }
            }
            Step::Configure => self.desired.configuration += 1,
            Step::Set { file } => {
                self.number += 1;
                let file = path(file).with_extension("yaml");
                self.desired.settings.insert(file, self.number.to_string());
            }
            Step::Mend => self.is_mended = true,
            Step::HideFolder => {
                self.is_hidden = true;
                self.look();
            }
            Step::ShowFolder => {
                self.is_hidden = false;
                self.look();
            }
        }
        self.act();
    }

    /// Lets everything that is under way come to its end, with the folder in sight.
    fn settle(&mut self) {
        self.take(Step::ShowFolder);
        self.take(Step::Mend);
        self.take(Step::Pass { seconds: RETRY.as_secs() });
        for turn in 0.. {
            assert!(turn < 1000, "it does not come to rest: {:?}", self.under_way);
            if !self.under_way.is_empty() {
                self.take(Step::End { operation: 0 });
            } else if self.observed.next_deadline().is_some() {
                (0..3).for_each(|plugin| self.take(Step::FailProbation { plugin }));
                self.take(Step::Pass { seconds: 11 });
            } else {
                return;
            }
        }
    }

    /// What has to be true when nothing is under way any more.
    fn check_end(&self) {
        assert!(reconcile(&self.desired, &self.observed, self.now).is_empty());
        assert!(self.observed.is_idle() && !self.observed.reconfiguring);
        assert_eq!(self.observed.configuration, self.desired.configuration);
        assert_eq!(self.in_force, self.desired.configuration, "a configuration is lost");
        assert!(self.before.is_empty() && self.incoming.is_empty(), "a build is left over");
        let in_service: BTreeSet<_> = self.observed.plugins.keys().collect();
        assert_eq!(in_service, self.service.keys().collect(), "observed and loaded differ");
        for (name, plugin) in &self.observed.plugins {
            let service = plugin.service.as_ref().expect("only plugins in service are left");
            assert!(self.files.contains_key(&service.file), "{name} is in service without a file");
            assert_eq!(service.hash, self.service[name].hash);
        }
        let works = |fate| matches!(fate, Fate::Works | Fate::IsRefusedForNow);
        for (path, content) in self.files.iter().filter(|(_, it)| works(it.fate)) {
            let service = self.service.get(&content.plugin);
            let service = service.unwrap_or_else(|| panic!("{} is not in service", content.plugin));
            let file =
                &self.observed.plugins[&content.plugin].service.as_ref().expect("it is").file;
            if file == path {
                assert_eq!(service.hash, content.hash, "an old build of {path:?} is in service");
            }
        }
    }
}

fn path(file: usize) -> PathBuf {
    PathBuf::from(format!("/plugins/lib{file}.so"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_observed_reaches_desired_and_nothing_is_loaded_twice_or_lost(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.settle();
        world.check_end();
    }
}
