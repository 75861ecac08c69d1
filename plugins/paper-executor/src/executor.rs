//! The component `paper`.

use hotbay_market::Order;
use hotbay_plugin_api::{
    Batch, ChannelName, Component, Context, EventTask, Executor, Port, Publisher, SavedState,
    SchedulerError, async_trait,
};

use serde::{Deserialize, Serialize};

use crate::{Paper, PaperState, config::Config, fills::FillsFile};

/// Fills orders on paper.
#[derive(Debug)]
pub struct PaperExecutor {
    context: Context,
    config: Config,
    input: ChannelName,
    reports: Option<Publisher>,
    paper: Paper,
    fills: Option<FillsFile>,
    ignored: u64,
    reported: bool,
    /// Whether it goes on where another build was.
    resumed: bool,
}

/// Raise it when [`State`] changes.
const STATE_VERSION: u32 = 1;

/// What the next build goes on with.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    paper: PaperState,
    ignored: u64,
}

impl Component for PaperExecutor {
    type Config = Config;
    const INPUTS: &'static [Port] = &[Port::required("orders", "market orders of strategies")];
    const OUTPUTS: &'static [Port] =
        &[Port::optional("reports", "what became of each order: filled or denied")];
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
            ignored: 0,
            reported: false,
            resumed: false,
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
        let open = if self.resumed { FillsFile::resume } else { FillsFile::create };
        self.fills = self.config.fills.as_deref().map(open).transpose()?;
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
            if let (Some(file), Some(fill)) = (&mut self.fills, &decision.fill) {
                file.add(fill)?;
            }
            if let Some(reports) = &mut self.reports {
                reports.push(event.time_ns(), &decision.report);
            }
        }
        match &mut self.reports {
            Some(reports) => reports.flush().await,
            None => Ok(()),
        }
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        self.finish()
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        // What stands in the file belongs to the state: the next build writes behind it.
        self.fills.as_mut().map_or(Ok(()), FillsFile::flush)?;
        let state = State { paper: self.paper.state(), ignored: self.ignored };
        SavedState::json(STATE_VERSION, &state).map(Some)
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        let State { paper, ignored } = state.read_json(STATE_VERSION)?;
        if !self.paper.resume(paper) {
            let text = "its `accounts` were shared in another way; change that back, or say \
                        `state: discard`";
            return Err(SchedulerError::State(text.to_owned()));
        }
        (self.ignored, self.resumed) = (ignored, true);
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.finish()
    }
}

impl Executor<ChannelName, Batch> for PaperExecutor {}

impl PaperExecutor {
    /// Reports, once, and completes the fills file.
    fn finish(&mut self) -> Result<(), SchedulerError> {
        if !std::mem::replace(&mut self.reported, true) {
            for row in self.paper.rows(self.context.id()) {
                self.context.report("accounts", &row);
            }
            if self.ignored > 0 {
                tracing::warn!(events = self.ignored, "ignored what is no order");
            }
        }
        self.fills.as_mut().map_or(Ok(()), FillsFile::flush)
    }
}

#[cfg(test)]
mod tests;
