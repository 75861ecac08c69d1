//! Computes the fill of an order.

use hotbay_market::{DenyReason, Fixed, Order, Side};
use rust_decimal::Decimal;

use crate::{money, position::Position};

/// The computed fill of an order, before it is booked.
pub(super) struct Deal {
    pub(super) price: Fixed,
    pub(super) notional: Decimal,
    pub(super) fee: Decimal,
    pub(super) profit: Decimal,
    pub(super) after: Position,
    pub(super) position: Fixed,
}

impl Deal {
    /// Fails if the order has no price or quantity, if its bid is above its ask, or if its
    /// numbers overflow a decimal.
    pub(super) fn new(
        order: &Order,
        fee_rate: Decimal,
        position: Position,
    ) -> Result<Self, DenyReason> {
        let side = Side::from_code(order.side);
        let price = match side {
            Side::Buy => order.ask,
            Side::Sell => order.bid,
        };
        let is_crossed = order.ask.is_positive() && order.bid > order.ask;
        if !price.is_positive() || !order.quantity.is_positive() || is_crossed {
            return Err(DenyReason::Invalid);
        }
        Self::compute(side, price, order.quantity.to_decimal(), fee_rate, position)
            .ok_or(DenyReason::Invalid)
    }

    fn compute(
        side: Side,
        price: Fixed,
        quantity: Decimal,
        fee_rate: Decimal,
        mut after: Position,
    ) -> Option<Self> {
        let exact = price.to_decimal();
        let notional = exact.checked_mul(quantity)?;
        let fee = money::round(notional.checked_mul(fee_rate)?);
        let profit = after.fill(side, quantity, exact)?;
        let position = Fixed::try_from(after.quantity().normalize()).ok()?;
        Some(Self { price, notional, fee, profit, after, position })
    }
}
