use std::time::Duration;

use futures_lite::future::poll_once;
use hotbay_market::{Bar, FairValue, Fixed, Instrument};
use hotbay_plugin_api::testing::{TestHost, batch, batch_of_bytes, block_on};
use serde_json::{Value, json};

use super::*;

fn quote(name: &str, price: i64) -> Quote {
    let (instrument, price) = (Instrument::new(name).unwrap(), Fixed::new(price, 0));
    Quote { instrument, bid: price, bid_size: price, ask: price, ask_size: price }
}

fn trade(name: &str, price: i64) -> Trade {
    let (instrument, price) = (Instrument::new(name).unwrap(), Fixed::new(price, 0));
    Trade { instrument, price, quantity: price, id: 0, side: 0 }
}

fn host() -> TestHost {
    TestHost::new().with_id("merge").with_input("sources", "a").with_input("sources", "b")
}

fn quotes_only() -> TestHost {
    host().with_output("quotes", "quotes")
}

/// One turn, or `None` if it has to wait.
fn turn(merge: &mut MarketAggregator) -> Option<Result<(), SchedulerError>> {
    block_on(poll_once(merge.execute()))
}

/// All turns until the end of the sources.
fn run(merge: &mut MarketAggregator) {
    let ended = loop {
        if let Err(error) = block_on(merge.execute()) {
            break error;
        }
    };
    assert_eq!(ended, SchedulerError::Finished);
}

fn published(host: &TestHost) -> Vec<(i64, String)> {
    let quotes = host.events::<Quote>("quotes");
    quotes.into_iter().map(|(time, quote)| (time, quote.instrument.to_string())).collect()
}

#[test]
fn quotes_of_two_sources_leave_in_order_of_time_and_ties_in_order_of_listing() {
    let host = quotes_only();
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("b", batch(&[(1, quote("B", 1)), (3, quote("B", 1)), (4, quote("B", 1))]));
    host.feed("a", batch(&[(2, quote("A", 1)), (3, quote("A", 1))]));
    host.end("a");
    host.end("b");
    run(&mut merge);
    let order = published(&host);
    let order: Vec<_> = order.iter().map(|(time, name)| (*time, name.as_str())).collect();
    assert_eq!(order, [(1, "B"), (2, "A"), (3, "A"), (3, "B"), (4, "B")]);
    assert_eq!(
        host.reports("merge"),
        [
            json!({"aggregator": "merge", "source": "a", "events": 2, "late": 0, "jumped": 0, "set_back": 0, "no_trade": 0, "depth": 0, "other": 0}),
            json!({"aggregator": "merge", "source": "b", "events": 3, "late": 0, "jumped": 0, "set_back": 0, "no_trade": 0, "depth": 0, "other": 0}),
        ]
    );
    let totals = json!({"aggregator": "merge", "merged": 5, "quotes": 5, "trades": 0, "bars": 0, "fair": 0, "fair_too_old": 0, "one_sided": 0});
    assert_eq!(host.reports("aggregator"), [totals]);
    block_on(merge.shutdown()).unwrap();
    assert_eq!(host.reports("aggregator").len(), 1, "reported once");
}

#[test]
fn a_replay_reads_only_what_holds_it_up() {
    let host = quotes_only();
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&[(9, quote("A", 1)), (10, quote("A", 1))]));
    for time in [5, 20, 30] {
        host.feed("b", batch(&[(time, quote("B", 1))]));
    }
    while turn(&mut merge).is_some() {}
    let times: Vec<_> = published(&host).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [5, 9, 10]);
    assert_eq!(host.queued("b"), 1, "30 stays in its channel while `a` is silent");
}

#[test]
fn late_events_and_other_kinds_are_counted_and_left_out() {
    let host = quotes_only().with_config(json!({"lateness_of": {"b": "2ns"}}));
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&[(10, quote("A", 1)), (9, quote("A", 1))]));
    host.feed("b", batch(&[(10, quote("B", 1)), (8, quote("B", 1)), (7, quote("B", 1))]));
    host.feed("b", batch_of_bytes(&[(11, b"?")]));
    host.end("a");
    host.end("b");
    run(&mut merge);
    assert_eq!(published(&host).len(), 3);
    let late: Vec<_> = host.reports("merge").iter().map(|row| row["late"].clone()).collect();
    assert_eq!(late, [1, 1]);
    assert_eq!(host.reports("merge")[1]["other"], 1);
}

#[test]
fn live_an_event_waits_for_a_silent_source_no_longer_than_the_lateness() {
    let host = quotes_only().with_mode(Mode::Live).with_config(json!({"lateness": "1s"}));
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&[(10, quote("A", 1))]));
    while turn(&mut merge).is_some() {}
    host.advance(Duration::from_millis(999));
    while turn(&mut merge).is_some() {}
    assert_eq!(published(&host), [], "the other source may still bring an earlier one");
    host.advance(Duration::from_millis(1));
    while turn(&mut merge).is_some() {}
    assert_eq!(published(&host), [(10, "A".to_owned())]);
    host.feed("b", batch(&[(9, quote("B", 1)), (11, quote("B", 1))]));
    host.end("a");
    host.end("b");
    run(&mut merge);
    assert_eq!(published(&host), [(10, "A".to_owned()), (11, "B".to_owned())]);
    assert_eq!(host.reports("merge")[1]["late"], 1);
}

#[test]
fn bars_end_with_the_last_quotes_at_the_time_of_the_last_event() {
    let host = host().with_output("bars", "bars").with_config(json!({"bars": {"trades": 2}}));
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&[(1, quote("A", 7)), (5, quote("A", 8))]));
    host.feed("b", batch(&[(2, trade("A", 4)), (3, trade("A", 5)), (6, trade("A", 6))]));
    host.end("a");
    host.end("b");
    run(&mut merge);
    let [(time, bar)] = host.events::<Bar>("bars").try_into().unwrap();
    assert_eq!((time, bar.trades, bar.close, bar.bid), (3, 2, Fixed::new(5, 0), Fixed::new(7, 0)));
    assert_eq!(host.events::<Quote>("bars"), [(6, quote("A", 8))]);
}

#[test]
fn a_fair_value_follows_every_quote_once_all_are_known() {
    let config = json!({"fair": {"instruments": ["A", "B"], "trade": "B"}});
    let host = host().with_output("fair", "fair").with_config(config);
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&[(1, quote("A", 10)), (3, quote("A", 20))]));
    host.feed("b", batch(&[(2, quote("B", 30))]));
    host.end("a");
    host.end("b");
    run(&mut merge);
    let fair: Vec<_> = host
        .events::<FairValue>("fair")
        .iter()
        .map(|(time, it)| (*time, it.fair, it.mid))
        .collect();
    assert_eq!(fair, [(2, 20.0, 30.0), (3, 25.0, 30.0)]);
}

#[test]
fn what_is_no_trade_makes_no_bar() {
    let host = host().with_output("bars", "bars").with_output("trades", "trades");
    let host = host.with_config(json!({"bars": {"trades": 2}}));
    let mut merge: MarketAggregator = host.create().unwrap();
    let zero = Trade { price: Fixed::ZERO, quantity: Fixed::ZERO, ..trade("A", 1) };
    let none = Trade { quantity: Fixed::ZERO, ..trade("A", 90) };
    let negative = Trade { price: Fixed::new(-37, 0), ..trade("A", 1) };
    let trades = [trade("A", 4), zero, none, negative, trade("A", 5)];
    host.feed("a", batch(&(1..).zip(trades).collect::<Vec<_>>()));
    host.end("a");
    host.end("b");
    run(&mut merge);
    let [(_, bar)] = host.events::<Bar>("bars").try_into().unwrap();
    assert_eq!((bar.low, bar.high, bar.trades), (Fixed::new(4, 0), Fixed::new(5, 0), 2));
    assert_eq!(host.events::<Trade>("trades").len(), 2);
    assert_eq!(host.reports("merge")[0]["no_trade"], 3);
}

#[test]
fn a_run_that_lost_most_of_its_events_to_their_times_fails() {
    let host = quotes_only();
    let mut merge: MarketAggregator = host.create().unwrap();
    let times = [100, 101, 50, 51, 52, 53];
    host.feed("a", batch(&times.map(|time| (time, quote("A", 1)))));
    host.feed("b", batch(&[(100, quote("B", 1))]));
    host.end("a");
    host.end("b");
    let ended = loop {
        if let Err(error) = block_on(merge.execute()) {
            break error;
        }
    };
    let SchedulerError::TaskExecution(text) = ended else { panic!("{ended}") };
    assert!(text.contains("of a (4 of 6, 4 of them late); check the clocks"), "{text}");
    assert_eq!(published(&host).len(), 3, "the rest was merged");
    assert_eq!(block_on(merge.shutdown()), Ok(()), "it is said once");

    let host = quotes_only().with_mode(Mode::Live);
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&times.map(|time| (time, quote("A", 1)))));
    while turn(&mut merge).is_some() {}
    let stopped = block_on(merge.shutdown()).unwrap_err().to_string();
    assert!(stopped.contains("of a (4 of 6"), "also when it is stopped: {stopped}");
}

#[test]
fn a_venue_that_falls_silent_ends_the_fair_value() {
    let second = 1_000_000_000;
    let with = |config: Value| {
        let host = host().with_output("fair", "fair").with_config(json!({"fair": config}));
        let mut merge: MarketAggregator = host.create().unwrap();
        host.feed("a", batch(&[(0, quote("A", 10))]));
        let trail: Vec<_> = (1..30).map(|at| (at * second, quote("B", 10 + at))).collect();
        host.feed("b", batch(&trail));
        host.end("a");
        host.end("b");
        run(&mut merge);
        let too_old = host.reports("aggregator")[0]["fair_too_old"].clone();
        (host.events::<FairValue>("fair").len(), too_old)
    };
    let legs = json!({"instruments": ["A", "B"], "trade": "B"});
    let of_age = |age: Value| {
        let mut config = legs.clone();
        config["max_age"] = age;
        with(config)
    };
    assert_eq!(with(legs.clone()), (10, json!(19)), "ten seconds, if nothing is said");
    assert_eq!(of_age(json!("3s")), (3, json!(26)));
    assert_eq!(of_age(Value::Null), (29, json!(0)));
}

#[test]
fn live_the_age_of_a_quote_is_counted_by_the_clock() {
    let fair = json!({"fair": {"instruments": ["A", "B"], "trade": "B", "max_age": "3s"}});
    let host = host().with_output("fair", "fair").with_mode(Mode::Live).with_config(fair);
    let mut merge: MarketAggregator = host.create().unwrap();
    let mut feed = |channel, event| {
        host.feed(channel, batch(&[event]));
        while turn(&mut merge).is_some() {}
        host.events::<FairValue>("fair").len()
    };
    // The exchange's clock stands still.
    assert_eq!(feed("a", (7, quote("A", 1))), 0);
    host.advance(Duration::from_secs(3));
    assert_eq!(feed("b", (7, quote("B", 1))), 1);
    host.advance(Duration::from_secs(1));
    assert_eq!(feed("b", (7, quote("B", 1))), 1, "four seconds have passed");
    assert_eq!(feed("a", (8, quote("A", 1))), 2);
}

#[test]
fn what_is_connected_must_fit_what_is_configured() {
    let refused = |host: TestHost| host.create::<MarketAggregator>().unwrap_err().to_string();
    assert!(refused(host()).contains("no output is connected"));
    assert!(refused(host().with_output("bars", "bars")).contains("say under `config.bars`"));
    let config = json!({"bars": {"trades": 1}});
    let host = quotes_only().with_config(config);
    assert!(refused(host).contains("output `bars` is not connected"));
}

#[test]
fn being_stopped_ends_a_wait() {
    let host = quotes_only();
    let mut merge: MarketAggregator = host.create().unwrap();
    assert_eq!(turn(&mut merge), None);
    host.cancel();
    assert_eq!(turn(&mut merge), Some(Ok(())));
}

/// The events of a channel: time, kind and payload.
fn bytes(hosts: &[&TestHost], channel: &str) -> Vec<(i64, u32, Vec<u8>)> {
    let batches = hosts.iter().flat_map(|host| host.published(channel));
    let events = |batch: Batch| {
        let event = |it: EventRef<'_>| (it.time_ns(), it.kind().code(), it.payload().to_vec());
        batch.iter().map(event).collect::<Vec<_>>()
    };
    batches.flat_map(events).collect()
}

/// A merge with all its outputs.
fn whole(mode: Mode) -> TestHost {
    let config = json!({
        "lateness": "3ns",
        "bars": {"trades": 3},
        "fair": {"instruments": ["A", "B"], "trade": "B"},
    });
    let host = quotes_only().with_mode(mode).with_config(config);
    host.with_output("trades", "trades").with_output("bars", "bars").with_output("fair", "fair")
}

/// What the two sources bring, in turn: quotes and trades, some of them late, and depth.
fn inputs() -> Vec<(&'static str, Batch)> {
    let feed = |at: i64| match at % 3 {
        0 => ("a", batch(&[(at, quote("A", 100 + at)), (at - 2, quote("A", 7))])),
        1 => ("b", batch(&[(at, quote("B", 200 - at)), (at - 5, quote("C", at))])),
        _ => ("b", batch(&[(at, trade("A", at)), (at - 1, trade("B", at))])),
    };
    let mut inputs: Vec<_> = (10..40).map(feed).collect();
    inputs.insert(9, ("a", batch_of_bytes(&[(20, b"?")])));
    inputs
}

fn feed(host: &TestHost, merge: &mut MarketAggregator, inputs: &[(&'static str, Batch)]) {
    for (channel, batch) in inputs {
        host.feed(channel, batch.clone());
        while turn(merge).is_some() {}
    }
}

fn finish(host: &TestHost, merge: &mut MarketAggregator) {
    host.end("a");
    host.end("b");
    run(merge);
}

#[test]
fn a_build_that_takes_over_anywhere_goes_on_as_if_there_had_been_one() {
    for mode in [Mode::Replay, Mode::Live] {
        let inputs = inputs();
        let expected = whole(mode);
        let mut merge: MarketAggregator = expected.create().unwrap();
        feed(&expected, &mut merge, &inputs);
        finish(&expected, &mut merge);
        for cut in 0..=inputs.len() {
            let first = whole(mode);
            let mut old: MarketAggregator = first.create().unwrap();
            feed(&first, &mut old, &inputs[..cut]);
            let state = block_on(old.save_state()).unwrap().unwrap();

            let second = whole(mode);
            let mut new: MarketAggregator = second.create().unwrap();
            block_on(new.restore(state)).unwrap();
            // What the old build left in its channels is the new one's.
            for channel in ["a", "b"] {
                let of = |it: &&(&str, Batch)| it.0 == channel;
                let fed: Vec<_> = inputs[..cut].iter().filter(of).collect();
                for (channel, batch) in &fed[fed.len() - first.queued(channel)..] {
                    second.feed(channel, batch.clone());
                }
            }
            feed(&second, &mut new, &inputs[cut..]);
            finish(&second, &mut new);
            for channel in ["quotes", "trades", "bars", "fair"] {
                let (one, two) = (bytes(&[&expected], channel), bytes(&[&first, &second], channel));
                assert!(!one.is_empty() && one == two, "{mode:?} {channel} {cut}");
            }
            for section in ["merge", "aggregator"] {
                assert_eq!(second.reports(section), expected.reports(section), "{mode:?} {cut}");
            }
        }
    }
}

#[test]
fn live_what_waits_for_a_silent_source_waits_on_in_the_next_build() {
    let host = quotes_only().with_mode(Mode::Live).with_config(json!({"lateness": "1s"}));
    let mut old: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&[(10, quote("A", 1))]));
    while turn(&mut old).is_some() {}
    host.advance(Duration::from_millis(600));
    let state = block_on(old.save_state()).unwrap().unwrap();
    let mut new: MarketAggregator = host.create().unwrap();
    block_on(new.restore(state)).unwrap();
    while turn(&mut new).is_some() {}
    assert_eq!(published(&host), []);
    host.advance(Duration::from_millis(400));
    while turn(&mut new).is_some() {}
    assert_eq!(published(&host), [(10, "A".to_owned())], "its second counts from its arrival");
}

#[test]
fn a_state_of_another_version_or_of_other_sources_is_refused() {
    let mut merge: MarketAggregator = quotes_only().create().unwrap();
    let state = block_on(merge.save_state()).unwrap().unwrap();
    let newer = SavedState { version: 3, ..state.clone() };
    let error = block_on(merge.restore(newer)).unwrap_err().to_string();
    assert!(error.contains("version 3"), "{error}");
    let mut other: MarketAggregator = quotes_only().with_input("sources", "c").create().unwrap();
    let error = block_on(other.restore(state)).unwrap_err().to_string();
    assert!(error.contains("other sources"), "{error}");
}
