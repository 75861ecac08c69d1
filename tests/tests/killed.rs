//! A host that is killed again and again, while runs are asked for, begin and end.
//!
//! ```text
//! cargo test -p hotbay-tests --test killed -- --ignored --nocapture
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use hotbay_tests::{Run, Running, Schedules, Signal, until};
use serde_json::{Value, json};

/// The time from its start within which a host begins a run.
const FIRST_RUN: Duration = Duration::from_secs(5);

/// A host that is asked for runs, each of which notes its number down.
struct Scene {
    schedules: Schedules,
    /// The runs that the host has accepted.
    accepted: BTreeSet<u64>,
    /// The longest time from the start of the host to the first run that was accepted.
    slowest: Duration,
}

impl Scene {
    fn new() -> Self {
        let schedules = Schedules::with(&[], "");
        Self { schedules, accepted: BTreeSet::new(), slowest: Duration::ZERO }
    }

    fn tasks(&self, request: Value) -> Option<Value> {
        let answer = self.schedules.config().ask(&json!({ "tasks": request }))?;
        answer.get("Ok").cloned()
    }

    /// Asks for a run. Returns `true` if the host has accepted it.
    fn ask_for_run(&mut self) -> bool {
        let file = self.schedules.config().path().with_file_name("book");
        let run = json!({ "task": "notes", "arguments": { "file": file }, "forced": false });
        let answer = self.tasks(json!({ "run": run }));
        let number = answer.and_then(|answer| answer["runs"][0]["run"].as_u64());
        number.is_some_and(|number| self.accepted.insert(number))
    }

    /// Starts a host, asks it for runs, and kills it after this time.
    fn kill_after(&mut self, time: Duration) {
        let began = Instant::now();
        let host = Run::config(self.schedules.config().path()).start();
        until("the first run is accepted", || self.ask_for_run().then_some(()));
        self.slowest = self.slowest.max(began.elapsed());
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.ask_for_run();
        }
        // The runs that were asked for last are under way now, or about to begin.
        thread::sleep(Duration::from_micros(u64::from(time.subsec_micros()) % 4_000));
        host.signal(Signal::Kill);
        drop(host.wait());
    }

    /// Returns all runs that the host knows, by number.
    fn runs(&self) -> BTreeMap<u64, Value> {
        let mut all = BTreeMap::new();
        let mut before = Value::Null;
        loop {
            let page = json!({ "history": { "task": "notes", "before": before, "limit": 1000 } });
            let page = until("the host answers", || self.tasks(page.clone()));
            let page = page["runs"].as_array().cloned().expect("a list");
            let Some(last) = page.last() else { return all };
            before = last["run"].clone();
            all.extend(page.into_iter().filter_map(|run| Some((run["run"].as_u64()?, run))));
        }
    }

    /// Lets everything end, prints the figures, and checks that nothing was lost or doubled.
    #[expect(clippy::print_stderr, reason = "the long form is run for its figures")]
    fn check(self) {
        let host = Run::config(self.schedules.config().path()).start();
        let runs = until("all runs have ended", || {
            self.schedules.config().status()?;
            let runs = self.runs();
            runs.values().all(|run| !run["ended"].is_null()).then_some(runs)
        });
        drop(host.stop().expect_code(0));
        let book = fs::read_to_string(self.schedules.config().path().with_file_name("book"));
        let mut noted: BTreeMap<u64, u64> = BTreeMap::new();
        for line in book.expect("there is a book").lines() {
            *noted.entry(line.parse().expect("a number")).or_default() += 1;
        }
        for number in &self.accepted {
            let run = runs.get(number).unwrap_or_else(|| panic!("run {number} is lost"));
            assert_eq!(run["state"], "succeeded", "{run}");
            let times = noted.get(number).copied().unwrap_or_default();
            let crashes = run["crashes"].as_u64().expect("a number");
            assert!((1..=1 + crashes).contains(&times), "{times} times: {run}");
        }
        let marked = runs.values().filter(|run| run["crashes"] != 0).count();
        assert!(self.slowest < FIRST_RUN, "{:?}", self.slowest);
        eprintln!(
            "{} runs accepted, {} known, {marked} of them were under way at a kill; the first run \
             of a host at the latest after {:.0?}",
            self.accepted.len(),
            runs.len(),
            self.slowest
        );
    }
}

/// Kills a host this many times, at moments that a seed decides.
fn kill(times: u32) {
    let mut scene = Scene::new();
    let mut random = 42u64;
    for _ in 0..times {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        scene.kill_after(Duration::from_micros(random >> 33 & 0x1_ffff));
    }
    scene.check();
}

#[test]
fn no_accepted_run_is_lost_or_doubled_when_the_host_is_killed() {
    kill(6);
}

#[test]
#[ignore = "a host is killed 200 times, which takes minutes"]
fn no_accepted_run_is_lost_or_doubled_when_the_host_is_killed_200_times() {
    kill(200);
}

/// Starts a host, kills it when a run of a task is in a state, and starts it again. Returns the host, and
/// the run.
fn killed_when(
    schedules: &Schedules,
    task: &str,
    prepare: impl FnOnce(),
    is_there: impl Fn(&Value) -> bool,
) -> (Running, Value) {
    let first = schedules.start();
    prepare();
    let run = until("the run is in this state", || {
        schedules.history(task).into_iter().find(|run| is_there(run))
    });
    first.signal(Signal::Kill);
    drop(first.wait());
    let second = schedules.start();
    let run = until("the run is known", || {
        schedules.history(task).into_iter().find(|it| it["run"] == run["run"])
    });
    (second, run)
}

fn is(state: &str) -> impl Fn(&Value) -> bool {
    move |run| run["state"] == state
}

#[test]
fn a_run_that_waits_when_its_host_is_killed_waits_on() {
    // One run waits for its next attempt.
    let entry = "  - { plugin: schedules, task: stubborn, retry_delay: 1h }\n";
    let schedules = Schedules::with(&["stubborn"], entry);
    let has_failed = |run: &Value| run["state"] == "waiting" && run["attempts"] == 1;
    let (host, run) = killed_when(&schedules, "stubborn", || (), has_failed);
    assert_eq!((&run["state"], &run["attempts"]), (&"waiting".into(), &1.into()), "{run}");
    assert_eq!((&run["crashes"], &run["interruptions"]), (&0.into(), &0.into()), "{run}");
    drop(host.stop());
    // Another one waits for a place.
    let schedules = Schedules::with(&[], "");
    let prepare = || {
        drop(schedules.json("run", &["waits"]));
        drop(schedules.json("run", &["waits", "--force"]));
    };
    let (host, run) = killed_when(&schedules, "waits", prepare, is("waiting"));
    assert_eq!((&run["state"], &run["attempts"]), (&"waiting".into(), &0.into()), "{run}");
    until("the one before it begins again", || {
        let runs = schedules.history("waits");
        runs.iter().any(|run| run["state"] == "running" && run["crashes"] == 1).then_some(())
    });
    drop(host.stop());
    // A third one waits for the tasks on which it depends.
    let entry = "  - { plugin: schedules, task: hangs, timeout: none }\n";
    let schedules = Schedules::with(&["hangs", "doomed"], entry);
    let (host, run) = killed_when(&schedules, "doomed", || (), is("waiting"));
    assert_eq!((&run["state"], &run["attempts"]), (&"waiting".into(), &0.into()), "{run}");
    drop(host.stop());
}

#[test]
fn a_run_that_is_asked_to_stop_when_its_host_is_killed_does_not_begin_again() {
    for (timeout, state, ended) in [
        ("none", "stopping", "cancelled"),
        ("none", "abandoned", "cancelled"),
        ("100ms", "abandoned", "timed_out"),
    ] {
        let entry = format!(
            "  - {{ plugin: schedules, task: deaf, interval: 1h, timeout: {timeout}, max_retries: 0 }}\n"
        );
        let schedules = Schedules::with(&["deaf"], &entry);
        let cancel = || {
            let run = until("it runs", || {
                schedules.history("deaf").into_iter().find(|run| run["state"] == "running")
            });
            drop(schedules.task("cancel", &[&run["run"].to_string()]).expect_code(0));
        };
        let nothing = || ();
        let is_asked = move |run: &Value| match state {
            "stopping" => run["state"] == "stopping" || run["state"] == "abandoned",
            _ => run["state"] == state,
        };
        let (host, run) = match timeout {
            "none" => killed_when(&schedules, "deaf", cancel, is_asked),
            _ => killed_when(&schedules, "deaf", nothing, is_asked),
        };
        let run = until("it has ended", || {
            let run = schedules.history("deaf").into_iter().find(|it| it["run"] == run["run"])?;
            (!run["ended"].is_null()).then_some(run)
        });
        assert_eq!(run["state"], ended, "{run}");
        let count = |key: &str| run[key].as_u64().unwrap_or_default();
        assert_eq!(count("attempts") + count("crashes"), 1, "it did not begin again: {run}");
        drop(host.stop());
    }
}

#[test]
fn a_run_that_has_ended_when_its_host_is_killed_stays_ended() {
    let schedules = Schedules::with(&[], "");
    let prepare = || drop(schedules.json("run", &["adds", "--arguments", "{\"terms\": [20, 22]}"]));
    let (host, run) = killed_when(&schedules, "adds", prepare, is("succeeded"));
    assert_eq!((&run["state"], &run["result"]), (&"succeeded".into(), &42.into()), "{run}");
    assert_eq!(schedules.history("adds").len(), 1);
    drop(host.stop());
}
