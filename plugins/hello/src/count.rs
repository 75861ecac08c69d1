//! A source of numbers.

use hotbay_plugin_api::prelude::*;
use serde::Deserialize;

/// Publishes 1, 2, 3, … as events of eight bytes, little-endian, and ends at a limit.
#[derive(Debug)]
pub struct Count {
    numbers: Publisher,
    next: u64,
    config: CountConfig,
}

/// How far and in what portions to count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountConfig {
    /// The last number.
    to: u64,
    /// How many numbers go out together.
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
        Ok(Self { numbers: context.publisher("numbers")?, next: 1, config })
    }
}

#[async_trait]
impl BackgroundTask for Count {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        if self.next > self.config.to {
            return Err(SchedulerError::Finished);
        }
        let last = self.config.to.min(self.next.saturating_add(self.config.batch - 1));
        for number in self.next..=last {
            let time = i64::try_from(number).unwrap_or(i64::MAX);
            self.numbers.push_bytes(time, Kind::BYTES, &number.to_le_bytes());
        }
        self.next = last + 1;
        self.numbers.flush().await
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

    fn serde_json_like<const N: usize>(
        fields: [(&'static str, u64); N],
    ) -> std::collections::BTreeMap<&'static str, u64> {
        fields.into()
    }
}
