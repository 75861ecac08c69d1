//! What the scheduler promises about the tasks it drives.

mod replacing;
mod running;
mod starting;
mod stopping;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hotbay_core::{
    BackgroundTask, ChannelConfig, EventBus, EventSender, EventTask, ExecutionStatus, Scheduler,
    SchedulerError, ShutdownLimits, TaskId, TaskOptions,
    scheduler::{Drain, RegisteredTask},
};
use tokio::sync::{Mutex, Notify, mpsc};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Event {
    Tick,
    Signal,
}

fn bus() -> EventBus<Event> {
    let channel = |capacity| ChannelConfig::new(capacity, "");
    EventBus::new(vec![(Event::Tick, channel(8)), (Event::Signal, channel(8))])
}

/// What happened, in order.
#[derive(Debug, Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().expect("nobody panics in here").push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics in here").clone()
    }
}

/// What a turn or an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Well,
    Fail,
    Panic,
    WaitForEver,
}

impl Behaviour {
    async fn show(self) -> Result<(), SchedulerError> {
        match self {
            Self::Well => Ok(()),
            Self::Fail => Err(SchedulerError::TaskExecution("the feed is gone".to_owned())),
            Self::Panic => panic!("index {} out of bounds", 7),
            Self::WaitForEver => std::future::pending().await,
        }
    }
}

/// Publishes the numbers below `turns`, then does something.
struct Source {
    out: EventSender<Event>,
    next: usize,
    turns: usize,
    then: Result<Behaviour, SchedulerError>,
}

impl Source {
    fn new(bus: &EventBus<Event>, turns: usize) -> Self {
        let out = bus.clone_sender(&Event::Tick).expect("it is declared");
        Self { out, next: 0, turns, then: Err(SchedulerError::Finished) }
    }

    fn then(mut self, behaviour: Behaviour) -> Self {
        self.then = Ok(behaviour);
        self
    }
}

#[async_trait]
impl BackgroundTask for Source {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        if self.next == self.turns {
            return self.then.clone()?.show().await;
        }
        self.next += 1;
        self.out.send((self.next - 1).to_string()).await
    }
}

/// Writes down what it sees of `event`; does something in each of its phases.
struct Sink {
    name: &'static str,
    event: Event,
    log: Log,
    initialize: Behaviour,
    handle: Behaviour,
    shutdown: Behaviour,
    seen: mpsc::UnboundedSender<String>,
}

impl Sink {
    fn new(name: &'static str, log: &Log) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (seen, receiver) = mpsc::unbounded_channel();
        let well = Behaviour::Well;
        let log = log.clone();
        let (initialize, handle, shutdown) = (well, well, well);
        (Self { name, event: Event::Tick, log, initialize, handle, shutdown, seen }, receiver)
    }
}

#[async_trait]
impl EventTask<Event> for Sink {
    fn subscribed_event(&self) -> &Event {
        &self.event
    }

    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        self.initialize.show().await
    }

    async fn handle_event(&mut self, event: String) -> Result<(), SchedulerError> {
        self.log.add(format!("{} {event}", self.name));
        self.seen.send(event).map_err(SchedulerError::execution)?;
        self.handle.show().await
    }

    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        self.log.add(format!("{} end", self.name));
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.log.add(format!("{} shutdown", self.name));
        self.shutdown.show().await
    }
}

/// Blocks its thread until it is let go.
struct Blocks {
    entered: Arc<Notify>,
    release: Arc<std::sync::Mutex<()>>,
}

#[async_trait]
impl BackgroundTask for Blocks {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        self.entered.notify_one();
        drop(self.release.lock());
        Ok(())
    }
}
