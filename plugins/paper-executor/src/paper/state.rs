//! What the next build goes on with.

use hotbay_market::Instrument;
use serde::{Deserialize, Serialize};

use super::{Books, Paper};
use crate::{account::Account, position::Position};

/// Money, positions, and what was sent within the window of the limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaperState {
    accounts: BooksState,
    positions: Vec<(u64, Instrument, Position)>,
    sent: Vec<(u64, Vec<i64>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BooksState {
    Shared(Account),
    PerInstrument(Vec<(Instrument, Account)>),
}

impl Paper {
    /// What it has come to.
    pub fn state(&self) -> PaperState {
        let accounts = match &self.accounts {
            Books::Shared(account) => BooksState::Shared(*account),
            Books::PerInstrument(accounts) => {
                BooksState::PerInstrument(accounts.iter().map(|(it, one)| (*it, *one)).collect())
            }
        };
        let positions = self.positions.iter();
        let positions = positions.map(|((strategy, of), position)| (*strategy, *of, *position));
        PaperState { accounts, positions: positions.collect(), sent: self.limits.sent() }
    }

    /// Goes on where the build before was; `false`, and nothing has changed, if its accounts
    /// were shared in another way.
    #[must_use]
    pub fn resume(&mut self, state: PaperState) -> bool {
        match (&mut self.accounts, state.accounts) {
            (Books::Shared(account), BooksState::Shared(saved)) => *account = saved,
            (Books::PerInstrument(accounts), BooksState::PerInstrument(saved)) => {
                *accounts = saved.into_iter().collect();
            }
            (Books::Shared(_), BooksState::PerInstrument(_))
            | (Books::PerInstrument(_), BooksState::Shared(_)) => return false,
        }
        let positions = state.positions.into_iter();
        self.positions = positions.map(|(strategy, of, it)| ((strategy, of), it)).collect();
        self.limits.resume(state.sent);
        true
    }
}
