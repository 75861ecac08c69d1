//! The component `ema-cross`, a strategy that trades when two averages cross.

mod state;

use std::collections::BTreeMap;

use crate::{Config, Cross, Trend};
use hotbay_market::{Bar, Desk, Fixed, Holding, Instrument, Intent, Quote, Side, Ticket};
use hotbay_plugin_api::{
    Batch, ChannelName, Component, Context, EventTask, Port, SavedState, SchedulerError, Strategy,
    async_trait,
};

/// Trades the crossing of two moving averages of bars, for each instrument separately.
#[derive(Debug)]
pub struct EmaCross {
    context: Context,
    input: ChannelName,
    desk: Desk,
    lines: BTreeMap<Instrument, Line>,
    last_ns: i64,
    ignored: u64,
    reported: bool,
}

#[derive(Debug)]
struct Line {
    quantity: Fixed,
    cross: Cross,
    holding: Holding,
    bid: Fixed,
    ask: Fixed,
}

impl Component for EmaCross {
    type Config = Config;
    const INPUTS: &'static [Port] = &[
        Port::required("bars", "bars of trades, and at the end the last quotes")
            .of::<(Bar, Quote)>(),
        Desk::REPORTS,
    ];
    const OUTPUTS: &'static [Port] = &[Desk::ORDERS];
    const DESCRIPTION: &'static str = "Trades the crossing of two moving averages of bars";

    fn check(config: &Config) -> Result<(), String> {
        config.check()
    }

    fn create(config: Config, context: Context) -> Result<Self, SchedulerError> {
        let line = |(instrument, quantity)| {
            let cross = Cross::new(config.fast, config.slow, config.warmup);
            let holding = Holding::new(instrument);
            (instrument, Line { quantity, cross, holding, bid: Fixed::ZERO, ask: Fixed::ZERO })
        };
        Ok(Self {
            input: context.input("bars")?,
            desk: Desk::new(context.clone())?,
            lines: config.instruments.into_iter().map(line).collect(),
            last_ns: 0,
            ignored: 0,
            reported: false,
            context,
        })
    }
}

#[async_trait]
impl EventTask<ChannelName, Batch> for EmaCross {
    fn subscribed_event(&self) -> &ChannelName {
        &self.input
    }

    async fn handle_event(&mut self, batch: Batch) -> Result<(), SchedulerError> {
        for event in batch.iter() {
            self.last_ns = event.time_ns();
            if let Some(bar) = event.read::<Bar>() {
                self.bar(event.time_ns(), &bar).await?;
            } else if let Some(quote) = event.read::<Quote>() {
                self.quote(&quote);
            } else {
                self.ignored += 1;
            }
        }
        self.desk.flush().await
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        for line in self.lines.values_mut() {
            if let Some(ticket) = line.holding.close_at_end(line.bid, line.ask) {
                self.desk.place(self.last_ns, ticket, &mut line.holding).await?;
            }
        }
        self.desk.flush().await?;
        self.report();
        Ok(())
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        self.saved().map(Some)
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        self.go_on_from(&state)
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.report();
        Ok(())
    }
}

impl Strategy<ChannelName, Batch> for EmaCross {}

impl EmaCross {
    async fn bar(&mut self, time_ns: i64, bar: &Bar) -> Result<(), SchedulerError> {
        let Some(line) = self.lines.get_mut(&bar.instrument) else {
            self.ignored += 1;
            return Ok(());
        };
        (line.bid, line.ask) = (bar.bid, bar.ask);
        // Nothing is traded while the book has no two sides; the averages are updated either way.
        let is_two_sided = bar.bid.is_positive() && bar.bid <= bar.ask;
        let Some(trend) = line.cross.update(bar).filter(|_| is_two_sided) else {
            return Ok(());
        };
        if let Some(ticket) = line.close(trend) {
            self.desk.place(time_ns, ticket, &mut line.holding).await?;
        }
        if let Some(ticket) = line.open(trend) {
            self.desk.place(time_ns, ticket, &mut line.holding).await?;
        }
        Ok(())
    }

    fn quote(&mut self, quote: &Quote) {
        match self.lines.get_mut(&quote.instrument) {
            Some(line) => (line.bid, line.ask) = (quote.bid, quote.ask),
            None => self.ignored += 1,
        }
    }

    fn report(&mut self) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        if self.ignored > 0 {
            tracing::info!(events = self.ignored, "ignored events of other instruments or kinds");
        }
        for line in self.lines.values() {
            line.holding.report(&self.context, line.cross.bars());
        }
    }
}

impl Line {
    fn close(&self, trend: Trend) -> Option<Ticket> {
        trend.close(self.holding.position).map(|order| self.ticket(order))
    }

    fn open(&self, trend: Trend) -> Option<Ticket> {
        trend.open(self.holding.position, self.quantity).map(|order| self.ticket(order))
    }

    fn ticket(&self, (side, quantity): (Side, Fixed)) -> Ticket {
        Ticket { side, intent: Intent::Signal, quantity, bid: self.bid, ask: self.ask }
    }
}

#[cfg(test)]
mod tests;
