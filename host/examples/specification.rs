//! The Rust shapes of the documents that Hotbay was specified with, as they are written
//! there: the bus, the scheduler and the engine, without names, options or plugins.
//!
//! ```text
//! cargo run -p hotbay --example specification
//! ```
//!
//! Where the documents contradict themselves, a comment says which side this is.

#![expect(clippy::print_stdout, reason = "an example tells what it does")]
#![expect(unused_mut, reason = "the documents' methods take `&mut self`, these take `&self`")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hotbay::{
    Aggregator, BackgroundTask, ChannelConfig, Connector, EventBus, EventSender, EventTask,
    ExecutionStatus, Executor, Scheduler, SchedulerError, Strategy, TaskId, TradingEngineBuilder,
    TradingEngineError,
};
use tokio::sync::Mutex;

// --- The task orchestrator (first document) ---

#[derive(Debug, Clone, Hash, PartialEq, Eq)]
enum TestEvent {
    Greeting,
}

struct BackgroundProcessor {
    name: String,
    status: Arc<Mutex<ExecutionStatus>>,
}

#[async_trait]
impl BackgroundTask for BackgroundProcessor {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        *self.status.lock().await = ExecutionStatus::Running;
        println!("{} works", self.name);
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

struct EventProcessor {
    event: TestEvent,
    received_events: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl EventTask<TestEvent> for EventProcessor {
    fn subscribed_event(&self) -> &TestEvent {
        &self.event
    }

    async fn handle_event(&mut self, event: String) -> Result<(), SchedulerError> {
        self.received_events.lock().await.push(event);
        Ok(())
    }
}

async fn orchestrator() -> Result<(), SchedulerError> {
    let event_bus = EventBus::new(vec![(
        TestEvent::Greeting,
        ChannelConfig { capacity: 16, description: "greetings".to_string() },
    )]);
    let mut scheduler = Scheduler::new(event_bus.clone());

    let status = Arc::new(Mutex::new(ExecutionStatus::Registered));
    let received_events = Arc::new(Mutex::new(Vec::new()));
    let background: Arc<Mutex<dyn BackgroundTask>> = Arc::new(Mutex::new(BackgroundProcessor {
        name: "processor".to_string(),
        status: status.clone(),
    }));
    let event = Arc::new(Mutex::new(EventProcessor {
        event: TestEvent::Greeting,
        received_events: received_events.clone(),
    }));
    let background_id: TaskId = scheduler.register_background_task(background);
    let event_id: TaskId = scheduler.register_event_task(event);

    // `clone_sender` and `subscribe` say so if an event was never declared. The documents
    // don't show what they return.
    let sender: EventSender<TestEvent> = event_bus.clone_sender(&TestEvent::Greeting)?;
    let mut receiver = event_bus.subscribe(&TestEvent::Greeting)?;

    scheduler.start().await?;
    sender.send("hello".to_string()).await?;
    println!("received: {:?}", receiver.recv().await);
    drop(receiver);
    scheduler.shutdown().await?;

    println!("{event_id} received: {:?}", received_events.lock().await);
    println!("{background_id} was {}", status.lock().await);
    Ok(())
}

// --- The trading engine (second document) ---

#[derive(Debug, Clone, Hash, PartialEq, Eq)]
enum TradingEvent {
    MarketDataUpdate,
    TradeSignal,
    Shutdown,
}

struct MyConnector;

impl MyConnector {
    fn new() -> Self {
        Self
    }

    async fn acquire(&mut self) -> Result<(), TradingEngineError> {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

#[async_trait]
impl BackgroundTask for MyConnector {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        // `?` converts between the two errors, in both directions.
        self.acquire().await?;
        Ok(())
    }
}

// The documents declare `trait Connector: BackgroundTask {}`, empty, and then implement it
// with an `execute` of its own that has the other error. An empty trait has no method to
// implement, so the declaration holds; the `execute` is the one of `BackgroundTask` above.
impl Connector for MyConnector {}

struct MyAggregator;

impl MyAggregator {
    fn new() -> Self {
        Self
    }
}

#[async_trait]
impl BackgroundTask for MyAggregator {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

impl Aggregator for MyAggregator {}

struct MyStrategy;

impl MyStrategy {
    fn new() -> Self {
        Self
    }

    async fn decide(&mut self, event: &str) -> Result<(), TradingEngineError> {
        println!("the strategy saw: {event}");
        Ok(())
    }
}

#[async_trait]
impl EventTask<TradingEvent> for MyStrategy {
    fn subscribed_event(&self) -> &TradingEvent {
        &TradingEvent::MarketDataUpdate
    }

    async fn handle_event(&mut self, event: String) -> Result<(), SchedulerError> {
        self.decide(&event).await?;
        Ok(())
    }
}

// As with `Connector`: the documents' `handle_event` with the other error is `decide` above.
impl Strategy<TradingEvent> for MyStrategy {}

struct MyExecutor;

impl MyExecutor {
    fn new() -> Self {
        Self
    }
}

#[async_trait]
impl EventTask<TradingEvent> for MyExecutor {
    fn subscribed_event(&self) -> &TradingEvent {
        &TradingEvent::TradeSignal
    }

    async fn handle_event(&mut self, event: String) -> Result<(), SchedulerError> {
        println!("the executor saw: {event}");
        Ok(())
    }
}

impl Executor<TradingEvent> for MyExecutor {}

async fn trading_engine() -> Result<(), TradingEngineError> {
    let event_bus = EventBus::new(vec![
        (
            TradingEvent::MarketDataUpdate,
            ChannelConfig {
                capacity: 1000, description: "Canal de données de marché".to_string()
            },
        ),
        (
            TradingEvent::TradeSignal,
            ChannelConfig { capacity: 100, description: "Canal de signaux de trading".to_string() },
        ),
        (
            TradingEvent::Shutdown,
            ChannelConfig { capacity: 10, description: "Canal d'arrêt".to_string() },
        ),
    ]);
    let market = event_bus.clone_sender(&TradingEvent::MarketDataUpdate)?;
    let signals = event_bus.clone_sender(&TradingEvent::TradeSignal)?;

    let connector = Arc::new(Mutex::new(MyConnector::new()));
    let aggregator = Arc::new(Mutex::new(MyAggregator::new()));
    let strategy = Arc::new(Mutex::new(MyStrategy::new()));
    let executor = Arc::new(Mutex::new(MyExecutor::new()));

    let mut engine = TradingEngineBuilder::new(event_bus)
        .with_connector(connector)
        .with_aggregator(aggregator)
        .with_strategy(strategy)
        .with_executor(executor)
        .build()?;

    engine.start().await?;
    market.send("BTC 100.00".to_string()).await?;
    signals.send("buy".to_string()).await?;
    engine.shutdown().await?;
    Ok(())
}

/// The variants of the documents' two error enums. Both have more of them here.
#[expect(clippy::wildcard_enum_match_arm, reason = "the documents know no other variants")]
fn explain(error: &TradingEngineError) -> String {
    match error {
        TradingEngineError::SchedulerError(error) => match error {
            SchedulerError::TaskInitialization(text)
            | SchedulerError::TaskExecution(text)
            | SchedulerError::TaskShutdown(text)
            | SchedulerError::InvalidChannel(text)
            | SchedulerError::EventSend(text)
            | SchedulerError::EventReceive(text) => text.clone(),
            SchedulerError::TaskNotFound(id) => id.to_string(),
            other => other.to_string(),
        },
        TradingEngineError::MissingComponent(role) => (*role).to_string(),
        other => other.to_string(),
    }
}

#[tokio::main]
async fn main() -> Result<(), TradingEngineError> {
    orchestrator().await?;
    trading_engine().await?;

    let empty: EventBus<TradingEvent> = EventBus::new(vec![]);
    if let Err(error) = TradingEngineBuilder::new(empty).build() {
        println!("an engine without components lacks a {}", explain(&error));
    }
    Ok(())
}
