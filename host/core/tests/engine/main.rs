//! What an engine promises about its components, from start to shutdown.

mod building;
mod running;
mod stopping;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use hotbay_core::{
    Aggregator, BackgroundTask, ChannelConfig, ComponentOptions, Connector, EventBus,
    EventReceiver, EventSender, EventTask, ExecutionStatus, Executor, SchedulerError,
    ShutdownLimits, Strategy, TaskId, TradingEngine, TradingEngineBuilder, TradingEngineError,
};
use tokio::sync::mpsc;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Event {
    Raw,
    Merged,
    Order,
}

fn plain() -> ComponentOptions<Event> {
    ComponentOptions::default()
}

fn bus(capacity: usize) -> EventBus<Event> {
    let channels = [Event::Raw, Event::Merged, Event::Order];
    let declare = |event| (event, ChannelConfig::new(capacity, ""));
    EventBus::new(channels.into_iter().map(declare).collect())
}

/// What happened, in order.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().expect("nobody panics in here").push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics in here").clone()
    }

    fn ending(&self, end: &str) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines.filter_map(|line| Some(line.strip_suffix(end)?.trim_end().to_owned())).collect()
    }
}

/// What a component does at the point that a test is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    FailsToInitialize,
    Panics,
    Waits,
    FailsToShutDown,
}

struct Part {
    name: &'static str,
    log: Log,
    fault: Fault,
}

impl Part {
    fn new(name: &'static str, log: &Log) -> Self {
        Self { name, log: log.clone(), fault: Fault::None }
    }

    fn with(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    fn initialize(&self) -> Result<(), SchedulerError> {
        self.log.add(format!("{} up", self.name));
        match self.fault {
            Fault::FailsToInitialize => {
                Err(SchedulerError::TaskInitialization("no route".to_owned()))
            }
            Fault::None | Fault::Panics | Fault::Waits | Fault::FailsToShutDown => Ok(()),
        }
    }

    async fn work(&self) {
        match self.fault {
            Fault::Panics => panic!("{} is broken", self.name),
            Fault::Waits => std::future::pending().await,
            Fault::None | Fault::FailsToInitialize | Fault::FailsToShutDown => {}
        }
    }

    fn shutdown(&self) -> Result<(), SchedulerError> {
        self.log.add(format!("{} down", self.name));
        match self.fault {
            Fault::FailsToShutDown => Err(SchedulerError::TaskShutdown("disk full".to_owned())),
            Fault::None | Fault::FailsToInitialize | Fault::Panics | Fault::Waits => Ok(()),
        }
    }
}

/// Publishes the numbers below `count`; then it is finished or, without end, waits.
struct Feed {
    part: Part,
    out: EventSender<Event>,
    numbers: std::ops::Range<u32>,
    at_end: AtEnd,
    published: Option<mpsc::UnboundedSender<u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    Finish,
    Wait,
}

#[async_trait]
impl BackgroundTask for Feed {
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        self.part.initialize()
    }

    async fn execute(&mut self) -> Result<(), SchedulerError> {
        self.part.work().await;
        match (self.numbers.next(), self.at_end) {
            (Some(number), _) => {
                self.out.send(number.to_string()).await?;
                if let Some(published) = &self.published {
                    published.send(number).map_err(SchedulerError::execution)?;
                }
                Ok(())
            }
            (None, AtEnd::Finish) => Err(SchedulerError::Finished),
            (None, AtEnd::Wait) => std::future::pending().await,
        }
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.part.shutdown()
    }
}
impl Connector for Feed {}

/// Passes everything on, and holds the last one back until its input ends.
struct Merge {
    part: Part,
    input: EventReceiver<Event>,
    out: EventSender<Event>,
    held: Option<String>,
}

#[async_trait]
impl BackgroundTask for Merge {
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        self.part.initialize()
    }

    async fn execute(&mut self) -> Result<(), SchedulerError> {
        let next = self.input.recv().await;
        self.part.work().await;
        let ended = next.is_none();
        if let Some(held) = std::mem::replace(&mut self.held, next) {
            self.out.send(held).await?;
        }
        if ended { Err(SchedulerError::Finished) } else { Ok(()) }
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.part.shutdown()
    }
}
impl Aggregator for Merge {}

/// A strategy if it has something to publish on, else an executor.
struct Stage {
    part: Part,
    event: Event,
    out: Option<EventSender<Event>>,
}

#[async_trait]
impl EventTask<Event> for Stage {
    fn subscribed_event(&self) -> &Event {
        &self.event
    }

    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        self.part.initialize()
    }

    async fn handle_event(&mut self, event: String) -> Result<(), SchedulerError> {
        self.part.work().await;
        self.part.log.add(format!("{} {event}", self.part.name));
        match &self.out {
            Some(out) => out.send(event).await,
            None => Ok(()),
        }
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        self.part.log.add(format!("{} end", self.part.name));
        match &self.out {
            Some(out) => out.send("closing".to_owned()).await,
            None => Ok(()),
        }
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.part.shutdown()
    }
}
impl Strategy<Event> for Stage {}
impl Executor<Event> for Stage {}

/// A whole pipeline, with one part of a test's choice.
struct Pipeline {
    bus: EventBus<Event>,
    log: Log,
    count: u32,
    at_end: AtEnd,
    faulty: &'static str,
    fault: Fault,
    limits: ShutdownLimits,
}

impl Pipeline {
    fn new(count: u32, at_end: AtEnd) -> Self {
        let (bus, log, limits) = (bus(4), Log::default(), ShutdownLimits::default());
        Self { bus, log, count, at_end, faulty: "", fault: Fault::None, limits }
    }

    fn fault(mut self, faulty: &'static str, fault: Fault) -> Self {
        (self.faulty, self.fault) = (faulty, fault);
        self
    }

    fn part(&self, name: &'static str) -> Part {
        let fault = if name == self.faulty { self.fault } else { Fault::None };
        Part::new(name, &self.log).with(fault)
    }

    fn sender(&self, event: &Event) -> EventSender<Event> {
        self.bus.clone_sender(event).expect("it is declared")
    }

    fn feed(&self, name: &'static str) -> Feed {
        let out = self.sender(&Event::Raw);
        let (part, numbers) = (self.part(name), 0..self.count);
        Feed { part, out, numbers, at_end: self.at_end, published: None }
    }

    fn merge(&self) -> Merge {
        let input = self.bus.subscribe(&Event::Raw).expect("it is declared");
        Merge { part: self.part("merge"), input, out: self.sender(&Event::Merged), held: None }
    }

    fn trend(&self) -> Stage {
        let out = Some(self.sender(&Event::Order));
        Stage { part: self.part("trend"), event: Event::Merged, out }
    }

    fn paper(&self) -> Stage {
        Stage { part: self.part("paper"), event: Event::Order, out: None }
    }

    fn build(&self) -> TradingEngine<Event> {
        let publishes = |event| ComponentOptions::default().with_outputs([event]);
        TradingEngineBuilder::new(self.bus.clone())
            .with_connector_as(publishes(Event::Raw), self.feed("feed"))
            .with_aggregator_as(publishes(Event::Merged), self.merge())
            .with_strategy_as(publishes(Event::Order), self.trend())
            .with_executor_as(plain(), self.paper())
            .with_limits(self.limits)
            .build()
            .expect("nothing is missing")
    }
}
