//! The saved state that the next build of the strategy continues from.

use std::collections::BTreeMap;

use hotbay_market::{Fixed, Holding, Instrument};
use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::EmaCross;
use crate::CrossState;

const VERSION: u32 = 1;

/// The state that events change; spans and quantities come from the configuration.
#[derive(Serialize, Deserialize)]
struct State {
    lines: BTreeMap<Instrument, LineState>,
    last_order: u64,
    last_ns: i64,
    ignored: u64,
}

#[derive(Serialize, Deserialize)]
struct LineState {
    cross: CrossState,
    holding: Holding,
    bid: Fixed,
    ask: Fixed,
}

impl EmaCross {
    pub(super) fn saved(&self) -> Result<SavedState, SchedulerError> {
        let lines = self.lines.iter().map(|(instrument, line)| {
            let (cross, holding) = (line.cross.state(), line.holding);
            (*instrument, LineState { cross, holding, bid: line.bid, ask: line.ask })
        });
        let state = State {
            lines: lines.collect(),
            last_order: self.desk.last_id(),
            last_ns: self.last_ns,
            ignored: self.ignored,
        };
        SavedState::json(VERSION, &state)
    }

    /// # Errors
    /// If the state can't be read, or holds an instrument that is not configured, whose position
    /// would never be closed. On an error the strategy is unchanged.
    pub(super) fn go_on_from(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { lines, last_order, last_ns, ignored } = state.read_json(VERSION)?;
        if let Some(unknown) = lines.keys().find(|name| !self.lines.contains_key(name)) {
            let text = format!("it holds {unknown}, which is none of the configured instruments");
            return Err(SchedulerError::State(text));
        }
        for (instrument, from) in lines {
            let Some(line) = self.lines.get_mut(&instrument) else { continue };
            line.cross.go_on_from(from.cross);
            (line.holding, line.bid, line.ask) = (from.holding, from.bid, from.ask);
        }
        self.desk.go_on_after(last_order);
        (self.last_ns, self.ignored) = (last_ns, ignored);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hotbay_market::{Bar, Quote};
    use hotbay_plugin_api::{
        Batch, EventTask,
        testing::{TestHost, batch, block_on},
    };
    use serde_json::json;

    use super::*;

    fn host() -> TestHost {
        let config =
            json!({"instruments": {"A": 0.5, "B": "2"}, "fast": 2, "slow": 5, "warmup": 4});
        let host = TestHost::new().with_id("cross").with_config(config);
        host.with_input("bars", "bars").with_output("orders", "orders")
    }

    /// A market that turns now and then, with another instrument and quotes between.
    fn turns() -> Vec<Batch> {
        (1i64..120).map(turn).collect()
    }

    fn turn(time_ns: i64) -> Batch {
        if time_ns % 7 == 0 {
            let instrument = Instrument::new("A").unwrap();
            let bid = Fixed::new(90_000 + time_ns, 3);
            let quote = Quote { instrument, bid, bid_size: bid, ask: bid, ask_size: bid };
            return batch(&[(time_ns, quote)]);
        }
        let instrument = Instrument::new(["A", "B", "C"][(time_ns % 3) as usize]).unwrap();
        let close = Fixed::new(100_007 + (time_ns * 7_919) % 1_013, 3);
        let [low, volume] = [Fixed::new(90, 0), Fixed::new(1, 0)];
        let (open, high, bid, ask, trades, opened_ns) = (close, close, low, close, 1, 0);
        batch(&[(
            time_ns,
            Bar { instrument, open, high, low, close, volume, bid, ask, trades, opened_ns },
        )])
    }

    /// What it publishes and reports if it is replaced before each of these turns.
    fn run(replaced_before: &[usize]) -> (Vec<(i64, Vec<u8>)>, Vec<serde_json::Value>) {
        let host = host();
        let mut strategy: EmaCross = host.create().unwrap();
        block_on(async {
            for (at, batch) in turns().into_iter().enumerate() {
                if replaced_before.contains(&at) {
                    let state = strategy.save_state().await.unwrap().unwrap();
                    strategy = host.create().unwrap();
                    strategy.restore(state).await.unwrap();
                    strategy.initialize().await.unwrap();
                }
                strategy.handle_event(batch).await.unwrap();
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
        assert_eq!(run(&[60]), whole);
        assert_eq!(run(&(0..119).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn a_state_of_another_version_or_instrument_is_refused() {
        let mut strategy: EmaCross = host().create().unwrap();
        let saved = strategy.saved().unwrap();
        let other = SavedState { version: VERSION + 1, ..saved.clone() };
        let error = block_on(strategy.restore(other)).unwrap_err();
        assert!(matches!(&error, SchedulerError::State(_)), "{error}");
        let host = host().with_config(json!({"instruments": {"A": 1}}));
        let mut strategy: EmaCross = host.create().unwrap();
        let error = block_on(strategy.restore(saved)).unwrap_err().to_string();
        assert!(error.contains("holds B, which is none of the configured"), "{error}");
    }
}
