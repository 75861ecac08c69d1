use hotbay_plugin_api::Priority;
use proptest::prelude::*;

use super::*;

fn group(plugin: &str, task: &str, key: Option<&str>) -> Group {
    Group { plugin: plugin.into(), task: task.into(), key: key.map(Into::into) }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn rank(priority: i16, ms: i64) -> Rank {
    Rank::new(Priority(priority), at(ms))
}

/// A queue without a limit for the tasks of these tests.
fn unlimited() -> ReadyQueue {
    let mut queue = ReadyQueue::default();
    for task in ["a", "b", "c", "t0", "t1", "t2"] {
        queue.set_limit(Limit::Task(task.into()), Some(usize::MAX));
    }
    queue
}

/// Claims until nothing more may begin.
fn claim_all(queue: &mut ReadyQueue, now: Timestamp) -> Vec<u64> {
    std::iter::from_fn(|| queue.claim(now)).map(|run| run.0).collect()
}

#[test]
fn at_first_one_run_of_each_task_may_have_a_place() {
    let mut queue = ReadyQueue::default();
    for (run, task) in [(1, "a"), (2, "a"), (3, "b")] {
        queue.insert(RunId(run), rank(0, 0), group("p", task, None));
    }
    assert_eq!(claim_all(&mut queue, at(1)), [1, 3]);
    assert!(queue.release(RunId(1)));
    assert_eq!(claim_all(&mut queue, at(1)), [2]);
}

#[test]
fn runs_begin_by_priority_and_then_by_age() {
    let mut queue = unlimited();
    queue.insert(RunId(1), rank(0, 0), group("p", "a", None));
    queue.insert(RunId(2), rank(100, 50), group("p", "b", None));
    queue.insert(RunId(3), rank(0, 10), group("p", "b", None));
    queue.insert(RunId(4), rank(-100, 0), group("p", "a", None));
    assert_eq!(claim_all(&mut queue, at(60)), [2, 1, 3, 4]);
}

#[test]
fn a_run_without_a_free_place_waits_and_others_go_past_it() {
    let mut queue = unlimited();
    queue.set_limit(Limit::Key("db".into()), Some(1));
    queue.insert(RunId(1), rank(0, 0), group("p", "a", Some("db")));
    queue.insert(RunId(2), rank(0, 1), group("q", "b", Some("db")));
    queue.insert(RunId(3), rank(0, 2), group("q", "b", None));
    assert_eq!(claim_all(&mut queue, at(9)), [1, 3]);
    assert_eq!(queue.blocked_by(RunId(2), at(9)), Some(Blocked::By(Limit::Key("db".into()))));
    assert!(queue.release(RunId(1)));
    assert_eq!(claim_all(&mut queue, at(9)), [2]);
    assert!(!queue.release(RunId(1)), "its place is given back once");
}

#[test]
fn a_limit_of_each_plugin_and_key_holds_unless_one_of_them_has_its_own() {
    let mut queue = unlimited();
    queue.set_limits(RunLimits { per_plugin: Some(2), per_key: Some(1), ..RunLimits::default() });
    for (run, plugin, key) in
        [(1, "p", None), (2, "p", None), (3, "p", None), (4, "q", Some("db")), (5, "r", Some("db"))]
    {
        queue.insert(RunId(run), rank(0, run as i64), group(plugin, "a", key));
    }
    assert_eq!(claim_all(&mut queue, at(9)), [1, 2, 4]);
    queue.set_limits(RunLimits { per_key: Some(2), ..RunLimits::default() });
    assert_eq!(claim_all(&mut queue, at(9)), [3, 5]);
    queue.set_limits(RunLimits { all: Some(5), ..RunLimits::default() });
    queue.insert(RunId(6), rank(0, 6), group("s", "a", None));
    assert_eq!(queue.blocked_by(RunId(6), at(9)), Some(Blocked::By(Limit::All)));
    queue.set_limit(Limit::All, Some(6));
    assert_eq!(claim_all(&mut queue, at(9)), [6]);
}

#[test]
fn a_raised_limit_takes_effect_at_once_and_a_lowered_one_takes_no_place_away() {
    let mut queue = unlimited();
    queue.set_limit(Limit::All, Some(1));
    for run in 0..4 {
        queue.insert(RunId(run), rank(0, 0), group("p", "a", None));
    }
    assert_eq!(claim_all(&mut queue, at(0)), [0]);
    queue.set_limit(Limit::All, Some(3));
    assert_eq!(claim_all(&mut queue, at(0)), [1, 2]);
    queue.set_limit(Limit::All, Some(1));
    queue.release(RunId(0));
    queue.release(RunId(1));
    assert!(claim_all(&mut queue, at(0)).is_empty());
    queue.release(RunId(2));
    assert_eq!(claim_all(&mut queue, at(0)), [3]);
}

#[test]
fn a_task_starts_no_faster_than_its_rate() {
    let mut queue = unlimited();
    queue.set_rate("a".into(), SignedDuration::from_secs(1));
    for run in 0..3 {
        queue.insert(RunId(run), rank(0, 0), group("p", "a", None));
    }
    queue.insert(RunId(9), rank(0, 0), group("p", "b", None));
    assert_eq!(claim_all(&mut queue, at(0)), [0, 9]);
    assert_eq!(queue.next_time(), Some(at(1000)));
    assert_eq!(queue.blocked_by(RunId(1), at(0)), Some(Blocked::Until(at(1000))));
    assert!(claim_all(&mut queue, at(999)).is_empty());
    assert_eq!(claim_all(&mut queue, at(1000)), [1]);
}

#[test]
fn a_removed_run_takes_no_place() {
    let mut queue = unlimited();
    queue.set_limit(Limit::Task("a".into()), Some(1));
    for run in 0..3 {
        queue.insert(RunId(run), rank(0, 0), group("p", "a", None));
    }
    assert_eq!(claim_all(&mut queue, at(0)), [0]);
    assert!(queue.remove(RunId(1)) && !queue.remove(RunId(1)));
    queue.release(RunId(0));
    assert_eq!(claim_all(&mut queue, at(0)), [2]);
    assert_eq!((queue.waiting(), queue.running()), (0, 1));
}

/// What the queue must do, by a look at all runs each time.
#[derive(Default)]
struct Model {
    waiting: Vec<(Rank, RunId, Group)>,
    running: Vec<(RunId, Group)>,
    limits: HashMap<Limit, usize>,
}

impl Model {
    fn claim(&mut self) -> Option<RunId> {
        self.waiting.sort();
        let taken = |limit: &Limit| {
            self.running.iter().filter(|(_, group)| group.limits().any(|it| it == *limit)).count()
        };
        let may_begin = |group: &Group| {
            group.limits().all(|it| self.limits.get(&it).is_none_or(|most| taken(&it) < *most))
        };
        let first = self.waiting.iter().position(|(.., group)| may_begin(group))?;
        let (_, run, group) = self.waiting.remove(first);
        self.running.push((run, group));
        Some(run)
    }
}

proptest! {
    #[test]
    fn the_first_run_that_no_limit_holds_back_begins(
        steps in proptest::collection::vec((0u8..5, 0u8..3, 0u8..3, -3i16..3, 0u8..8), 1..200),
    ) {
        let (mut queue, mut model) = (unlimited(), Model::default());
        for (number, (step, task, key, priority, which)) in steps.into_iter().enumerate() {
            let now = at(number as i64 * 700);
            let key = (key > 0).then(|| format!("k{key}"));
            let of = group(&format!("p{}", task % 2), &format!("t{task}"), key.as_deref());
            match step {
                0 | 1 => {
                    let (run, rank) = (RunId(number as u64), Rank::new(Priority(priority), now));
                    queue.insert(run, rank, of.clone());
                    model.waiting.push((rank, run, of));
                }
                2 => {
                    prop_assert_eq!(queue.claim(now), model.claim());
                }
                3 if !model.running.is_empty() => {
                    let (run, _) = model.running.remove(which as usize % model.running.len());
                    prop_assert!(queue.release(run));
                }
                3 if !model.waiting.is_empty() => {
                    let (_, run, _) = model.waiting.remove(which as usize % model.waiting.len());
                    prop_assert!(queue.remove(run));
                }
                _ => {
                    let limit = of.limits().nth(which as usize % of.limits().count()).unwrap();
                    let most = (which % 4 != 3).then_some(which as usize % 4);
                    // Without a limit of its own, a task would have one place.
                    let is_task = matches!(limit, Limit::Task(_));
                    let most = most.or(is_task.then_some(usize::MAX));
                    queue.set_limit(limit.clone(), most);
                    model.limits.remove(&limit);
                    most.map(|most| model.limits.insert(limit, most));
                }
            }
            prop_assert_eq!(queue.waiting(), model.waiting.len());
            prop_assert_eq!(queue.running(), model.running.len());
        }
    }
}
