use std::{future::poll_fn, task::Poll};

use futures_lite::future::or;
use hotbay_market::{Order, OrderReport};
use hotbay_plugin_api::testing::{TestHost, batch, block_on};
use serde_json::json;

use super::*;

fn host() -> TestHost {
    let config = json!({"instruments": {"A": 0.5, "B": "2"}, "fast": 1, "slow": 3, "warmup": 2});
    let host = TestHost::new().with_id("cross").with_config(config);
    host.with_input("bars", "bars").with_output("orders", "orders")
}

fn bar(name: &str, close: i64) -> Bar {
    let [low, close, volume] = [close - 1, close, 1].map(|number| Fixed::new(number, 0));
    let instrument = Instrument::new(name).unwrap();
    let (bid, ask) = (low, close);
    Bar {
        instrument,
        open: close,
        high: close,
        low,
        close,
        volume,
        bid,
        ask,
        trades: 1,
        opened_ns: 0,
    }
}

fn bars(bars: &[(&str, i64)]) -> Batch {
    let bars: Vec<_> = (1..).zip(bars.iter().map(|(name, close)| bar(name, *close))).collect();
    batch(&bars)
}

/// Time, instrument, side, quantity and intent of each order, in words.
fn orders(host: &TestHost) -> Vec<String> {
    let orders = host.events::<Order>("orders");
    let line = |(time, it): &(i64, Order)| {
        let side = Side::from_code(it.side);
        format!(
            "{time} {} {side:?} {} {:?}",
            it.instrument,
            it.quantity,
            Intent::from_code(it.intent)
        )
    };
    orders.iter().map(line).collect()
}

#[test]
fn a_turn_of_the_trend_closes_and_then_opens_the_other_way() {
    let host = host();
    let mut strategy: EmaCross = host.create().unwrap();
    let events = [("A", 10), ("A", 20), ("A", 5), ("B", 9), ("C", 9), ("A", 4)];
    block_on(strategy.handle_event(bars(&events))).unwrap();
    assert_eq!(orders(&host), ["2 A Buy 0.5 Signal", "3 A Sell 0.5 Signal", "3 A Sell 0.5 Signal"]);
}

#[test]
fn a_denied_close_opens_nothing() {
    let host = host().with_input("reports", "reports");
    let mut strategy: EmaCross = host.create().unwrap();
    let mut answered = 0;
    let executor = poll_fn(|_| {
        while let Some((time, order)) = host.events::<Order>("orders").get(answered) {
            // The first is filled, the others are denied: it stays long.
            let (outcome, position) = (u64::from(answered > 0), Fixed::new(5, 1));
            let (instrument, price) = (order.instrument, Fixed::ZERO);
            let order = order.id;
            let report = OrderReport { order, strategy: 1, instrument, outcome, price, position };
            host.feed("reports", batch(&[(*time, report)]));
            answered += 1;
        }
        Poll::Pending
    });
    let work = strategy.handle_event(bars(&[("A", 10), ("A", 20), ("A", 5), ("A", 4)]));
    block_on(or(work, executor)).unwrap();
    assert_eq!(orders(&host), ["2 A Buy 0.5 Signal", "3 A Sell 0.5 Signal", "4 A Sell 0.5 Signal"]);
}

#[test]
fn what_is_open_at_the_end_is_closed_at_the_last_quote() {
    let host = host();
    let mut strategy: EmaCross = host.create().unwrap();
    block_on(strategy.handle_event(bars(&[("B", 10), ("B", 20), ("A", 1)]))).unwrap();
    let (instrument, price) = (Instrument::new("B").unwrap(), Fixed::new(7, 0));
    let quote = Quote { instrument, bid: price, bid_size: price, ask: price, ask_size: price };
    block_on(strategy.handle_event(batch(&[(9, quote)]))).unwrap();
    block_on(strategy.end_of_input()).unwrap();
    assert_eq!(orders(&host), ["2 B Buy 2 Signal", "9 B Sell 2 CloseAtEnd"]);
    assert_eq!(host.events::<Order>("orders")[1].1.bid, price);
    let row = |instrument: &str, updates: u64, signals: u64| {
        json!({
            "strategy": "cross", "instrument": instrument, "updates": updates,
            "signals": signals, "denied": 0, "position": "0",
        })
    };
    assert_eq!(host.reports("strategies"), [row("A", 1, 0), row("B", 2, 1)]);
}

#[test]
fn a_bar_without_a_quote_moves_the_averages_and_places_nothing() {
    let host = host();
    let mut strategy: EmaCross = host.create().unwrap();
    let blind = Bar { bid: Fixed::ZERO, ask: Fixed::ZERO, ..bar("A", 20) };
    let events = [(1, bar("A", 10)), (2, blind)];
    block_on(strategy.handle_event(batch(&events))).unwrap();
    assert_eq!(orders(&host), [""; 0]);
}

#[test]
fn a_configuration_out_of_range_is_refused_with_what_was_expected() {
    for (config, expected) in [
        (json!({"instruments": {}}), "instruments is empty"),
        (json!({"instruments": {"A": -1}}), "instruments.A is -1; expected more than zero"),
        (json!({"instruments": {"A": 1}, "fast": 0}), "fast is 0; expected at least 1"),
        (json!({"instruments": {"A": 1}, "slow": 10}), "slow is 10; expected more than fast, 10"),
        (json!({"instruments": {"A": "x"}}), "expected a decimal number"),
    ] {
        let error = host().with_config(config).create::<EmaCross>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
