//! Builds that are suspended, because only one build may hold what they hold.

use super::*;

/// Fails at a step of the second component. Returns what happened since the start.
async fn fails(old: Fault, new: Fault, step: ReplaceStep) -> (Running, Vec<String>) {
    let running = Running::start_with(("second", old), Handover::Exclusive).await;
    let before = running.log.lines().len();
    let failed = running.change(("second", new)).await.expect_err("it is to fail");
    assert_eq!((failed.component.as_str(), failed.step), ("second", step));
    let lines = running.log.lines()[before..].to_vec();
    (running, lines)
}

const SUSPENDED: [&str; 2] = ["old first suspend", "old second suspend"];
const RESUMED: [&str; 2] = ["old second resume", "old first resume"];

#[tokio::test]
async fn all_old_builds_are_suspended_before_a_new_one_is_made_and_stay_so() {
    let running = Running::start_with(("", Fault::None), Handover::Exclusive).await;
    let before = running.log.lines().len();
    running.change(("", Fault::None)).await.unwrap();
    let made = ["first", "second"]
        .map(|id| ["restore", "initialize"].map(|step| format!("new {id} {step}")))
        .concat();
    assert_eq!(
        running.log.lines()[before..],
        [SUSPENDED.map(str::to_owned).to_vec(), made].concat()
    );
}

#[tokio::test]
async fn a_build_that_can_not_be_suspended_is_resumed_and_goes_on() {
    let (running, lines) = fails(Fault::Suspend, Fault::None, ReplaceStep::Suspend).await;
    assert_eq!(lines, [SUSPENDED, RESUMED].concat());
    running.expect_as_before().await;
}

#[tokio::test]
async fn a_build_that_was_not_suspended_is_not_resumed() {
    let running = Running::start_with(("first", Fault::Suspend), Handover::Exclusive).await;
    let before = running.log.lines().len();
    running.change(("", Fault::None)).await.expect_err("it is to fail");
    assert_eq!(running.log.lines()[before..], ["old first suspend", "old first resume"]);
    running.expect_as_before().await;
}

#[tokio::test]
async fn the_old_builds_are_resumed_after_the_new_ones_were_shut_down() {
    let (running, lines) = fails(Fault::None, Fault::Initialize, ReplaceStep::Initialize).await;
    assert_eq!(lines[..2], SUSPENDED);
    assert_eq!(
        lines[lines.len() - 4..],
        [["new second shutdown", "new first shutdown"], RESUMED].concat()
    );
    running.expect_as_before().await;
}

#[tokio::test]
async fn a_build_that_can_not_be_resumed_has_failed_and_the_others_go_on() {
    let (running, _) = fails(Fault::Resume, Fault::Create, ReplaceStep::Create).await;
    let status = |id: &str| running.scheduler.status(&id.into()).unwrap();
    assert_eq!(status("first"), ExecutionStatus::Running);
    let ExecutionStatus::Failed { error } = status("second") else { panic!("it has failed") };
    assert!(error.to_string().contains("no resume today"), "{error}");
}

#[tokio::test]
async fn a_roll_back_suspends_the_new_builds_before_it_resumes_the_old_ones() {
    let running = Running::start_with(("", Fault::None), Handover::Exclusive).await;
    let replaced = running.change(("", Fault::None)).await.unwrap();
    let before = running.log.lines().len();
    let (notes, _) = roll_back(running.scheduler.core(), replaced, limits()).await;
    assert_eq!(notes, [""; 0]);
    let let_go = ["first", "second"]
        .map(|id| ["suspend", "shutdown"].map(|step| format!("new {id} {step}")))
        .concat();
    let back = ["first", "second"]
        .map(|id| ["restore", "resume"].map(|step| format!("old {id} {step}")))
        .concat();
    assert_eq!(running.log.lines()[before..], [let_go, back].concat());
    running.expect_as_before().await;
}
