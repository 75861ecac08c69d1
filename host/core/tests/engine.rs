//! What an engine promises about its components, from start to shutdown.

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
            .with_executor(self.paper())
            .with_limits(self.limits)
            .build()
            .expect("nothing is missing")
    }
}

#[tokio::test]
async fn the_end_of_the_data_flows_through_every_component() {
    let pipeline = Pipeline::new(20, AtEnd::Finish);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    engine.wait().await;
    let statuses = engine.statuses();
    let ids: Vec<_> = statuses.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["connector-1", "aggregator", "strategy-1", "executor-1"]);
    assert!(statuses.iter().all(|(_, status)| *status == ExecutionStatus::Finished));
    // All of them in order, the one that was held back, and what the end gave rise to.
    let mut expected: Vec<_> = (0..20).map(|number| format!("paper {number}")).collect();
    expected.extend(["paper closing", "paper end"].map(str::to_owned));
    let lines = pipeline.log.lines();
    let seen: Vec<_> =
        lines.iter().filter(|line| line.starts_with("paper") && *line != "paper up").collect();
    assert_eq!(seen, expected.iter().collect::<Vec<_>>());

    engine.shutdown().await.unwrap();
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
}

#[tokio::test]
async fn consumers_are_initialized_before_producers_and_shut_down_first() {
    let pipeline = Pipeline::new(0, AtEnd::Wait);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    assert_eq!(pipeline.log.ending("up"), ["paper", "trend", "merge", "feed"]);
    engine.shutdown().await.unwrap();
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
    let statuses = engine.statuses();
    // The aggregator saw its input end, the others were told.
    assert!(statuses.iter().all(|(_, status)| status.has_ended()), "{statuses:?}");
}

#[tokio::test]
async fn a_shutdown_before_the_end_loses_nothing_that_was_published() {
    let pipeline = Pipeline::new(1_000_000, AtEnd::Wait);
    let mut feed = pipeline.feed("feed");
    let (published, mut numbers) = mpsc::unbounded_channel();
    feed.published = Some(published);
    let publishes = |event| ComponentOptions::default().with_outputs([event]);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(publishes(Event::Raw), feed)
        .with_aggregator_as(publishes(Event::Merged), pipeline.merge())
        .with_strategy_as(publishes(Event::Order), pipeline.trend())
        .with_executor(pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    for _ in 0..100 {
        numbers.recv().await.unwrap();
    }
    engine.shutdown().await.unwrap();
    let lines = pipeline.log.lines();
    let handled = lines.iter().filter(|line| line.starts_with("paper")).count() as u64;
    let raw = pipeline.bus.stats(&Event::Raw).unwrap();
    assert_eq!(handled, raw.published + 2, "every event, `up` and `down`");
    assert!(!lines.iter().any(|line| line.ends_with("end")), "it is not the end of the data");
    assert!(engine.last_shutdown().unwrap().is_clean());
}

#[tokio::test]
async fn what_is_queued_is_handled_also_if_no_outputs_are_declared() {
    let pipeline = Pipeline::new(50, AtEnd::Wait);
    let mut feed = pipeline.feed("feed");
    let (published, mut numbers) = mpsc::unbounded_channel();
    feed.published = Some(published);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector(feed)
        .with_aggregator(pipeline.merge())
        .with_strategy(pipeline.trend())
        .with_executor(pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    for _ in 0..50 {
        numbers.recv().await.unwrap();
    }
    engine.shutdown().await.unwrap();
    let lines = pipeline.log.lines();
    // The aggregator can't know that nothing follows the last one.
    assert!(lines.contains(&"paper 48".to_owned()), "{lines:?}");
    for event in [Event::Raw, Event::Merged, Event::Order] {
        let stats = pipeline.bus.stats(&event).unwrap();
        assert_eq!(stats.delivered, stats.published, "{event:?}");
    }
}

#[tokio::test]
async fn a_broken_strategy_takes_nobody_down() {
    let pipeline = Pipeline::new(100, AtEnd::Finish);
    let mut broken = pipeline.trend();
    broken.part = Part::new("broken", &pipeline.log).with(Fault::Panics);
    let publishes = |event| ComponentOptions::default().with_outputs([event]);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(publishes(Event::Raw), pipeline.feed("feed"))
        .with_aggregator_as(publishes(Event::Merged), pipeline.merge())
        .with_strategy_as(publishes(Event::Order).with_id("broken"), broken)
        .with_strategy_as(publishes(Event::Order), pipeline.trend())
        .with_executor(pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    engine.wait().await;
    let status = engine.scheduler().status(&TaskId::from("broken")).unwrap();
    let error = SchedulerError::TaskPanicked("broken is broken".to_owned());
    assert_eq!(status, ExecutionStatus::Failed { error });
    assert!(pipeline.log.lines().contains(&"paper 99".to_owned()));
    engine.shutdown().await.unwrap();
    assert!(pipeline.log.ending("down").contains(&"broken".to_owned()));
}

#[tokio::test]
async fn a_component_that_cannot_initialize_rolls_the_start_back() {
    let pipeline = Pipeline::new(1, AtEnd::Wait).fault("merge", Fault::FailsToInitialize);
    let engine = pipeline.build();
    let error = engine.start().await.unwrap_err();
    let expected = SchedulerError::TaskInitialization("aggregator: no route".to_owned());
    assert_eq!(error, TradingEngineError::SchedulerError(expected));
    assert_eq!(pipeline.log.ending("up"), ["paper", "trend", "merge"], "the feed never came up");
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge"]);
    let statuses = engine.statuses();
    assert_eq!(statuses[0].1, ExecutionStatus::Stopped);
    assert!(matches!(statuses[1].1, ExecutionStatus::Failed { .. }));
    assert!(engine.start().await.is_err(), "an engine starts once");
}

#[tokio::test]
async fn an_engine_lacks_nothing_and_has_one_aggregator() {
    let pipeline = Pipeline::new(0, AtEnd::Finish);
    let builder = || TradingEngineBuilder::new(pipeline.bus.clone());
    let missing = |builder: TradingEngineBuilder<Event>| builder.build().unwrap_err();
    let error = missing(builder());
    assert_eq!(error, TradingEngineError::MissingComponent("connector"));
    let with_feed = || builder().with_connector(pipeline.feed("feed"));
    assert_eq!(missing(with_feed()), TradingEngineError::MissingComponent("aggregator"));
    let with_merge = || with_feed().with_aggregator(pipeline.merge());
    assert_eq!(missing(with_merge()), TradingEngineError::MissingComponent("strategy"));
    let with_trend = || with_merge().with_strategy(pipeline.trend());
    assert_eq!(missing(with_trend()), TradingEngineError::MissingComponent("executor"));
    let complete = || with_trend().with_executor(pipeline.paper());
    let two = complete().with_aggregator(pipeline.merge());
    assert_eq!(missing(two), TradingEngineError::DuplicateAggregator(2));
    let named = ComponentOptions::default().with_id("aggregator");
    let same_name = complete().with_executor_as(named, pipeline.paper());
    let error = SchedulerError::DuplicateTask(TaskId::from("aggregator"));
    assert_eq!(missing(same_name), TradingEngineError::SchedulerError(error));
    assert!(complete().build().is_ok());
}

#[tokio::test]
async fn a_second_connector_and_a_second_executor_have_numbers() {
    let pipeline = Pipeline::new(0, AtEnd::Finish);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector(pipeline.feed("feed"))
        .with_connector(pipeline.feed("other"))
        .with_aggregator(pipeline.merge())
        .with_strategy(pipeline.trend())
        .with_executor(pipeline.paper())
        .with_executor(pipeline.paper())
        .build()
        .unwrap();
    let ids: Vec<_> = engine.statuses().into_iter().map(|(id, _)| id.to_string()).collect();
    let (connectors, executors) = (["connector-1", "connector-2"], ["executor-1", "executor-2"]);
    assert_eq!(ids, [&connectors[..], &["aggregator", "strategy-1"], &executors[..]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_waits_for_ever_is_dropped_after_its_grace() {
    let pipeline = Pipeline::new(1, AtEnd::Wait).fault("feed", Fault::Waits);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    let began = tokio::time::Instant::now();
    engine.shutdown().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
}

/// Blocks its thread from its first turn on, until its channel is dropped.
struct Deaf {
    go: Mutex<std::sync::mpsc::Receiver<()>>,
    entered: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl BackgroundTask for Deaf {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        self.entered.send(()).map_err(SchedulerError::execution)?;
        let go = self.go.get_mut().expect("nobody panics in here");
        go.recv().map_err(SchedulerError::execution)
    }
}
impl Connector for Deaf {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_blocks_its_thread_is_named_and_the_others_shut_down() {
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let mut pipeline = Pipeline::new(3, AtEnd::Wait);
    pipeline.limits = ShutdownLimits::within(Duration::from_millis(800));
    let (let_go, go) = std::sync::mpsc::channel();
    let (entered, mut enters) = mpsc::unbounded_channel();
    let options = ComponentOptions::default().with_id("deaf").with_runtime(own.handle().clone());
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector(pipeline.feed("feed"))
        .with_connector_as(options, Deaf { go: Mutex::new(go), entered })
        .with_aggregator(pipeline.merge())
        .with_strategy(pipeline.trend())
        .with_executor(pipeline.paper())
        .with_limits(pipeline.limits)
        .build()
        .unwrap();
    engine.start().await.unwrap();
    enters.recv().await.unwrap();
    let error = engine.shutdown().await.unwrap_err();
    assert_eq!(error, TradingEngineError::DidNotStop(vec!["deaf".to_owned()]));
    assert_eq!(error.to_string(), "did not stop within the limit: deaf");
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
    drop(let_go);
    own.shutdown_background();
}

#[tokio::test]
async fn a_hook_that_fails_is_told_by_name_and_the_other_hooks_run() {
    let pipeline = Pipeline::new(1, AtEnd::Finish).fault("trend", Fault::FailsToShutDown);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    let error = engine.shutdown().await.unwrap_err();
    let expected = SchedulerError::TaskShutdown("strategy-1: disk full".to_owned());
    assert_eq!(error, TradingEngineError::SchedulerError(expected));
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
}

#[tokio::test]
async fn a_component_runs_on_the_runtime_that_it_was_given() {
    struct Where(mpsc::UnboundedSender<Option<String>>);
    impl Where {
        fn tell(&self) {
            let name = std::thread::current().name().map(ToOwned::to_owned);
            assert!(self.0.send(name).is_ok());
        }
    }
    #[async_trait]
    impl BackgroundTask for Where {
        async fn initialize(&mut self) -> Result<(), SchedulerError> {
            self.tell();
            Ok(())
        }
        async fn execute(&mut self) -> Result<(), SchedulerError> {
            self.tell();
            Err(SchedulerError::Finished)
        }
        async fn shutdown(&mut self) -> Result<(), SchedulerError> {
            self.tell();
            Ok(())
        }
    }
    impl Connector for Where {}

    let bay = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("bay")
        .build()
        .unwrap();
    let pipeline = Pipeline::new(0, AtEnd::Finish);
    let (here, mut places) = mpsc::unbounded_channel();
    let options = ComponentOptions::default().with_runtime(bay.handle().clone());
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(options.with_outputs([Event::Raw]), Where(here))
        .with_aggregator(pipeline.merge())
        .with_strategy(pipeline.trend())
        .with_executor(pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    engine.scheduler().wait(&TaskId::from("connector-1")).await.unwrap();
    engine.shutdown().await.unwrap();
    for phase in ["initialize", "execute", "shutdown"] {
        assert_eq!(places.recv().await.unwrap().as_deref(), Some("bay"), "{phase}");
    }
    bay.shutdown_background();
}
