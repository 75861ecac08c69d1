//! The component `paper`, an executor that fills orders without an exchange.

mod state;

use std::path::PathBuf;

use hotbay_market::{Order, OrderReport};
use hotbay_plugin_api::{
    Batch, ChannelName, Component, Context, EventTask, Executor, Port, Publisher, SavedState,
    SchedulerError, async_trait,
};

use crate::{
    Paper,
    config::Config,
    fills::{Fill, FillsFile},
};

/// The executor `paper`, which simulates the filling of orders.
#[derive(Debug)]
pub struct PaperExecutor {
    context: Context,
    config: Config,
    input: ChannelName,
    reports: Option<Publisher>,
    paper: Paper,
    fills: Option<FillsFile>,
    /// The fills of the current turn, which are written to the file at its end.
    filled: Vec<Fill>,
    turn: Turn,
    /// The fills file of an earlier build, until this build is initialized.
    begun: Option<PathBuf>,
    ignored: u64,
    reported: bool,
}

/// How the fills of an unfinished turn are handled when the executor finishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Its fills count, because no state was saved since the previous turn.
    Counts,
    /// The state before it was saved: if the turn fails, another build repeats its events.
    Repeatable,
}

impl Component for PaperExecutor {
    type Config = Config;
    const INPUTS: &'static [Port] =
        &[Port::required("orders", "market orders of strategies").of::<Order>()];
    const OUTPUTS: &'static [Port] =
        &[Port::optional("reports", "what became of each order: filled or denied")
            .of::<OrderReport>()];
    const DESCRIPTION: &'static str =
        "Fills market orders on paper, with fees, profit and risk limits";

    fn check(config: &Config) -> Result<(), String> {
        config.check()
    }

    fn create(config: Config, context: Context) -> Result<Self, SchedulerError> {
        Ok(Self {
            input: context.input("orders")?,
            reports: context.optional_publisher("reports"),
            paper: config.paper(),
            fills: None,
            filled: Vec::new(),
            turn: Turn::Counts,
            begun: None,
            ignored: 0,
            reported: false,
            config,
            context,
        })
    }
}

#[async_trait]
impl EventTask<ChannelName, Batch> for PaperExecutor {
    fn subscribed_event(&self) -> &ChannelName {
        &self.input
    }

    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        let begun = self.begun.take();
        let open = |path: &PathBuf| match &begun {
            Some(begun) if begun == path => FillsFile::go_on(path),
            Some(_) | None => FillsFile::create(path),
        };
        self.fills = self.config.fills.as_ref().map(open).transpose()?;
        Ok(())
    }

    async fn handle_event(&mut self, batch: Batch) -> Result<(), SchedulerError> {
        for event in batch.iter() {
            let Some(order) = event.read::<Order>() else {
                self.ignored += 1;
                continue;
            };
            let strategy = u64::from(event.header().source);
            let decision = self.paper.order(event.time_ns(), strategy, &order);
            if self.fills.is_some() {
                self.filled.extend(decision.fill);
            }
            if let Some(reports) = &mut self.reports {
                reports.push(event.time_ns(), &decision.report);
            }
        }
        if let Some(reports) = &mut self.reports {
            reports.flush().await?;
        }
        self.write_fills()?;
        self.turn = Turn::Counts;
        Ok(())
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        self.finish()
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        self.saved().map(Some)
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        self.go_on_from(&state)
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.finish()
    }
}

impl Executor<ChannelName, Batch> for PaperExecutor {}

impl PaperExecutor {
    /// Adds the fills of the turn to the file.
    fn write_fills(&mut self) -> Result<(), SchedulerError> {
        let filled = self.filled.drain(..);
        self.fills.as_mut().map_or(Ok(()), |file| file.add(filled))
    }

    /// Reports, once, and writes the fills that are not in the file yet.
    fn finish(&mut self) -> Result<(), SchedulerError> {
        if !std::mem::replace(&mut self.reported, true) {
            for row in self.paper.rows(self.context.id()) {
                self.context.report("accounts", &row);
            }
            if self.ignored > 0 {
                tracing::warn!(events = self.ignored, "ignored what is no order");
            }
        }
        if self.turn == Turn::Repeatable {
            // The build that repeats the turn writes these fills.
            self.filled.clear();
        }
        self.write_fills()
    }
}

#[cfg(test)]
mod tests;
