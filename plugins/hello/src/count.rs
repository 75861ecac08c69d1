//! The connector `count`, which publishes consecutive numbers.

use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};

/// Publishes 1, 2, 3, … as events of eight bytes, little-endian, and ends at a limit.
#[derive(Debug)]
pub struct Count {
    numbers: Publisher,
    state: CountState,
    config: CountConfig,
}

/// The saved state: everything besides the configuration that the output depends on.
#[derive(Debug, Serialize, Deserialize)]
struct CountState {
    next: u64,
}

/// The version of [`CountState`]. Raise it whenever a field changes its meaning: a build
/// refuses a state of a version that it can't read, and the old build stays in service.
const STATE_VERSION: u32 = 1;

/// The configuration of the component `count`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountConfig {
    /// The last number.
    to: u64,
    /// The number of events in a batch.
    #[serde(default = "one")]
    batch: u64,
}

fn one() -> u64 {
    1
}

impl Component for Count {
    type Config = CountConfig;
    const OUTPUTS: &'static [Port] = &[Port::required("numbers", "1, 2, 3, …")];
    const DESCRIPTION: &'static str = "Counts to a limit";

    fn check(config: &CountConfig) -> Result<(), String> {
        if config.batch == 0 {
            return Err("batch: expected at least 1".to_owned());
        }
        Ok(())
    }

    fn create(config: CountConfig, context: Context) -> Result<Self, SchedulerError> {
        let state = CountState { next: 1 };
        Ok(Self { numbers: context.publisher("numbers")?, state, config })
    }
}

#[async_trait]
impl BackgroundTask for Count {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        let next = self.state.next;
        if next > self.config.to {
            return Err(SchedulerError::Finished);
        }
        let last = self.config.to.min(next.saturating_add(self.config.batch - 1));
        for number in next..=last {
            let time = i64::try_from(number).unwrap_or(i64::MAX);
            self.numbers.push_bytes(time, Kind::BYTES, &number.to_le_bytes());
        }
        // Updated before the first await, so that the state always matches the pushed events,
        // wherever the host suspends the turn. The host never drops a turn that publishes.
        self.state.next = last + 1;
        self.numbers.flush().await
    }

    // Without `save_state` and `restore`, a new build would count from 1 again.
    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        SavedState::json(STATE_VERSION, &self.state).map(Some)
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        self.state = state.read_json(STATE_VERSION)?;
        Ok(())
    }
}

impl Connector for Count {}

#[cfg(test)]
mod tests {
    use hotbay_plugin_api::testing::{TestHost, block_on};

    use super::*;

    #[test]
    fn it_counts_to_its_limit_and_finishes() {
        let config = serde_json_like([("to", 5), ("batch", 2)]);
        let host = TestHost::new().with_config(config).with_output("numbers", "out");
        let mut count: Count = host.create().unwrap();
        let mut turns = 0;
        while block_on(count.execute()) == Ok(()) {
            turns += 1;
        }
        assert_eq!(turns, 3);
        assert_eq!(host.published("out").iter().map(Batch::len).sum::<usize>(), 5);
    }

    #[test]
    fn the_next_build_goes_on_where_this_one_was() {
        let config = serde_json_like([("to", 5), ("batch", 2)]);
        let host = TestHost::new().with_config(config).with_output("numbers", "out");
        let mut old: Count = host.create().unwrap();
        block_on(old.execute()).unwrap();
        let state = block_on(old.save_state()).unwrap().unwrap();

        let mut new: Count = host.create().unwrap();
        block_on(new.restore(state)).unwrap();
        while block_on(new.execute()) == Ok(()) {}
        let numbers: Vec<_> = host
            .published("out")
            .iter()
            .flat_map(|batch| batch.iter().map(|it| it.payload().to_vec()).collect::<Vec<_>>())
            .collect();
        assert_eq!(numbers, (1..=5u64).map(|it| it.to_le_bytes().to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn a_state_of_another_version_is_refused() {
        let config = serde_json_like([("to", 5)]);
        let host = TestHost::new().with_config(config).with_output("numbers", "out");
        let mut count: Count = host.create().unwrap();
        let saved = block_on(count.save_state()).unwrap().unwrap();
        let newer = SavedState { version: STATE_VERSION + 1, ..saved };
        let error = block_on(count.restore(newer)).unwrap_err();
        assert!(matches!(error, SchedulerError::State(_)), "{error}");
    }

    fn serde_json_like<const N: usize>(
        fields: [(&'static str, u64); N],
    ) -> std::collections::BTreeMap<&'static str, u64> {
        fields.into()
    }
}
