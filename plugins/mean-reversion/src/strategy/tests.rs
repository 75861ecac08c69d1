use std::{future::poll_fn, task::Poll};

use futures_lite::future::or;
use hotbay_market::{Order, OrderReport, Side};
use hotbay_plugin_api::testing::{TestHost, batch, block_on};
use serde_json::json;

use super::*;

const SELL: u64 = Side::Sell.code();
const BUY: u64 = Side::Buy.code();

fn host() -> TestHost {
    let config = json!({"quantity": "0.001", "theta": 3, "span": 1_000_000, "warmup": 1});
    let host = TestHost::new().with_id("reversion").with_config(config);
    host.with_input("fair", "fair").with_output("orders", "orders")
}

/// A fair value of 100 with a mid at this distance.
fn value(distance: f64) -> FairValue {
    let instrument = Instrument::new("BTCUSDT").unwrap();
    let (bid, ask) = (Fixed::new(99, 0), Fixed::new(101, 0));
    FairValue { instrument, fair: 100.0, mid: 100.0 + distance, bid, ask }
}

fn values(distances: &[f64]) -> Batch {
    let values: Vec<_> = (1..).zip(distances.iter().map(|&distance| value(distance))).collect();
    batch(&values)
}

/// The time, side and intent of each order.
fn orders(host: &TestHost) -> Vec<(i64, u64, u64)> {
    host.events::<Order>("orders").iter().map(|(time, it)| (*time, it.side, it.intent)).collect()
}

/// Runs `work` beside an executor whose answer to each order is its code, 0 for filled.
fn with_executor<T>(host: &TestHost, outcomes: &[u64], work: impl Future<Output = T>) -> T {
    let (mut answered, mut position) = (0, Fixed::ZERO);
    let executor = poll_fn(|_| {
        while let Some((time, order)) = host.events::<Order>("orders").get(answered) {
            if outcomes[answered] == 0 {
                let change = match Side::from_code(order.side) {
                    Side::Buy => order.quantity,
                    Side::Sell => order.quantity.checked_neg().unwrap(),
                };
                position = position.checked_add(change).unwrap();
            }
            let (id, instrument, outcome) = (order.id, order.instrument, outcomes[answered]);
            let price = Fixed::ZERO;
            let own = OrderReport { order: id, strategy: 1, instrument, outcome, price, position };
            let others = OrderReport { strategy: 2, outcome: 1, ..own };
            host.feed("reports", batch(&[(*time, others), (*time, own)]));
            answered += 1;
        }
        Poll::Pending
    });
    block_on(or(work, executor))
}

#[test]
fn without_reports_every_order_counts_as_filled() {
    let host = host();
    let mut strategy: MeanReversion = host.create().unwrap();
    block_on(strategy.handle_event(values(&[0.0, 4.0, 4.0, -1.0]))).unwrap();
    assert_eq!(orders(&host), [(2, SELL, 0), (4, BUY, 0)]);
    block_on(strategy.end_of_input()).unwrap();
    assert_eq!(orders(&host).len(), 2, "nothing is open");
}

#[test]
fn a_denied_order_leaves_the_position_and_is_signalled_again_at_the_next_event() {
    let host = host().with_input("reports", "reports");
    let mut strategy: MeanReversion = host.create().unwrap();
    let work = strategy.handle_event(values(&[0.0, 4.0, 4.0, 4.0, -1.0]));
    with_executor(&host, &[1, 0, 0], work).unwrap();
    assert_eq!(orders(&host), [(2, SELL, 0), (3, SELL, 0), (5, BUY, 0)]);
    block_on(strategy.shutdown()).unwrap();
    let row = json!({
        "strategy": "reversion", "instrument": "BTCUSDT", "updates": 5, "signals": 3, "denied": 1,
        "position": "0",
    });
    assert_eq!(host.reports("strategies"), [row]);
}

#[test]
fn what_is_open_at_the_end_is_closed_at_the_last_quote() {
    let host = host().with_input("reports", "reports");
    let mut strategy: MeanReversion = host.create().unwrap();
    with_executor(&host, &[0, 0], async {
        strategy.handle_event(values(&[0.0, 4.0, 3.0])).await.unwrap();
        strategy.end_of_input().await.unwrap();
    });
    assert_eq!(orders(&host), [(2, SELL, 0), (3, BUY, 1)]);
    let (_, close) = host.events::<Order>("orders")[1];
    assert_eq!((close.id, close.quantity, close.ask), (2, Fixed::new(1, 3), Fixed::new(101, 0)));
    assert_eq!(host.reports("strategies")[0]["signals"], 1);
}

#[test]
fn reports_that_end_while_it_waits_are_an_error_that_says_so() {
    let host = host().with_input("reports", "reports");
    let mut strategy: MeanReversion = host.create().unwrap();
    host.end("reports");
    let error = block_on(strategy.handle_event(values(&[0.0, 4.0]))).unwrap_err();
    assert!(matches!(&error, SchedulerError::EventReceive(_)), "{error}");
    assert!(error.to_string().contains("reports ended before the report of order 1"), "{error}");
}

#[test]
fn other_instruments_and_values_that_are_no_numbers_are_left_out() {
    let host = host();
    let mut strategy: MeanReversion = host.create().unwrap();
    let other = FairValue { instrument: Instrument::new("OTHER").unwrap(), ..value(9.0) };
    let broken = value(f64::NAN);
    let events = [(1, value(0.0)), (2, other), (3, broken), (4, value(4.0))];
    block_on(strategy.handle_event(batch(&events))).unwrap();
    assert_eq!(orders(&host), [(4, SELL, 0)]);
}

#[test]
fn a_configuration_out_of_range_is_refused_with_what_was_expected() {
    for (config, expected) in [
        (json!({"quantity": 0, "theta": 3}), "quantity is 0; expected more than zero"),
        (json!({"quantity": 1, "theta": -3}), "theta is -3; expected more than zero"),
        (json!({"quantity": 1, "theta": 3, "span": 0}), "span is 0; expected at least 1"),
        (json!({"quantity": 1}), "missing field `theta`"),
        (json!({"quantity": 1, "theta": 3, "sigma": 1}), "unknown field `sigma`"),
    ] {
        let error = host().with_config(config).create::<MeanReversion>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
