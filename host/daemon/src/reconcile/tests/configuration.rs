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
    scene.observed.reconfigured(&subject, 1, String::new());
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
    let settings = scene.desired.settings_of(&path("a"), "a");
    scene.observed.reconfigured(&subject, 0, settings);
    assert_eq!(scene.next(), of("a", |plugin| Action::Start { plugin }));
    scene.observed.idle("a");
    assert_eq!(scene.next(), []);
}
