use proptest::prelude::*;

use super::*;

/// Arrivals by source: (event time, a number of its own).
type Sources = Vec<Vec<(i64, u32)>>;

/// Everything that leaves when the sources' events arrive in the order that `turns` picks.
fn merged(sources: &Sources, latenesses: &[i64], turns: &[usize]) -> (Vec<(Key, u32)>, u64) {
    let mut merge = Merge::new(latenesses.iter().copied());
    let mut next = vec![0; sources.len()];
    let mut out = Vec::new();
    let mut turns = turns.iter().copied().cycle();
    let mut open: Vec<usize> = (0..sources.len()).collect();
    while !open.is_empty() {
        let turn = turns.next().unwrap_or(0);
        let place = open[turn % open.len()];
        // A batch of several events, up to what the turn says.
        for _ in 0..=turn % 3 {
            match sources[place].get(next[place]) {
                Some(&(time_ns, item)) => {
                    merge.push(place, time_ns, item);
                    next[place] += 1;
                }
                None => {
                    merge.end(place);
                    open.retain(|&other| other != place);
                    break;
                }
            }
        }
        out.extend(std::iter::from_fn(|| merge.pop()));
    }
    assert!(merge.is_done());
    let late = (0..sources.len()).map(|place| merge.arrived(place).late).sum();
    (out, late)
}

fn sources() -> impl Strategy<Value = (Sources, Vec<i64>)> {
    let source = prop::collection::vec((0i64..40, any::<u32>()), 0..30);
    prop::collection::vec((source, 0i64..30), 1..5).prop_map(|all| all.into_iter().unzip())
}

proptest! {
    #[test]
    fn any_interleaving_gives_the_same_stream_and_loses_nothing(
        (sources, latenesses) in sources(),
        one in prop::collection::vec(0usize..64, 1..50),
        other in prop::collection::vec(0usize..64, 1..50),
    ) {
        let (out, late) = merged(&sources, &latenesses, &one);
        prop_assert_eq!(&(out.clone(), late), &merged(&sources, &latenesses, &other));
        let total: usize = sources.iter().map(Vec::len).sum();
        prop_assert_eq!(out.len() as u64 + late, total as u64);
        prop_assert!(out.is_sorted_by(|a, b| a.0 < b.0), "strictly in order");
    }

    #[test]
    fn enough_lateness_sorts_everything(
        (sources, _) in sources(),
        turns in prop::collection::vec(0usize..64, 1..50),
    ) {
        let (out, late) = merged(&sources, &vec![40; sources.len()], &turns);
        let mut expected: Vec<(Key, u32)> = Vec::new();
        for (source, events) in sources.iter().enumerate() {
            expected.extend(events.iter().zip(0..).map(|(&(time_ns, item), arrival)| {
                (Key { time_ns, source, arrival }, item)
            }));
        }
        expected.sort();
        prop_assert_eq!((out, late), (expected, 0));
    }

    #[test]
    fn reading_only_what_it_waits_for_never_gets_stuck_and_bounds_what_waits(
        (sources, latenesses) in sources(),
    ) {
        let mut merge = Merge::new(latenesses.iter().copied());
        let mut next = vec![0; sources.len()];
        while !merge.is_done() {
            let place = (0..sources.len()).find(|&place| merge.waits_for(place)).unwrap();
            prop_assert!(merge.sources[place].span() <= latenesses[place]);
            match sources[place].get(next[place]) {
                Some(&(time_ns, item)) => {
                    merge.push(place, time_ns, item);
                    next[place] += 1;
                }
                None => merge.end(place),
            }
            while merge.pop().is_some() {}
        }
    }
}

#[test]
fn at_equal_times_the_source_listed_first_goes_first() {
    let mut merge = Merge::new([0, 0]);
    merge.push(1, 5, 'b');
    assert!(merge.waits_for(0) && !merge.waits_for(1));
    merge.push(0, 5, 'a');
    assert_eq!(merge.pop().map(|(_, item)| item), Some('a'));
    assert_eq!(merge.pop(), None, "the first may still bring another of this time");
    merge.push(0, 6, 'c');
    assert_eq!(merge.pop().map(|(_, item)| item), Some('b'));
}

#[test]
fn an_event_behind_its_own_sources_watermark_is_late_by_that_much() {
    let mut merge = Merge::new([10]);
    merge.push(0, 100, ());
    assert!(matches!(merge.push(0, 90, ()), Arrival::Accepted(_)));
    assert_eq!(merge.push(0, 87, ()), Arrival::Late { by_ns: 3 });
    assert_eq!(merge.arrived(0), Arrived { events: 3, late: 1, jumped: 0 });
}

#[test]
fn what_left_early_makes_what_stood_before_it_late() {
    let mut merge = Merge::new([0, 0]);
    let Arrival::Accepted(key) = merge.push(0, 100, 'a') else { panic!("late") };
    assert_eq!(merge.pop(), None, "the other source is silent");
    assert_eq!(merge.pop_through(key), Some((key, 'a')));
    assert_eq!(merge.push(1, 99, 'b'), Arrival::Late { by_ns: 1 });
    assert!(matches!(merge.push(1, 100, 'c'), Arrival::Accepted(_)));
}

#[test]
fn an_event_that_is_not_merged_still_moves_its_source_on() {
    let mut merge = Merge::new([0, 0]);
    merge.push(0, 100, 'a');
    merge.observe(1, 101);
    assert_eq!(merge.pop().map(|(_, item)| item), Some('a'));
}

const SECOND: i64 = 1_000_000_000;

/// What leaves a replay of one source with these times, in seconds, and its counts.
fn replayed(times: impl IntoIterator<Item = i64>) -> (Vec<(i64, i64)>, Arrived, Vec<Jump>) {
    let mut merge = Merge::new([0]).with_jump(5 * SECOND);
    let mut out = Vec::new();
    for time in times {
        merge.push(0, time * SECOND, time);
        out.extend(std::iter::from_fn(|| merge.pop()));
    }
    merge.end(0);
    out.extend(std::iter::from_fn(|| merge.pop()));
    assert!(merge.is_done());
    let out = out.into_iter().map(|(key, item)| (key.time_ns / SECOND, item));
    (out.collect(), merge.arrived(0), merge.take_jumps(0))
}

fn items(out: &[(i64, i64)]) -> Vec<i64> {
    out.iter().map(|&(_, item)| item).collect()
}

#[test]
fn one_bad_time_loses_itself_wherever_it_is() {
    let good: Vec<i64> = (1_000..1_020).collect();
    for bad in [0, 5, 900, 1_100, 1 << 33] {
        for at in 0..=good.len() {
            let mut times = good.clone();
            times.insert(at, bad);
            let (out, arrived, jumps) = replayed(times);
            // Nothing before the first or after the last one says that it is wrong.
            let is_seen = at < good.len() && (at > 0 || bad > 1_000);
            assert_eq!(out.len(), if is_seen { 20 } else { 21 }, "{bad} at {at}");
            assert_eq!(arrived.late + arrived.jumped, u64::from(is_seen), "{bad} at {at}");
            // Of the first two, either may be the wrong one.
            if is_seen && at > 1 {
                assert_eq!((items(&out), jumps.len()), (good.clone(), 1), "{bad} at {at}");
            }
        }
    }
}

#[test]
fn several_bad_times_in_a_row_lose_themselves() {
    let times = (0..10).chain((10..60).map(|at| (1 << 33) + at / 20)).chain(10..20);
    let (out, arrived, jumps) = replayed(times);
    assert_eq!(items(&out), (0..20).collect::<Vec<_>>());
    assert_eq!((arrived.late, arrived.jumped), (0, 50));
    let ahead_ns = (1 << 33) * SECOND - 9 * SECOND;
    assert_eq!(jumps, [Jump::LeftOut { events: 50, ahead_ns }]);
}

#[test]
fn after_a_clock_was_set_back_everything_is_used_and_time_goes_on() {
    let (out, arrived, jumps) = replayed((100..110).chain(80..95));
    assert_eq!(arrived, Arrived { events: 25, late: 0, jumped: 0 });
    assert_eq!(jumps, [Jump::SetBack { by_ns: 29 * SECOND }]);
    let times: Vec<_> = out.iter().map(|&(time, _)| time).collect();
    assert_eq!(times[..10], (100..110).collect::<Vec<_>>());
    assert_eq!(times[10..], (109..124).collect::<Vec<_>>());
}

#[test]
fn a_clock_that_is_set_forward_again_ends_the_shift() {
    let (out, _, jumps) = replayed((100..110).chain(80..95).chain(124..130));
    assert_eq!(out[25..], (124..130).map(|time| (time, time)).collect::<Vec<_>>());
    assert_eq!(jumps.len(), 1);
}

#[test]
fn gaps_lose_nothing() {
    let times = [0, 1, 100, 101, 102, 1_000, 10_000, 100_000, 100_001];
    let (out, arrived, jumps) = replayed(times);
    assert_eq!(out, times.map(|time| (time, time)));
    assert_eq!((arrived.late, arrived.jumped, jumps), (0, 0, vec![]));
}

#[test]
fn live_as_much_time_may_pass_as_passes_on_the_clock() {
    let mut merge = Merge::new([0]).with_jump(5 * SECOND);
    let mut push = |now: i64, time: i64| {
        merge.set_now(now * SECOND);
        matches!(merge.push(0, time * SECOND, ()), Arrival::Accepted(_))
    };
    assert!(push(1_000, 100), "the first one is not held up");
    assert!(push(1_090, 190), "after a silence, either");
    assert!(!push(1_091, 3_600), "but an hour does not pass in a second");
    assert!(push(1_092, 192));
    assert_eq!(merge.arrived(0), Arrived { events: 4, late: 0, jumped: 1 });
}

proptest! {
    #[test]
    fn whatever_the_times_are_everything_leaves_in_order_or_is_counted(
        times in prop::collection::vec(prop_oneof![0i64..40, 1_000i64..1_040, any::<i64>()], 0..300),
        live in prop::option::of(0i64..10),
    ) {
        let mut merge = Merge::new([2]).with_jump(7);
        let mut left = Vec::new();
        for (at, &time) in times.iter().enumerate() {
            if let Some(step) = live {
                merge.set_now(at as i64 * step);
            }
            merge.push(0, time, at);
            left.extend(std::iter::from_fn(|| merge.pop()));
        }
        merge.end(0);
        left.extend(std::iter::from_fn(|| merge.pop()));
        prop_assert!(left.is_sorted_by(|a, b| a.0 < b.0));
        let Arrived { events, late, jumped } = merge.arrived(0);
        prop_assert_eq!(events, times.len() as u64);
        prop_assert_eq!(left.len() as u64 + late + jumped, events);
    }
}
