//! The saved state of accounts and positions that the next build continues from.

use hotbay_market::Instrument;
use hotbay_plugin_api::SchedulerError;
use serde::{Deserialize, Serialize};

use super::{Books, Paper};
use crate::{limits::Sent, position::Position};

/// The part of a [`Paper`] that orders change; fees and limits come from the configuration.
///
/// Decimals are serialized as text, with all their places.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PaperState {
    accounts: Books,
    // A list of pairs, because a JSON object can't have such keys.
    positions: Vec<((u64, Instrument), Position)>,
    sent: Sent,
}

impl Paper {
    /// Returns the state to save.
    pub fn state(&self) -> PaperState {
        PaperState {
            accounts: self.accounts.clone(),
            positions: self.positions.iter().map(|(place, held)| (*place, *held)).collect(),
            sent: self.limits.sent().clone(),
        }
    }

    /// Restores a saved state.
    ///
    /// # Errors
    /// [`SchedulerError::State`] if the state's accounts are shared in another way than
    /// configured, because one can't be converted into the other. Then nothing has changed.
    pub fn go_on_from(&mut self, state: PaperState) -> Result<(), SchedulerError> {
        let alike = matches!(
            (&self.accounts, &state.accounts),
            (Books::Shared(_), Books::Shared(_))
                | (Books::PerInstrument(_), Books::PerInstrument(_))
        );
        if !alike {
            let text = "its `accounts` are not shared as configured here";
            return Err(SchedulerError::State(text.to_owned()));
        }
        self.accounts = state.accounts;
        self.positions = state.positions.into_iter().collect();
        self.limits.go_on_from(state.sent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    #[test]
    fn a_decimal_keeps_every_digit_and_place_in_a_state() {
        for text in
            ["79228162514264337593543950335", "7.9228162514264337593543950335", "-0.30", "0"]
        {
            let exact = Decimal::from_str_exact(text).unwrap();
            let json = serde_json::to_string(&exact).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            let back: Decimal = serde_json::from_str(&json).unwrap();
            assert_eq!((back.mantissa(), back.scale()), (exact.mantissa(), exact.scale()));
        }
    }
}
