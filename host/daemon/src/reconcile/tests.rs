//! Each rule of [`reconcile`], and what happens if two of them meet in time.

mod builds;
mod configuration;
mod files;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::*;

/// A plugins folder, a host, and a clock that only the test advances.
struct Scene {
    now: Instant,
    desired: Desired,
    observed: Observed,
}

const PROBATION: Duration = Duration::from_secs(10);

fn path(name: &str) -> PathBuf {
    Path::new("/plugins").join(name)
}

impl Scene {
    fn new() -> Self {
        let desired = Desired { files: Some(BTreeMap::new()), ..Desired::default() };
        let observed = Observed { engine: EngineState::Running, ..Observed::default() };
        Self { now: Instant::now(), desired, observed }
    }

    /// A host in which this plugin is in service from `lib….so`.
    fn with(plugin: &str, hash: &str) -> Self {
        let mut scene = Self::new();
        scene.put(plugin, hash);
        scene.bring(plugin, hash);
        assert_eq!(scene.next(), [Action::Enter { plugin: plugin.to_owned() }]);
        assert_eq!(scene.next(), [Action::Start { plugin: plugin.to_owned() }]);
        scene.observed.idle(plugin);
        assert_eq!(scene.next(), []);
        scene
    }

    fn files(&mut self) -> &mut BTreeMap<PathBuf, FileVersion> {
        self.desired.files.as_mut().expect("the folder is there")
    }

    fn put(&mut self, file: &str, content: &str) {
        let version = FileVersion { content: content.to_owned(), rest: String::new() };
        self.files().insert(path(file), version);
        self.desired.gone.remove(&path(file));
    }

    fn remove(&mut self, file: &str) {
        self.files().remove(&path(file));
        self.desired.gone.insert(path(file));
    }

    /// Begins the next actions, and returns them.
    fn next(&mut self) -> Vec<Action> {
        let actions = reconcile(&self.desired, &self.observed, self.now);
        for action in &actions {
            self.observed.begin(action, &self.desired);
        }
        actions
    }

    /// Examines and loads a file, to the point where its build is ready.
    fn bring(&mut self, plugin: &str, hash: &str) {
        self.examine(plugin, plugin, hash);
        assert_eq!(self.next(), [load(plugin, plugin)]);
        self.observed.loaded(plugin);
    }

    fn examine(&mut self, file: &str, plugin: &str, hash: &str) {
        assert_eq!(self.next(), [Action::Examine { file: path(file) }]);
        self.observed.examined(&path(file), Ok((plugin.to_owned(), hash.to_owned())));
    }

    /// Replaces the build in service; the new one is on probation.
    fn replace(&mut self, plugin: &str, hash: &str) {
        self.put(plugin, hash);
        self.bring(plugin, hash);
        assert_eq!(self.next(), [Action::Change { plugin: plugin.to_owned() }]);
        self.observed.put_in_service(plugin, Some(self.now + PROBATION));
        assert_eq!(self.next(), [Action::Start { plugin: plugin.to_owned() }]);
        self.observed.idle(plugin);
        assert_eq!(self.next(), []);
    }

    fn service(&self, plugin: &str) -> &Service {
        self.observed.plugins[plugin].service.as_ref().expect("it is in service")
    }
}

fn load(file: &str, plugin: &str) -> Action {
    Action::Load { file: path(file), plugin: plugin.to_owned() }
}

fn of(plugin: &str, make: impl Fn(String) -> Action) -> Vec<Action> {
    vec![make(plugin.to_owned())]
}
