//! The saved state that the next build of the strategy continues from.

use hotbay_market::{FairValue, Fixed, Holding, Instrument};
use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::MeanReversion;
use crate::ReversionState;

const VERSION: u32 = 1;

/// The state that events change; the configuration is not saved.
#[derive(Serialize, Deserialize)]
struct State {
    reversion: ReversionState,
    holding: Option<Holding>,
    last: Option<Last>,
    last_order: u64,
    ignored: u64,
}

/// The last fair value, with floating-point numbers saved as their bits to keep them exact.
#[derive(Serialize, Deserialize)]
struct Last {
    time_ns: i64,
    instrument: Instrument,
    fair: u64,
    mid: u64,
    bid: Fixed,
    ask: Fixed,
}

impl Last {
    fn of((time_ns, value): (i64, FairValue)) -> Self {
        let FairValue { instrument, fair, mid, bid, ask } = value;
        Self { time_ns, instrument, fair: fair.to_bits(), mid: mid.to_bits(), bid, ask }
    }

    fn value(self) -> (i64, FairValue) {
        let Self { time_ns, instrument, fair, mid, bid, ask } = self;
        let (fair, mid) = (f64::from_bits(fair), f64::from_bits(mid));
        (time_ns, FairValue { instrument, fair, mid, bid, ask })
    }
}

impl MeanReversion {
    pub(super) fn saved(&self) -> Result<SavedState, SchedulerError> {
        let state = State {
            reversion: self.reversion.state(),
            holding: self.holding,
            last: self.last.map(Last::of),
            last_order: self.desk.last_id(),
            ignored: self.ignored,
        };
        SavedState::json(VERSION, &state)
    }

    /// # Errors
    /// If the state can't be read, or is of another instrument than the configured one: that
    /// position would never be closed. On an error the strategy is unchanged.
    pub(super) fn go_on_from(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { reversion, holding, last, last_order, ignored } = state.read_json(VERSION)?;
        if let (Some(configured), Some(held)) = (self.instrument, holding)
            && held.instrument != configured
        {
            let text = format!("it is of {}, this build trades {configured}", held.instrument);
            return Err(SchedulerError::State(text));
        }
        self.reversion.go_on_from(reversion);
        self.holding = holding.or_else(|| self.instrument.map(Holding::new));
        self.last = last.map(Last::value);
        self.desk.go_on_after(last_order);
        self.ignored = ignored;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
}
