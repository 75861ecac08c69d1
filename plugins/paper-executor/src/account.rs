//! The accounts of the executor, with their balances and counts of signals and fills.

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

/// The balance and the counts of one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The balance, including realized profit and fees.
    pub balance: Decimal,
    /// The sum of the fees paid.
    pub fees: Decimal,
    /// The number of signals received, filled or not.
    pub signals: u64,
    /// The number of signals denied.
    pub denied: u64,
    /// The number of fills, including those of closing orders.
    pub fills: u64,
    /// The number of closing orders at the end that were not sent because trading was halted.
    pub unsent_closes: u64,
}

impl Account {
    /// Creates an account that starts with this balance.
    pub fn new(balance: Decimal) -> Self {
        Self { balance, ..Self::default() }
    }

    /// Books a fill: adds the profit to the balance and deducts the fee.
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
    /// The instrument of the account, or `shared`.
    pub account: String,
    /// The number of signals received, see [`Account::signals`].
    pub signals: u64,
    /// The number of signals denied, see [`Account::denied`].
    pub denied: u64,
    /// The number of fills, see [`Account::fills`].
    pub fills: u64,
    /// The fees paid, see [`Account::fees`]; always with eight decimal places.
    pub fees: String,
    /// The balance at the end, see [`Account::balance`]; always with eight decimal places.
    pub final_balance: String,
    /// The open positions, such as `BTCUSDT -0.001`, or `flat`.
    pub open_position: String,
    /// The number of closing orders that were not sent, see [`Account::unsent_closes`].
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
