//! A simulated exchange, which turns orders into reports and fills. It does no I/O.

mod deal;
mod state;

use std::collections::{BTreeMap, HashMap};

use hotbay_market::{DenyReason, Fixed, Instrument, Intent, Order, OrderReport, Side};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use state::PaperState;

use deal::Deal;

use crate::{
    account::{Account, AccountRow, Accounts},
    fills::Fill,
    limits::Limits,
    position::Position,
};

/// Fills market orders at the quote that they carry.
///
/// Buys pay the ask, sells take the bid, in full; liquidity is not consumed.
/// Prices are quoted in the account's money for one unit of quantity (linear
/// instruments, not inverse contracts).
#[derive(Debug)]
pub struct Paper {
    balance: Decimal,
    fee_rate: Decimal,
    limits: Limits,
    accounts: Books,
    /// The position of each strategy in each instrument.
    positions: HashMap<(u64, Instrument), Position>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Books {
    Shared(Account),
    PerInstrument(BTreeMap<Instrument, Account>),
}

/// The result of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The report for the strategy.
    pub report: OrderReport,
    /// The fill, unless it was denied.
    pub fill: Option<Fill>,
}

impl Paper {
    /// Creates accounts that start with `balance` and pay `fee_rate` of every fill's notional.
    pub fn new(balance: Fixed, fee_rate: Fixed, accounts: Accounts, limits: Limits) -> Self {
        let balance = balance.to_decimal();
        let accounts = match accounts {
            Accounts::Shared => Books::Shared(Account::new(balance)),
            Accounts::PerInstrument => Books::PerInstrument(BTreeMap::new()),
        };
        let fee_rate = fee_rate.to_decimal();
        Self { balance, fee_rate, limits, accounts, positions: HashMap::new() }
    }

    /// Fills or denies an order that a strategy placed at this event time.
    pub fn order(&mut self, time_ns: i64, strategy: u64, order: &Order) -> Decision {
        let signal = Intent::from_code(order.intent) == Intent::Signal;
        self.account(order.instrument).signals += u64::from(signal);
        let place = (strategy, order.instrument);
        let before = self.positions.get(&place).copied().unwrap_or_default();
        let deal = Deal::new(order, self.fee_rate, before).and_then(|deal| {
            if signal {
                self.limits.pass(time_ns, strategy, deal.notional)?;
            } else if self.limits.halted(time_ns) {
                return Err(DenyReason::Halted);
            }
            Ok(deal)
        });
        match deal {
            Ok(deal) => {
                self.positions.insert(place, deal.after);
                self.filled(time_ns, strategy, order, deal)
            }
            Err(reason) => self.denied(strategy, order, before, reason),
        }
    }

    fn filled(&mut self, time_ns: i64, strategy: u64, order: &Order, deal: Deal) -> Decision {
        let account = self.account(order.instrument);
        account.book(deal.profit, deal.fee);
        let fill = Fill {
            time_ns,
            strategy,
            order: order.id,
            instrument: order.instrument,
            side: Side::from_code(order.side),
            quantity: order.quantity,
            price: deal.price,
            fee: deal.fee,
            profit: deal.profit,
            position: deal.position,
            balance: account.balance,
        };
        let report = report(strategy, order, 0, deal.price, deal.position);
        Decision { report, fill: Some(fill) }
    }

    fn denied(
        &mut self,
        strategy: u64,
        order: &Order,
        position: Position,
        reason: DenyReason,
    ) -> Decision {
        let account = self.account(order.instrument);
        match Intent::from_code(order.intent) {
            Intent::Signal => account.denied += 1,
            Intent::CloseAtEnd => account.unsent_closes += 1,
        }
        // The quantity was computed from `Fixed` numbers, so it fits.
        let held = Fixed::try_from(position.quantity()).unwrap_or_default();
        Decision { report: report(strategy, order, reason.code(), Fixed::ZERO, held), fill: None }
    }

    /// Returns a row for each account, in the order of their names.
    pub fn rows(&self, executor: &str) -> Vec<AccountRow> {
        match &self.accounts {
            Books::Shared(account) => {
                vec![AccountRow::new(executor, "shared", account, self.open_positions(|_| true))]
            }
            Books::PerInstrument(accounts) => accounts
                .iter()
                .map(|(instrument, account)| {
                    let open = self.open_positions(|other| other == instrument);
                    AccountRow::new(executor, instrument.as_str(), account, open)
                })
                .collect(),
        }
    }

    fn open_positions(&self, of: impl Fn(&Instrument) -> bool) -> String {
        let mut sums: BTreeMap<Instrument, Decimal> = BTreeMap::new();
        for ((_, instrument), position) in self.positions.iter().filter(|((_, it), _)| of(it)) {
            *sums.entry(*instrument).or_default() += position.quantity();
        }
        sums.retain(|_, quantity| !quantity.is_zero());
        let open: Vec<_> = sums
            .iter()
            .map(|(instrument, sum)| format!("{instrument} {}", sum.normalize()))
            .collect();
        if open.is_empty() { "flat".to_owned() } else { open.join(", ") }
    }

    fn account(&mut self, instrument: Instrument) -> &mut Account {
        match &mut self.accounts {
            Books::Shared(account) => account,
            Books::PerInstrument(accounts) => {
                accounts.entry(instrument).or_insert_with(|| Account::new(self.balance))
            }
        }
    }
}

fn report(
    strategy: u64,
    order: &Order,
    outcome: u64,
    price: Fixed,
    position: Fixed,
) -> OrderReport {
    let Order { id, instrument, .. } = *order;
    OrderReport { order: id, strategy, instrument, outcome, price, position }
}

#[cfg(test)]
mod tests;
