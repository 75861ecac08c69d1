//! Sends a strategy's orders to its executor, one at a time, and receives the reports.

use hotbay_plugin_api::{ChannelName, Context, Port, Publisher, SchedulerError};

use crate::{Holding, Intent, Order, OrderReport, Outcome, Side, Ticket};

/// Sends a strategy's orders and awaits the executor's report of each.
///
/// With the input `reports` connected, [`place`](Self::place) returns when the
/// order's report has arrived: what the strategy does next depends on the result
/// of the order, never on how threads are scheduled. Unconnected, every order
/// counts as filled.
#[derive(Debug)]
pub struct Desk {
    context: Context,
    orders: Publisher,
    reports: Option<ChannelName>,
    last_id: u64,
}

impl Desk {
    /// The output that a strategy with a desk declares.
    pub const ORDERS: Port =
        Port::required("orders", "market orders for the executor").of::<Order>();
    /// The input that a strategy with a desk declares.
    pub const REPORTS: Port = Port::optional(
        "reports",
        "the executor's reports; when connected, each order awaits its own",
    )
    .of::<OrderReport>();

    /// Creates the desk of the component that `context` belongs to.
    ///
    /// # Errors
    /// If `orders` is not connected, or `reports` to several channels.
    pub fn new(context: Context) -> Result<Self, SchedulerError> {
        let orders = context.publisher("orders")?;
        let reports = match context.inputs("reports").as_slice() {
            [] => None,
            _ => Some(context.input("reports")?),
        };
        Ok(Self { context, orders, reports, last_id: 0 })
    }

    /// Returns the number of the last order, for the saved state; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Restores the number of the last order, so that the next one follows it.
    pub fn go_on_after(&mut self, last_id: u64) {
        self.last_id = last_id;
    }

    /// Places an order and updates the strategy's position.
    ///
    /// # Errors
    /// [`SchedulerError::EventSend`] if the order can't be sent, and
    /// [`SchedulerError::EventReceive`] if the reports end before this order's.
    pub async fn place(
        &mut self,
        time_ns: i64,
        ticket: Ticket,
        holding: &mut Holding,
    ) -> Result<(), SchedulerError> {
        let Ticket { side, intent, quantity, bid, ask } = ticket;
        let instrument = holding.instrument;
        self.last_id += 1;
        let (id, side, intent) = (self.last_id, side.code(), intent.code());
        let order = Order { id, instrument, side, intent, quantity, bid, ask };
        let signal = u64::from(ticket.intent == Intent::Signal);
        holding.signals += signal;
        if let Some(channel) = self.reports.clone() {
            let report = self.send_and_wait(time_ns, &order, &channel).await?;
            holding.position = report.position;
            if report.result() == Outcome::Denied {
                holding.denied += signal;
            }
            return Ok(());
        }
        self.orders.push(time_ns, &order);
        let change = match ticket.side {
            Side::Buy => Some(quantity),
            Side::Sell => quantity.checked_neg(),
        };
        let after = change.and_then(|change| holding.position.checked_add(change));
        holding.position = after.ok_or_else(|| {
            SchedulerError::TaskExecution(format!("the position in {instrument} is too large"))
        })?;
        Ok(())
    }

    /// Sends the orders that were placed without awaiting reports.
    ///
    /// # Errors
    /// [`SchedulerError::EventSend`] if the orders can't be sent.
    pub async fn flush(&mut self) -> Result<(), SchedulerError> {
        self.orders.flush().await
    }

    async fn send_and_wait(
        &mut self,
        time_ns: i64,
        order: &Order,
        channel: &ChannelName,
    ) -> Result<OrderReport, SchedulerError> {
        // Subscribed only while a report is expected: a strategy that doesn't read must not
        // block the executor, which other strategies use too.
        let mut reports = self.context.subscribe(channel)?;
        self.orders.send(time_ns, order).await?;
        let source = u64::from(self.context.source());
        while let Some(batch) = reports.recv().await {
            let own = batch
                .iter()
                .filter_map(|event| event.read::<OrderReport>())
                .find(|report| report.strategy == source && report.order == order.id);
            if let Some(report) = own {
                return Ok(report);
            }
        }
        Err(SchedulerError::EventReceive(format!(
            "channel {channel} ended before the report of order {}: the executor has stopped",
            order.id
        )))
    }
}
