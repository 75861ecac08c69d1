//! A simulated host around [`reconcile`]: files appear, change and go, operations end in any
//! order, well or not, time passes. After the last event, observed has to reach desired.
//!
//! What a file does is told by its content, so that the end is known: `plugin.number.fate`.

mod invariants;
mod world;

use std::{path::PathBuf, time::Duration};

use proptest::prelude::*;

use world::{Content, FATES, Fate, RETRY, World};

/// Something that happens.
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

impl World {
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
