//! The configuration of the strategy `ema-cross`.

use std::collections::BTreeMap;

use hotbay_market::{Fixed, Instrument};
use hotbay_plugin_api::JsonSchema;
use serde::Deserialize;

/// The configuration of the component `ema-cross`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The instruments, each with the quantity to trade; above zero.
    pub instruments: BTreeMap<Instrument, Fixed>,
    /// The span of the fast average, in bars; at least 1.
    #[serde(default = "ten")]
    pub fast: u32,
    /// The span of the slow average, in bars; more than `fast`.
    #[serde(default = "twenty::<u32>")]
    pub slow: u32,
    /// The number of the first bar on which it trades.
    #[serde(default = "twenty::<u64>")]
    pub warmup: u64,
}

fn ten() -> u32 {
    10
}

fn twenty<T: From<u16>>() -> T {
    T::from(20)
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.instruments.is_empty() {
            return Err(
                "instruments is empty; expected at least one, such as BTCUSDT: 0.001".into()
            );
        }
        for (name, quantity) in &self.instruments {
            if !quantity.is_positive() {
                return Err(format!("instruments.{name} is {quantity}; expected more than zero"));
            }
        }
        if self.fast == 0 {
            return Err("fast is 0; expected at least 1".to_owned());
        }
        if self.slow <= self.fast {
            return Err(format!("slow is {}; expected more than fast, {}", self.slow, self.fast));
        }
        Ok(())
    }
}
