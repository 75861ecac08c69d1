//! The configuration of the aggregator.

use std::{collections::BTreeMap, num::NonZeroU64, time::Duration};

use hotbay_market::Instrument;
use hotbay_plugin_api::{ChannelName, JsonSchema};
use serde::Deserialize;

/// The configuration of the component `merge`: how sources are merged, and what the outputs are
/// made from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How far behind its newest event a source may still bring one: `1s`, `250ms`.
    /// With live sources, also how long an event waits for a source without events.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lateness: Duration,
    /// The lateness of single sources, by channel; it replaces `lateness`.
    #[schemars(with = "BTreeMap<String, String>")]
    pub lateness_of: BTreeMap<String, humantime_serde::Serde<Duration>>,
    /// How far the time of an event may be ahead of its source's newest, or behind what `lateness`
    /// allows, before it counts as a jump: one bad time stamp, or a clock that was set. What
    /// comes after a jump decides whether its events are used. Live, the time that passes without
    /// an event is no jump.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub jump: Duration,
    /// How bars are made; required for the output `bars`.
    pub bars: Option<BarsConfig>,
    /// How the fair value is computed; required for the output `fair`.
    pub fair: Option<FairConfig>,
}

/// How bars are made from trades.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BarsConfig {
    /// The number of trades in a bar; at least 1.
    pub trades: NonZeroU64,
}

/// How the fair value is computed: the mean of the mid prices of several venues.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FairConfig {
    /// The instruments whose mids are averaged; at least one, each once.
    pub instruments: Vec<Instrument>,
    /// The instrument to trade, which is one of `instruments`.
    pub trade: Instrument,
    /// How old the last quote of an instrument may be: `10s`, or `null` for any age. While
    /// one is older, as when a venue has fallen silent, there is no fair value. The age is
    /// counted in event time in a replay, and live by the clock.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    #[schemars(with = "Option<String>")]
    pub max_age: Option<Duration>,
}

fn ten_seconds() -> Option<Duration> {
    Some(Duration::from_secs(10))
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lateness: Duration::ZERO,
            lateness_of: BTreeMap::new(),
            jump: Duration::from_secs(1),
            bars: None,
            fair: None,
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.jump.is_zero() {
            return Err("jump is 0; expected a duration such as 1s".to_owned());
        }
        let Some(FairConfig { instruments, trade, max_age }) = &self.fair else { return Ok(()) };
        if max_age.is_some_and(|age| age.is_zero()) {
            return Err("fair.max_age is 0; expected a duration such as 10s, or null".to_owned());
        }
        if instruments.is_empty() {
            return Err("fair.instruments is empty; expected at least one instrument".to_owned());
        }
        for (place, instrument) in instruments.iter().enumerate() {
            if instruments[..place].contains(instrument) {
                return Err(format!("fair.instruments names {instrument} twice; expected it once"));
            }
        }
        if !instruments.contains(trade) {
            return Err(format!("fair.trade is {trade}; expected one of fair.instruments"));
        }
        Ok(())
    }

    /// The lateness of each source, in their order.
    pub(crate) fn latenesses(&self, sources: &[ChannelName]) -> Result<Vec<Duration>, String> {
        let unknown = |name: &&String| !sources.iter().any(|source| source.as_str() == *name);
        if let Some(name) = self.lateness_of.keys().find(unknown) {
            let known: Vec<_> = sources.iter().map(ChannelName::as_str).collect();
            let known = known.join(", ");
            return Err(format!("lateness_of names {name}; expected one of the sources: {known}"));
        }
        let of = |source: &ChannelName| {
            self.lateness_of.get(source.as_str()).map_or(self.lateness, |own| **own)
        };
        Ok(sources.iter().map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<Config, String> {
        let config: Config = serde_json::from_str(json).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn a_wrong_value_is_named_with_what_was_expected() {
        for (json, expected) in [
            (r#"{"fair": {"instruments": [], "trade": "A"}}"#, "at least one instrument"),
            (r#"{"fair": {"instruments": ["A", "A"], "trade": "A"}}"#, "names A twice"),
            (r#"{"fair": {"instruments": ["A"], "trade": "B"}}"#, "fair.trade is B"),
            (r#"{"fair": {"instruments": ["A"], "trade": "A", "max_age": "0s"}}"#, "max_age is 0"),
            (r#"{"jump": "0s"}"#, "jump is 0"),
            (r#"{"bars": {"trades": 0}}"#, "nonzero"),
            (r#"{"lateness": "soon"}"#, "duration"),
            (r#"{"latenes": "1s"}"#, "unknown field"),
        ] {
            let error = config(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn a_source_has_its_own_lateness_or_the_common_one() {
        let config = config(r#"{"lateness": "1s", "lateness_of": {"b": "5ms"}}"#).unwrap();
        let sources = ["a", "b"].map(ChannelName::from);
        let [a, b] = [Duration::from_secs(1), Duration::from_millis(5)];
        assert_eq!(config.latenesses(&sources), Ok(vec![a, b]));
        assert!(config.latenesses(&sources[..1]).unwrap_err().contains("lateness_of names b"));
    }
}
