//! A program that uses Hotbay without plugins, with a whole pipeline of tasks that are linked in.
//!
//! Two feeds publish prices, an aggregator merges them, a strategy trades the
//! average price, and an executor carries its signals out:
//!
//! ```text
//! cargo run -p hotbay --example embedded
//! ```

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::time::Duration;

use async_trait::async_trait;
use hotbay::{
    Aggregator, BackgroundTask, ChannelConfig, ComponentOptions, Connector, EventBus,
    EventReceiver, EventSender, EventTask, Executor, SchedulerError, Strategy,
    TradingEngineBuilder, TradingEngineError,
};

/// The channels of this program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Event {
    /// A source and its price, from the connectors to the aggregator.
    MarketDataUpdate,
    /// The average price, from the aggregator to the strategies.
    MergedUpdate,
    /// What to do at which price, from the strategies to the executors.
    TradeSignal,
    /// Asks the program to end.
    Shutdown,
}

/// Publishes a price every few milliseconds, as an exchange would.
struct Feed {
    name: &'static str,
    period: Duration,
    step: u32,
    out: EventSender<Event>,
}

#[async_trait]
impl BackgroundTask for Feed {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        tokio::time::sleep(self.period).await;
        self.step += 1;
        // A wave between 90 and 110.
        let price = 100.0 + 10.0 * (f64::from(self.step) / 8.0).sin();
        self.out.send(format!("{} {price:.2}", self.name)).await
    }
}
impl Connector for Feed {}

/// Averages the last prices of all sources. It reads its own receiver and owns its turn:
/// one turn is one price.
struct Average {
    input: EventReceiver<Event>,
    last: Vec<(String, f64)>,
    out: EventSender<Event>,
}

#[async_trait]
impl BackgroundTask for Average {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        // The connectors have stopped and all of their prices were merged.
        let Some(update) = self.input.recv().await else { return Err(SchedulerError::Finished) };
        let (source, price) = update.split_once(' ').unwrap_or_default();
        let price = number(price)?;
        match self.last.iter_mut().find(|(name, _)| *name == source) {
            Some((_, last)) => *last = price,
            None => self.last.push((source.to_owned(), price)),
        }
        let sum: f64 = self.last.iter().map(|(_, price)| price).sum();
        let sources = u32::try_from(self.last.len()).map_err(SchedulerError::execution)?;
        self.out.send(format!("{:.2}", sum / f64::from(sources))).await
    }
}
impl Aggregator for Average {}

/// Buys when the average is low, sells when it is high, and holds one lot at the most.
struct LowAndHigh {
    position: Position,
    out: EventSender<Event>,
}

enum Position {
    Flat,
    Long,
}

#[async_trait]
impl EventTask<Event> for LowAndHigh {
    fn subscribed_event(&self) -> &Event {
        &Event::MergedUpdate
    }

    async fn handle_event(&mut self, event: String) -> Result<(), SchedulerError> {
        let price = number(&event)?;
        match self.position {
            Position::Flat if price < 95.0 => {
                self.position = Position::Long;
                self.out.send(format!("buy at {price:.2}")).await
            }
            Position::Long if price > 105.0 => {
                self.position = Position::Flat;
                self.out.send(format!("sell at {price:.2}")).await
            }
            Position::Flat | Position::Long => Ok(()),
        }
    }
}
impl Strategy<Event> for LowAndHigh {}

/// Prints orders instead of sending them, and asks to stop after a few.
struct Paper {
    orders: u32,
    enough: u32,
    stop: EventSender<Event>,
}

#[async_trait]
impl EventTask<Event> for Paper {
    fn subscribed_event(&self) -> &Event {
        &Event::TradeSignal
    }

    async fn handle_event(&mut self, event: String) -> Result<(), SchedulerError> {
        self.orders += 1;
        println!("order {}: {event}", self.orders);
        if self.orders == self.enough {
            self.stop.send("enough orders".to_owned()).await?;
        }
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        println!("paper executor: {} orders in all", self.orders);
        Ok(())
    }
}
impl Executor<Event> for Paper {}

fn number(text: &str) -> Result<f64, SchedulerError> {
    text.parse().map_err(SchedulerError::execution)
}

#[tokio::main]
async fn main() -> Result<(), TradingEngineError> {
    let bus = EventBus::new(vec![
        (Event::MarketDataUpdate, ChannelConfig::new(1000, "prices of each source")),
        (Event::MergedUpdate, ChannelConfig::new(1000, "average prices")),
        (Event::TradeSignal, ChannelConfig::new(100, "what to do")),
        (Event::Shutdown, ChannelConfig::new(10, "why to stop")),
    ]);

    // What a component publishes is declared, so that the end of the data flows on.
    let publishes = |event| ComponentOptions::default().with_outputs([event]);
    let feed = |name, milliseconds| -> Result<Feed, SchedulerError> {
        let out = bus.clone_sender(&Event::MarketDataUpdate)?;
        Ok(Feed { name, period: Duration::from_millis(milliseconds), step: 0, out })
    };
    let average = Average {
        input: bus.subscribe(&Event::MarketDataUpdate)?,
        last: Vec::new(),
        out: bus.clone_sender(&Event::MergedUpdate)?,
    };
    let out = bus.clone_sender(&Event::TradeSignal)?;
    let strategy = LowAndHigh { position: Position::Flat, out };
    let paper = Paper { orders: 0, enough: 4, stop: bus.clone_sender(&Event::Shutdown)? };

    let engine = TradingEngineBuilder::new(bus.clone())
        .with_connector_as(publishes(Event::MarketDataUpdate).with_id("north"), feed("north", 5)?)
        .with_connector_as(publishes(Event::MarketDataUpdate).with_id("south"), feed("south", 7)?)
        .with_aggregator_as(publishes(Event::MergedUpdate), average)
        .with_strategy_as(publishes(Event::TradeSignal), strategy)
        .with_executor_as(ComponentOptions::default(), paper)
        .build()?;

    let mut stop = bus.subscribe(&Event::Shutdown)?;
    engine.start().await?;
    match tokio::time::timeout(Duration::from_secs(2), stop.recv()).await {
        Ok(reason) => println!("stopping: {}", reason.unwrap_or_default()),
        Err(_) => println!("stopping: two seconds are over"),
    }
    drop(stop);
    engine.shutdown().await?;

    for (component, status) in engine.statuses() {
        println!("{component}: {status}");
    }
    for (event, _) in bus.channels() {
        let stats = bus.stats(&event)?;
        let (published, delivered, dropped) = (stats.published, stats.delivered, stats.dropped());
        println!("{event:?}: {published} published, {delivered} delivered, {dropped} dropped");
    }
    Ok(())
}
