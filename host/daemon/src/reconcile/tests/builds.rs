//! Builds that are replaced, confirmed and rolled back.

use super::*;

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
fn no_build_is_loaded_while_too_many_are_being_closed() {
    let mut scene = Scene::new();
    scene.observed.closing = MAX_CLOSING + 1;
    scene.put("a", "1");
    scene.examine("a", "a", "1");
    assert_eq!(scene.next(), []);
    scene.observed.closing = MAX_CLOSING;
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
