//! Each rule with its neighbours in time.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::*;

/// A folder, a host, and a clock that stands still.
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

    /// Begins what is next, and gives it.
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

#[test]
fn a_new_file_is_examined_then_loaded_then_put_into_service() {
    let scene = Scene::with("a", "1");
    assert_eq!(scene.service("a").hash, "1");
    assert!(scene.service("a").probation.is_none());
}

#[test]
fn a_file_that_changes_while_it_is_examined_is_examined_again() {
    let mut scene = Scene::new();
    scene.put("a", "1");
    assert_eq!(scene.next(), [Action::Examine { file: path("a") }]);
    scene.put("a", "2");
    assert_eq!(scene.next(), [], "one examination of a file at a time");
    scene.observed.examined(&path("a"), Ok(("a".to_owned(), "1".to_owned())));
    assert_eq!(scene.next(), [Action::Examine { file: path("a") }]);
}

#[test]
fn a_new_build_takes_the_place_of_the_old_one_and_is_confirmed_after_its_probation() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    assert_eq!(scene.observed.next_deadline(), Some(scene.now + PROBATION));
    scene.now += PROBATION;
    assert_eq!(scene.next(), of("a", |plugin| Action::Confirm { plugin }));
    assert_eq!(scene.next(), []);
    assert_eq!((scene.service("a").hash.as_str(), scene.observed.next_deadline()), ("2", None));
}

#[test]
fn the_same_bytes_written_again_are_not_loaded_again() {
    let mut scene = Scene::with("a", "1");
    let version = FileVersion { content: "1".to_owned(), rest: "touched".to_owned() };
    scene.files().insert(path("a"), version);
    assert_eq!(scene.next(), [Action::Adopt { file: path("a"), plugin: "a".to_owned() }]);
    assert_eq!(scene.next(), []);
}

#[test]
fn a_failure_on_probation_rolls_back_while_another_plugin_hangs() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.put("b", "1");
    scene.bring("b", "1");
    assert_eq!(scene.next(), of("b", |plugin| Action::Enter { plugin }));
    assert_eq!(scene.next(), of("b", |plugin| Action::Start { plugin }));
    // `b` does not come to the end of its start.
    scene.observed.failed("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::RollBack { plugin }));
    scene.observed.rolled_back("a", "1".to_owned(), &scene.desired);
    assert_eq!(scene.service("a").hash, "1");
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
}

#[test]
fn a_build_that_failed_is_not_tried_again_until_the_configuration_changes() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.observed.failed("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::RollBack { plugin }));
    scene.observed.rolled_back("a", "1".to_owned(), &scene.desired);
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
    scene.observed.idle("a");
    assert_eq!(scene.next(), []);
    scene.desired.circumstances += 1;
    assert_eq!(scene.next(), [Action::Examine { file: path("a") }]);
}

#[test]
fn the_next_good_build_ends_a_probation_well() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.put("a", "3");
    scene.bring("a", "3");
    assert_eq!(scene.next(), of("a", |plugin| Action::Confirm { plugin }));
    assert_eq!(scene.next(), of("a", |plugin| Action::Change { plugin }));
}

#[test]
fn a_build_that_fails_while_the_next_one_is_loaded_is_rolled_back_first() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.put("a", "3");
    scene.examine("a", "a", "3");
    assert_eq!(scene.next(), [load("a", "a")]);
    scene.observed.failed("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::RollBack { plugin }));
    scene.observed.loaded("a");
    assert_eq!(scene.next(), [], "the roll-back comes to its end first");
    scene.observed.rolled_back("a", "1".to_owned(), &scene.desired);
    assert_eq!(scene.next(), of("a", |plugin| Action::Change { plugin }));
}

#[test]
fn a_probation_goes_on_while_the_next_build_is_refused() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.put("a", "3");
    scene.examine("a", "a", "3");
    assert_eq!(scene.next(), [load("a", "a")]);
    scene.observed.turned_away("a", Retry::File, &scene.desired);
    assert_eq!(scene.next(), []);
    assert_eq!(scene.service("a").hash, "2");
    assert!(scene.service("a").probation.is_some());
}

#[test]
fn a_file_that_is_gone_retires_its_plugin_after_its_probation_was_ended() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.remove("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::Confirm { plugin }));
    assert_eq!(scene.next(), of("a", |plugin| Action::Retire { plugin }));
    scene.observed.retired("a");
    scene.desired.gone.clear();
    assert_eq!(scene.next(), []);
    assert!(scene.observed.plugins.is_empty() && scene.observed.files.is_empty());
}

#[test]
fn a_file_with_another_name_is_the_same_plugin_still() {
    let mut scene = Scene::with("a", "1");
    scene.remove("a");
    scene.put("z", "1");
    scene.examine("z", "a", "1");
    assert_eq!(scene.next(), [Action::Move { file: path("z"), plugin: "a".to_owned() }]);
    scene.desired.gone.clear();
    assert_eq!(scene.next(), []);
    assert_eq!(scene.service("a").file, path("z"));
}

#[test]
fn a_file_with_another_name_and_other_bytes_replaces_the_build() {
    let mut scene = Scene::with("a", "1");
    scene.remove("a");
    scene.put("z", "2");
    scene.examine("z", "a", "2");
    assert_eq!(scene.next(), [load("z", "a")]);
    scene.observed.loaded("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::Change { plugin }));
    scene.observed.put_in_service("a", Some(scene.now + PROBATION));
    assert_eq!((scene.service("a").file.clone(), scene.observed.files.len()), (path("z"), 1));
}

#[test]
fn a_plugin_stays_while_a_new_file_may_turn_out_to_be_it() {
    let mut scene = Scene::with("a", "1");
    scene.remove("a");
    scene.put("z", "9");
    assert_eq!(scene.next(), [Action::Examine { file: path("z") }]);
    assert_eq!(scene.next(), []);
    scene.observed.examined(&path("z"), Err(Retry::File));
    assert_eq!(scene.next(), of("a", |plugin| Action::Retire { plugin }));
}

#[test]
fn the_second_file_of_a_plugin_waits_and_takes_over_when_the_first_is_gone() {
    let mut scene = Scene::with("a", "1");
    scene.put("z", "2");
    scene.examine("z", "a", "2");
    let duplicate =
        Action::RefuseDuplicate { file: path("z"), plugin: "a".to_owned(), of: path("a") };
    assert_eq!(scene.next(), [duplicate]);
    assert_eq!(scene.next(), []);
    scene.remove("a");
    assert_eq!(scene.next(), [Action::Examine { file: path("z") }], "not retired");
    scene.observed.examined(&path("z"), Ok(("a".to_owned(), "2".to_owned())));
    assert_eq!(scene.next(), [load("z", "a")]);
}

#[test]
fn of_two_new_files_with_one_plugin_the_first_is_loaded_and_the_second_refused() {
    let mut scene = Scene::new();
    scene.put("x", "1");
    scene.put("y", "2");
    assert_eq!(scene.next().len(), 2);
    scene.observed.examined(&path("x"), Ok(("a".to_owned(), "1".to_owned())));
    scene.observed.examined(&path("y"), Ok(("a".to_owned(), "2".to_owned())));
    assert_eq!(scene.next(), [load("x", "a")]);
    scene.observed.loaded("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::Enter { plugin }));
    let duplicate =
        Action::RefuseDuplicate { file: path("y"), plugin: "a".to_owned(), of: path("x") };
    assert!(scene.next().contains(&duplicate));
}

#[test]
fn a_plugin_that_comes_back_while_it_is_retired_enters_again() {
    let mut scene = Scene::with("a", "1");
    scene.remove("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::Retire { plugin }));
    scene.put("a", "2");
    scene.examine("a", "a", "2");
    let actions = scene.next();
    assert_eq!(actions, [load("a", "a")]);
    scene.observed.loaded("a");
    assert_eq!(scene.next(), [], "the old build goes first");
    scene.observed.retired("a");
    assert!(scene.next().contains(&Action::Enter { plugin: "a".to_owned() }));
}

#[test]
fn everything_goes_on_while_the_folder_is_missing() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.desired.files = None;
    scene.desired.gone.clear();
    assert_eq!(scene.next(), []);
    scene.now += PROBATION;
    assert_eq!(scene.next(), of("a", |plugin| Action::Confirm { plugin }));
}

#[test]
fn a_quarantined_file_is_tried_again_when_the_quarantine_changes() {
    let mut scene = Scene::new();
    scene.put("a", "1");
    assert_eq!(scene.next().len(), 1);
    scene.observed.examined(&path("a"), Err(Retry::Quarantine));
    assert_eq!(scene.next(), []);
    scene.desired.quarantine += 1;
    assert_eq!(scene.next(), [Action::Examine { file: path("a") }]);
}

#[test]
fn a_refused_file_that_is_gone_is_forgotten() {
    let mut scene = Scene::new();
    scene.put("a", "1");
    assert_eq!(scene.next().len(), 1);
    scene.observed.examined(&path("a"), Err(Retry::File));
    scene.files().clear();
    assert_eq!(scene.next(), [Action::Forget { file: path("a") }]);
    assert!(scene.observed.files.is_empty());
}

#[test]
fn a_configuration_waits_for_a_build_on_its_way_and_holds_back_the_next() {
    let mut scene = Scene::with("a", "1");
    scene.put("a", "2");
    scene.examine("a", "a", "2");
    assert_eq!(scene.next(), [load("a", "a")]);
    scene.desired.configuration += 1;
    scene.put("b", "1");
    scene.examine("b", "b", "1");
    assert_eq!(scene.next(), [], "nothing is loaded for a configuration that goes");
    scene.observed.loaded("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::Change { plugin }));
    scene.observed.put_in_service("a", Some(scene.now + PROBATION));
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
    scene.observed.idle("a");
    let subject = Subject::Configuration;
    assert_eq!(scene.next(), [Action::Reconfigure { subject: subject.clone() }]);
    assert_eq!(scene.next(), []);
    scene.observed.reconfigured(&subject);
    assert!(scene.next().contains(&load("b", "b")));
}

#[test]
fn a_failed_probation_does_not_wait_for_a_configuration() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.desired.configuration += 1;
    assert_eq!(scene.next(), [Action::Reconfigure { subject: Subject::Configuration }]);
    scene.observed.failed("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::RollBack { plugin }));
}

#[test]
fn settings_beside_a_library_are_taken_over_and_not_asked_for_again_if_they_are_refused() {
    let mut scene = Scene::with("a", "1");
    scene.desired.settings.insert(path("a.yaml"), "new".to_owned());
    let subject = Subject::Settings { plugin: "a".to_owned() };
    assert_eq!(scene.next(), [Action::Reconfigure { subject: subject.clone() }]);
    scene.observed.reconfigured(&subject);
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
    scene.observed.idle("a");
    assert_eq!(scene.next(), []);
}

#[test]
fn a_configuration_that_changes_while_it_is_taken_over_is_taken_over_again() {
    let mut scene = Scene::new();
    let subject = Subject::Configuration;
    scene.desired.configuration += 1;
    assert_eq!(scene.next(), [Action::Reconfigure { subject: subject.clone() }]);
    scene.desired.configuration += 1;
    scene.observed.reconfigured(&subject);
    assert_eq!(scene.next(), [Action::Reconfigure { subject }]);
}

#[test]
fn settings_that_change_while_they_are_taken_over_are_taken_over_again() {
    let mut scene = Scene::with("a", "1");
    let subject = Subject::Settings { plugin: "a".to_owned() };
    scene.desired.settings.insert(path("a.yaml"), "new".to_owned());
    assert_eq!(scene.next(), [Action::Reconfigure { subject: subject.clone() }]);
    scene.desired.settings.insert(path("a.yaml"), "newer".to_owned());
    scene.observed.reconfigured(&subject);
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
    scene.observed.idle("a");
    assert_eq!(scene.next(), [Action::Reconfigure { subject }]);
}

#[test]
fn a_probation_whose_plugin_is_busy_at_its_end_wakes_nobody_until_that_is_over() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.observed.reconfigures([&"a".to_owned()]);
    scene.now += PROBATION;
    assert_eq!((scene.next(), scene.observed.next_deadline()), (Vec::new(), None));
    scene.observed.reconfigure_ended();
    assert_eq!(scene.next(), of("a", |plugin| Action::Confirm { plugin }));
}

#[test]
fn the_next_build_is_loaded_although_the_one_before_was_rolled_back_while_it_waited() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.desired.reading = true;
    scene.put("a", "3");
    scene.examine("a", "a", "3");
    scene.observed.failed("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::RollBack { plugin }));
    scene.observed.rolled_back("a", "1".to_owned(), &scene.desired);
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
    scene.observed.idle("a");
    scene.desired.reading = false;
    assert_eq!(scene.next(), [load("a", "a")]);
}

#[test]
fn a_file_is_not_examined_twice_at_once_when_the_plugin_before_leaves_it() {
    let mut scene = Scene::with("a", "1");
    scene.remove("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::Retire { plugin }));
    scene.put("a", "2");
    assert_eq!(scene.next(), [Action::Examine { file: path("a") }]);
    scene.observed.retired("a");
    assert_eq!(scene.next(), []);
}

#[test]
fn a_bad_build_under_another_name_leaves_the_old_one_in_service() {
    let mut scene = Scene::with("a", "1");
    scene.remove("a");
    scene.put("z", "2");
    scene.examine("z", "a", "2");
    assert_eq!(scene.next(), [load("z", "a")]);
    scene.observed.turned_away("a", Retry::Circumstances, &scene.desired);
    scene.desired.gone.clear();
    assert_eq!(scene.next(), []);
    assert_eq!(
        (scene.service("a").file.clone(), scene.service("a").hash.as_str()),
        (path("z"), "1")
    );
}

#[test]
fn a_file_that_waited_while_trust_changed_is_examined_again_before_it_is_loaded() {
    let mut scene = Scene::new();
    scene.desired.reading = true;
    scene.put("a", "1");
    scene.examine("a", "a", "1");
    assert_eq!(scene.next(), []);
    scene.desired.trust += 1;
    scene.desired.reading = false;
    assert_eq!(scene.next(), [Action::Examine { file: path("a") }]);
}

#[test]
fn a_build_that_failed_is_not_tried_again_for_a_change_before_its_failure() {
    let mut scene = Scene::with("a", "1");
    scene.replace("a", "2");
    scene.desired.circumstances += 1;
    scene.observed.failed("a");
    assert_eq!(scene.next(), of("a", |plugin| Action::RollBack { plugin }));
    scene.observed.rolled_back("a", "1".to_owned(), &scene.desired);
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
    scene.observed.idle("a");
    assert_eq!(scene.next(), []);
}

#[test]
fn no_build_is_loaded_while_too_many_are_being_closed() {
    let mut scene = Scene::new();
    scene.observed.closing = MOST_CLOSING + 1;
    scene.put("a", "1");
    scene.examine("a", "a", "1");
    assert_eq!(scene.next(), []);
    scene.observed.closing = MOST_CLOSING;
    assert_eq!(scene.next(), [load("a", "a")]);
}

#[test]
fn nothing_changes_its_build_while_the_pipeline_is_started() {
    let mut scene = Scene::with("a", "1");
    scene.observed.engine = EngineState::Possible;
    assert_eq!(scene.next(), [Action::StartEngine]);
    scene.put("a", "2");
    scene.bring("a", "2");
    assert_eq!(scene.next(), []);
    scene.observed.engine = EngineState::Running;
    assert_eq!(scene.next(), of("a", |plugin| Action::Change { plugin }));
}
