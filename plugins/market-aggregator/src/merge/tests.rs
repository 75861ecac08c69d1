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
    let late = (0..sources.len()).map(|place| merge.arrived(place).1).sum();
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
    assert_eq!(merge.arrived(0), (3, 1));
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
