use super::*;

/// A task that depends on `a` and `b`, and the number of the last run.
struct Scene {
    dependencies: Dependencies,
    last: u64,
}

impl Scene {
    fn new() -> Self {
        let edge = |name: &str| DependencyEdge::new(name.into());
        Self { dependencies: Dependencies::new(vec![edge("a"), edge("b")]), last: 0 }
    }

    fn ended(&mut self, upstream: &str, failure: Option<&str>) -> RunId {
        self.last += 1;
        let run = RunId(self.last);
        let ended = UpstreamRun { run, failure: failure.map(str::to_owned) };
        self.dependencies.ended(upstream, &ended);
        run
    }

    fn succeeds(&mut self, upstream: &str) {
        self.ended(upstream, None);
    }

    fn waits_for(&self) -> Vec<String> {
        let readiness = self.dependencies.readiness();
        let Readiness::Waits(tasks) = readiness else { panic!("{readiness:?}") };
        tasks.iter().map(ToString::to_string).collect()
    }

    /// Consumes a satisfied pair.
    fn runs(&mut self) {
        assert_eq!(self.dependencies.readiness(), Readiness::Satisfied);
        self.dependencies.consume();
    }
}

#[test]
fn a_task_runs_once_for_each_pair_of_new_successes() {
    let mut scene = Scene::new();
    assert_eq!(scene.waits_for(), ["a", "b"]);
    scene.succeeds("a");
    scene.succeeds("a");
    assert_eq!(scene.waits_for(), ["b"]);
    scene.succeeds("b");
    scene.runs();
    assert_eq!(scene.waits_for(), ["a", "b"]);
    scene.succeeds("b");
    assert_eq!(scene.waits_for(), ["a"]);
    scene.succeeds("a");
    scene.runs();
}

#[test]
fn a_failure_after_an_older_success_does_not_satisfy() {
    let mut scene = Scene::new();
    scene.succeeds("a");
    let failed = scene.ended("a", Some("failed: no space"));
    assert_eq!(scene.waits_for(), ["b"]);
    scene.succeeds("b");
    let reason = "failed: no space".to_owned();
    let expected = Readiness::Failed { upstream: "a".into(), run: Some(failed), reason };
    assert_eq!(scene.dependencies.readiness(), expected);
    // The pair is consumed by whatever the policy makes of it.
    scene.dependencies.consume();
    scene.succeeds("a");
    assert_eq!(scene.waits_for(), ["b"]);
}

#[test]
fn a_success_after_a_failure_satisfies() {
    let mut scene = Scene::new();
    scene.ended("a", Some("failed"));
    scene.succeeds("a");
    scene.succeeds("b");
    scene.runs();
}

#[test]
fn a_run_that_ends_after_a_newer_one_changes_nothing() {
    let mut scene = Scene::new();
    scene.succeeds("b");
    scene.ended("a", Some("failed"));
    let late = UpstreamRun { run: RunId(1), failure: None };
    scene.dependencies.ended("a", &late);
    assert!(matches!(scene.dependencies.readiness(), Readiness::Failed { .. }));
}

#[test]
fn an_upstream_task_that_does_not_exist_is_a_failure_once_another_one_is_there() {
    let mut scene = Scene::new();
    scene.dependencies.set_available("b", Some("there is no such task"));
    assert_eq!(scene.waits_for(), ["a"]);
    scene.succeeds("a");
    let reason = "there is no such task".to_owned();
    let expected = Readiness::Failed { upstream: "b".into(), run: None, reason };
    assert_eq!(scene.dependencies.readiness(), expected);
    // It comes into existence.
    scene.dependencies.set_available("b", None);
    assert_eq!(scene.waits_for(), ["b"]);
    // All of them missing asks for no run at all.
    scene.dependencies.consume();
    scene.dependencies.set_available("a", Some("gone"));
    scene.dependencies.set_available("b", Some("gone"));
    assert_eq!(scene.waits_for(), ["a", "b"]);
}

#[test]
fn what_was_consumed_survives_a_restart() {
    let mut scene = Scene::new();
    scene.succeeds("a");
    scene.succeeds("b");
    scene.runs();
    let stored = scene.dependencies.edges().to_vec();
    scene.dependencies = Dependencies::new(stored);
    assert_eq!(scene.waits_for(), ["a", "b"]);
}

#[test]
fn a_cycle_is_named_by_its_tasks() {
    let upstream = |task: &str| match task {
        "report" => vec!["stats", "sync"],
        "stats" => vec!["clean"],
        "clean" => vec!["report"],
        _ => vec![],
    };
    let cycle = find_cycle(["sync", "clean", "report", "stats"], upstream);
    assert_eq!(cycle.unwrap(), ["clean", "report", "stats", "clean"]);
    assert_eq!(find_cycle(["a"], |_| vec!["a"]).unwrap(), ["a", "a"]);
    let diamond = |task: &str| match task {
        "d" => vec!["b", "c"],
        "b" | "c" => vec!["a"],
        _ => vec![],
    };
    assert_eq!(find_cycle(["d", "b", "c", "a"], diamond), None);
}
