//! Files of plugins that come, change, move and go.

use super::*;

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
fn a_file_that_is_refused_for_something_outside_of_it_is_tried_again_by_time_and_on_request() {
    let mut scene = Scene::new();
    scene.put("a", "1");
    assert_eq!(scene.next().len(), 1);
    let refuse = |scene: &mut Scene| {
        let at = scene.now + Duration::from_secs(10);
        scene.observed.examined(&path("a"), Err(Retry::Outside { at }));
        assert_eq!(scene.next(), []);
    };
    let again = [Action::Examine { file: path("a") }];
    refuse(&mut scene);
    scene.now += Duration::from_secs(9);
    assert_eq!(scene.next(), []);
    scene.now += Duration::from_secs(1);
    assert_eq!(scene.next(), again);
    refuse(&mut scene);
    scene.desired.requests += 1;
    assert_eq!(scene.next(), again);
    refuse(&mut scene);
    scene.desired.circumstances += 1;
    assert_eq!(scene.next(), again);
}

#[test]
fn a_request_is_no_reason_to_try_a_file_again_that_is_at_fault_itself() {
    let mut scene = Scene::new();
    scene.put("a", "1");
    assert_eq!(scene.next().len(), 1);
    scene.observed.examined(&path("a"), Err(Retry::File));
    scene.desired.requests += 1;
    scene.now += Duration::from_secs(1_000);
    assert_eq!(scene.next(), []);
}
