//! Balances, and what happened to them.

use hotbay_plugin_api::JsonSchema;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money;

/// Which fills share a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Accounts {
    /// One account for all.
    #[default]
    Shared,
    /// One account for each instrument, each starting with the whole balance.
    PerInstrument,
}

/// One account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The money that is there, realized profit and fees in it.
    pub balance: Decimal,
    /// The fees paid.
    pub fees: Decimal,
    /// The signals received, filled or not.
    pub signals: u64,
    /// The signals denied.
    pub denied: u64,
    /// The fills, those of closing orders in it.
    pub fills: u64,
    /// The orders to close at the end that were not sent, because trading was halted.
    pub unsent_closes: u64,
}

impl Account {
    /// An account that starts with this balance.
    pub fn new(balance: Decimal) -> Self {
        Self { balance, ..Self::default() }
    }

    /// Books a fill.
    pub fn book(&mut self, profit: Decimal, fee: Decimal) {
        self.fills += 1;
        self.fees += fee;
        self.balance += profit - fee;
    }
}

/// A row of the report's section `accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountRow {
    /// The executor's id.
    pub executor: String,
    /// The instrument, or `shared`.
    pub account: String,
    /// See [`Account::signals`].
    pub signals: u64,
    /// See [`Account::denied`].
    pub denied: u64,
    /// See [`Account::fills`].
    pub fills: u64,
    /// See [`Account::fees`]; always eight places.
    pub fees: String,
    /// See [`Account::balance`]; always eight places.
    pub final_balance: String,
    /// What is still held, such as `BTCUSDT -0.001`, or `flat`.
    pub open_position: String,
    /// See [`Account::unsent_closes`].
    pub unsent_closes: u64,
}

impl AccountRow {
    pub(crate) fn new(
        executor: &str,
        name: &str,
        account: &Account,
        open_position: String,
    ) -> Self {
        Self {
            executor: executor.to_owned(),
            account: name.to_owned(),
            signals: account.signals,
            denied: account.denied,
            fills: account.fills,
            fees: money::text(account.fees),
            final_balance: money::text(account.balance),
            open_position,
            unsent_closes: account.unsent_closes,
        }
    }
}
