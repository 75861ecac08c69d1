//! The configuration of the component `paper`.

use std::path::PathBuf;

use hotbay_market::Fixed;
use hotbay_plugin_api::JsonSchema;
use serde::Deserialize;

use crate::{Accounts, Limits, MaxOrders, Paper};

/// The configuration of the component `paper`: balance, fees and limits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The initial balance of each account; not negative.
    pub balance: Fixed,
    /// The fee, as a part of every fill's notional: 0.0005 is 0.05 %. From 0 to 1.
    pub fee_rate: Fixed,
    /// Which fills share a balance.
    pub accounts: Accounts,
    /// From this event time on (ns since 1970, UTC) every order is denied.
    pub halt_at_ns: Option<i64>,
    /// An order whose price times quantity is larger is denied; above zero.
    pub max_notional_per_order: Option<Fixed>,
    /// How many orders a strategy may send within a window of event time.
    pub max_orders: Option<MaxOrders>,
    /// A CSV file for the fills. A fills file that exists is replaced, unless an earlier build
    /// began it and this one goes on from its state; any other file is refused. Each fill
    /// is in the file as soon as its order has been answered.
    pub fills: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            balance: Fixed::new(1_000_000, 0),
            fee_rate: Fixed::new(5, 4),
            accounts: Accounts::default(),
            halt_at_ns: None,
            max_notional_per_order: None,
            max_orders: None,
            fills: None,
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.balance < Fixed::ZERO {
            return Err(format!("balance is {}; expected zero or more", self.balance));
        }
        if self.fee_rate < Fixed::ZERO || self.fee_rate > Fixed::new(1, 0) {
            return Err(format!("fee_rate is {}; expected 0 to 1", self.fee_rate));
        }
        if let Some(max) = self.max_notional_per_order
            && !max.is_positive()
        {
            return Err(format!("max_notional_per_order is {max}; expected more than zero"));
        }
        let Some(MaxOrders { count, window }) = self.max_orders else { return Ok(()) };
        if count == 0 {
            return Err("max_orders.count is 0; expected at least 1".to_owned());
        }
        if window.is_zero() {
            return Err("max_orders.window is 0; expected a duration such as 1s".to_owned());
        }
        Ok(())
    }

    pub(crate) fn paper(&self) -> Paper {
        let limits = Limits::new(self.halt_at_ns, self.max_notional_per_order, self.max_orders);
        Paper::new(self.balance, self.fee_rate, self.accounts, limits)
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
    fn nothing_configured_is_the_reference() {
        let config = config(r#"{"halt_at_ns": null}"#).unwrap();
        assert_eq!(config.balance.to_string(), "1000000");
        assert_eq!(config.fee_rate.to_string(), "0.0005");
    }

    #[test]
    fn a_wrong_value_is_named_with_what_was_expected() {
        for (json, expected) in [
            (r#"{"balance": -1}"#, "balance is -1; expected zero or more"),
            (r#"{"fee_rate": 1.5}"#, "fee_rate is 1.5; expected 0 to 1"),
            (r#"{"fee_rate": "free"}"#, "expected a decimal number"),
            (r#"{"max_notional_per_order": 0}"#, "max_notional_per_order is 0"),
            (r#"{"max_orders": {"count": 0, "window": "1s"}}"#, "max_orders.count is 0"),
            (r#"{"max_orders": {"count": 1, "window": "0s"}}"#, "max_orders.window is 0"),
            (r#"{"accounts": "many"}"#, "expected `shared` or `per-instrument`"),
            (r#"{"halt": 1}"#, "unknown field `halt`"),
        ] {
            let error = config(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
