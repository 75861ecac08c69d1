//! A position, and the profit realized by closing it.

use hotbay_market::Side;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money;

/// The position of one strategy in one instrument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The quantity held; negative when short.
    quantity: Decimal,
    /// The mean price at which the position was opened; zero while flat.
    price: Decimal,
}

impl Position {
    /// The quantity held; negative when short.
    pub fn quantity(&self) -> Decimal {
        self.quantity
    }

    /// Adds a fill and returns the realized profit, which is zero if nothing was closed.
    ///
    /// A fill larger than an opposite position closes that and opens the rest.
    /// The profit is rounded to eight places, half to even. Returns `None`, and
    /// changes nothing, if a number overflows a decimal.
    pub fn fill(&mut self, side: Side, quantity: Decimal, price: Decimal) -> Option<Decimal> {
        let signed = match side {
            Side::Buy => quantity,
            Side::Sell => -quantity,
        };
        let after = self.quantity.checked_add(signed)?;
        let adds = self.quantity.is_zero()
            || self.quantity.is_sign_negative() == signed.is_sign_negative();
        if adds {
            let cost = self.quantity.checked_mul(self.price)?;
            let cost = cost.checked_add(signed.checked_mul(price)?)?;
            *self = Self { quantity: after, price: cost.checked_div(after)? };
            return Some(Decimal::ZERO);
        }
        let closed = self.quantity.abs().min(quantity);
        let gain = match side {
            Side::Sell => price - self.price,
            Side::Buy => self.price - price,
        };
        let profit = money::round(gain.checked_mul(closed)?);
        let turned = after.is_sign_negative() != self.quantity.is_sign_negative();
        let price = if after.is_zero() {
            Decimal::ZERO
        } else if turned {
            price
        } else {
            self.price
        };
        *self = Self { quantity: after, price };
        Some(profit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn fills(fills: &[(Side, &str, &str)]) -> (Position, Vec<Decimal>) {
        let mut position = Position::default();
        let profits = fills
            .iter()
            .map(|(side, quantity, price)| position.fill(*side, d(quantity), d(price)).unwrap())
            .collect();
        (position, profits)
    }

    #[test]
    fn a_round_trip_either_way_gains_the_difference() {
        let (position, profits) = fills(&[(Side::Buy, "2", "10"), (Side::Sell, "2", "11.5")]);
        assert_eq!((position, profits), (Position::default(), vec![Decimal::ZERO, d("3")]));
        let (position, profits) = fills(&[(Side::Sell, "2", "10"), (Side::Buy, "2", "11.5")]);
        assert_eq!((position, profits), (Position::default(), vec![Decimal::ZERO, d("-3")]));
    }

    #[test]
    fn several_fills_open_at_their_mean_price() {
        let (position, profits) =
            fills(&[(Side::Buy, "1", "10"), (Side::Buy, "3", "14"), (Side::Sell, "1", "20")]);
        assert_eq!(position, Position { quantity: d("3"), price: d("13") });
        assert_eq!(profits, [Decimal::ZERO, Decimal::ZERO, d("7")]);
    }

    #[test]
    fn a_fill_beyond_the_position_turns_it_at_the_fills_price() {
        let (position, profits) = fills(&[(Side::Buy, "1", "10"), (Side::Sell, "3", "12")]);
        assert_eq!(position, Position { quantity: d("-2"), price: d("12") });
        assert_eq!(profits, [Decimal::ZERO, d("2")]);
    }

    #[test]
    fn a_profit_is_rounded_half_to_even_at_eight_places() {
        let (_, profits) = fills(&[(Side::Buy, "0.5", "1"), (Side::Sell, "0.5", "1.00000001")]);
        assert_eq!(profits, [Decimal::ZERO, d("0.00000000")]);
        let (_, profits) = fills(&[(Side::Buy, "0.5", "1"), (Side::Sell, "0.5", "1.00000003")]);
        assert_eq!(profits, [Decimal::ZERO, d("0.00000002")]);
    }
}
