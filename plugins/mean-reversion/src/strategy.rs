//! The component `mean-reversion`, a strategy that trades one venue against the mean of several.

mod state;

use hotbay_market::{Desk, FairValue, Fixed, Holding, Instrument, Intent, Ticket};
use hotbay_plugin_api::{
    Batch, ChannelName, Component, Context, EventTask, JsonSchema, Port, SavedState,
    SchedulerError, Strategy, async_trait,
};
use serde::Deserialize;

use crate::Reversion;

/// What to trade, and when.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Only fair values of this instrument; by default those of the first that comes.
    #[serde(default)]
    pub instrument: Option<Instrument>,
    /// How much to trade; above zero.
    pub quantity: Fixed,
    /// The distance from fair at which a position is opened; above zero.
    pub theta: f64,
    /// The span of the average; at least 1.
    #[serde(default = "thousand::<u32>")]
    pub span: u32,
    /// The number of the first fair value to act upon.
    #[serde(default = "thousand::<u64>")]
    pub warmup: u64,
}

fn thousand<T: From<u16>>() -> T {
    T::from(1_000)
}

/// Trades the distance of one venue from the fair value of several.
#[derive(Debug)]
pub struct MeanReversion {
    context: Context,
    input: ChannelName,
    desk: Desk,
    /// The configured instrument.
    instrument: Option<Instrument>,
    quantity: Fixed,
    reversion: Reversion,
    holding: Option<Holding>,
    last: Option<(i64, FairValue)>,
    ignored: u64,
    reported: bool,
}

impl Component for MeanReversion {
    type Config = Config;
    const INPUTS: &'static [Port] = &[
        Port::required("fair", "fair values of the traded instrument").of::<FairValue>(),
        Desk::REPORTS,
    ];
    const OUTPUTS: &'static [Port] = &[Desk::ORDERS];
    const DESCRIPTION: &'static str =
        "Trades the distance of one venue from the fair value of several";

    fn check(config: &Config) -> Result<(), String> {
        if !config.quantity.is_positive() {
            return Err(format!("quantity is {}; expected more than zero", config.quantity));
        }
        if !config.theta.is_finite() || config.theta <= 0.0 {
            return Err(format!("theta is {}; expected more than zero", config.theta));
        }
        if config.span == 0 {
            return Err("span is 0; expected at least 1".to_owned());
        }
        Ok(())
    }

    fn create(config: Config, context: Context) -> Result<Self, SchedulerError> {
        Ok(Self {
            input: context.input("fair")?,
            desk: Desk::new(context.clone())?,
            instrument: config.instrument,
            quantity: config.quantity,
            reversion: Reversion::new(config.theta, config.span, config.warmup),
            holding: config.instrument.map(Holding::new),
            last: None,
            ignored: 0,
            reported: false,
            context,
        })
    }
}

#[async_trait]
impl EventTask<ChannelName, Batch> for MeanReversion {
    fn subscribed_event(&self) -> &ChannelName {
        &self.input
    }

    async fn handle_event(&mut self, batch: Batch) -> Result<(), SchedulerError> {
        for event in batch.iter() {
            let Some(value) = event.read::<FairValue>() else {
                self.ignored += 1;
                continue;
            };
            let Some(ticket) = self.update(event.time_ns(), value) else { continue };
            if let Some(holding) = &mut self.holding {
                self.desk.place(event.time_ns(), ticket, holding).await?;
            }
        }
        self.desk.flush().await
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        if let (Some((time_ns, value)), Some(holding)) = (self.last, &mut self.holding)
            && let Some(ticket) = holding.close_at_end(value.bid, value.ask)
        {
            self.desk.place(time_ns, ticket, holding).await?;
            self.desk.flush().await?;
        }
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

impl Strategy<ChannelName, Batch> for MeanReversion {}

impl MeanReversion {
    fn update(&mut self, time_ns: i64, value: FairValue) -> Option<Ticket> {
        let holding = self.holding.get_or_insert_with(|| Holding::new(value.instrument));
        // A NaN or infinite value would never leave the average again.
        if holding.instrument != value.instrument || !(value.mid - value.fair).is_finite() {
            self.ignored += 1;
            return None;
        }
        self.last = Some((time_ns, value));
        let side = self.reversion.update(value.mid, value.fair, holding.stance())?;
        let FairValue { bid, ask, .. } = value;
        Some(Ticket { side, intent: Intent::Signal, quantity: self.quantity, bid, ask })
    }

    fn report(&mut self) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        if self.ignored > 0 {
            tracing::warn!(
                events = self.ignored,
                "ignored what is no fair value of the instrument"
            );
        }
        if let Some(holding) = &self.holding {
            holding.report(&self.context, self.reversion.updates());
        }
    }
}

#[cfg(test)]
mod tests;
