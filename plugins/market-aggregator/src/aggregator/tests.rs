use std::time::Duration;

use futures_lite::future::poll_once;
use hotbay_market::{Bar, FairValue, Fixed, Instrument};
use hotbay_plugin_api::testing::{TestHost, batch, batch_of_bytes, block_on};
use serde_json::json;

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
            json!({"aggregator": "merge", "source": "a", "events": 2, "late": 0, "depth": 0, "other": 0}),
            json!({"aggregator": "merge", "source": "b", "events": 3, "late": 0, "depth": 0, "other": 0}),
        ]
    );
    let totals =
        json!({"aggregator": "merge", "merged": 5, "quotes": 5, "trades": 0, "bars": 0, "fair": 0});
    assert_eq!(host.reports("aggregator"), [totals]);
    block_on(merge.shutdown()).unwrap();
    assert_eq!(host.reports("aggregator").len(), 1, "reported once");
}

#[test]
fn a_replay_reads_only_what_holds_it_up() {
    let host = quotes_only();
    let mut merge: MarketAggregator = host.create().unwrap();
    host.feed("a", batch(&[(10, quote("A", 1))]));
    for time in [5, 20, 30] {
        host.feed("b", batch(&[(time, quote("B", 1))]));
    }
    while turn(&mut merge).is_some() {}
    assert_eq!(published(&host), [(5, "B".to_owned()), (10, "A".to_owned())]);
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
