use hotbay_plugin_api::{
    Batch, EventTask,
    testing::{TestHost, batch, block_on},
};
use serde_json::json;

use super::*;

fn host(instrument: Option<&str>) -> TestHost {
    let config = json!({
        "instrument": instrument, "quantity": "0.001", "theta": 0.7, "span": 20, "warmup": 5,
    });
    let host = TestHost::new().with_id("reversion").with_config(config);
    host.with_input("fair", "fair").with_output("orders", "orders")
}

/// Distances with many binary digits, and now and then a value that is left out.
fn turn(time_ns: i64) -> Batch {
    let name = if time_ns % 11 == 0 { "OTHER" } else { "BTCUSDT" };
    let distance = ((time_ns * 7_919) % 1_013) as f64 / 337.0 - 1.5;
    let mid = if time_ns % 13 == 0 { f64::NAN } else { 100.1 + distance };
    let (bid, ask) = (Fixed::new(99_000 + time_ns, 3), Fixed::new(101_000 + time_ns, 3));
    let instrument = Instrument::new(name).unwrap();
    batch(&[(time_ns, FairValue { instrument, fair: 100.1, mid, bid, ask })])
}

/// What it publishes and reports if it is replaced before each of these turns.
fn run(replaced_before: &[i64]) -> (Vec<(i64, Vec<u8>)>, Vec<serde_json::Value>) {
    let host = host(None);
    let mut strategy: MeanReversion = host.create().unwrap();
    block_on(async {
        for at in 1..=101 {
            if replaced_before.contains(&at) {
                let state = strategy.save_state().await.unwrap().unwrap();
                strategy = host.create().unwrap();
                strategy.restore(state).await.unwrap();
                strategy.initialize().await.unwrap();
            }
            strategy.handle_event(turn(at)).await.unwrap();
        }
        strategy.end_of_input().await.unwrap();
        strategy.shutdown().await.unwrap();
    });
    let events = host.published("orders").into_iter().flat_map(|batch| {
        batch.iter().map(|it| (it.time_ns(), it.payload().to_vec())).collect::<Vec<_>>()
    });
    (events.collect(), host.reports("strategies"))
}

#[test]
fn a_new_build_goes_on_as_if_the_old_one_had() {
    let whole = run(&[]);
    assert!(whole.0.len() > 10, "{} orders", whole.0.len());
    assert_eq!(run(&[50]), whole);
    assert_eq!(run(&(1..=101).collect::<Vec<_>>()), whole);
}

#[test]
fn the_average_and_the_last_value_come_back_bit_by_bit() {
    let host = host(None);
    let mut old: MeanReversion = host.create().unwrap();
    for at in 1..50 {
        block_on(old.handle_event(turn(at))).unwrap();
        let saved = old.saved().unwrap();
        let mut new: MeanReversion = host.create().unwrap();
        new.go_on_from(&saved).unwrap();
        assert_eq!(new.reversion.state(), old.reversion.state());
        assert_eq!(new.saved().unwrap(), saved);
    }
}

#[test]
fn a_state_of_another_version_or_instrument_is_refused() {
    let mut strategy: MeanReversion = host(None).create().unwrap();
    block_on(strategy.handle_event(turn(1))).unwrap();
    let saved = strategy.saved().unwrap();
    let other = SavedState { version: VERSION + 1, ..saved.clone() };
    let error = block_on(strategy.restore(other)).unwrap_err();
    assert!(matches!(&error, SchedulerError::State(_)), "{error}");
    let mut strategy: MeanReversion = host(Some("OTHER")).create().unwrap();
    let error = block_on(strategy.restore(saved)).unwrap_err().to_string();
    assert!(error.contains("it is of BTCUSDT, this build trades OTHER"), "{error}");
}
