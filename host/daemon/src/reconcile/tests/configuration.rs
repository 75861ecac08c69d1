//! Configurations and settings that change.

use super::*;

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
