//! What the scheduler promises about the tasks it drives.

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
    SchedulerError, ShutdownLimits, TaskId, TaskOptions, scheduler::Drain,
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

#[tokio::test]
async fn the_end_of_a_source_reaches_its_subscriber_after_all_of_its_events() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let outputs = TaskOptions::default().with_outputs([Event::Tick]);
    let source = Source::new(&bus, 3);
    let source = scheduler.register_background_task_with("source", source, outputs).unwrap();
    let (sink, _seen) = Sink::new("sink", &log);
    let sink = scheduler.register_event_task("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    scheduler.wait_all().await;
    assert_eq!(scheduler.status(&source).unwrap(), ExecutionStatus::Finished);
    assert_eq!(scheduler.wait(&sink).await.unwrap(), ExecutionStatus::Finished);
    assert_eq!(log.lines(), ["sink 0", "sink 1", "sink 2", "sink end"]);
    let info = scheduler.info(&sink).unwrap();
    assert_eq!((info.turns, info.events, info.last_error), (3, 3, None));
    assert!(info.started.is_some() && info.ended.is_some());

    assert!(scheduler.shutdown(Duration::from_secs(5)).await.is_clean());
    assert_eq!(log.lines().last().unwrap(), "sink shutdown");
}

#[tokio::test]
async fn a_channel_with_two_producers_ends_with_the_second() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    for (id, turns) in [("short", 1), ("long", 20)] {
        let outputs = TaskOptions::default().with_outputs([Event::Tick]);
        scheduler.register_background_task_with(id, Source::new(&bus, turns), outputs).unwrap();
    }
    let (sink, _seen) = Sink::new("sink", &log);
    scheduler.register_event_task("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    scheduler.wait_all().await;
    assert_eq!(log.lines().len(), 21 + 1);
    assert_eq!(log.lines().last().unwrap(), "sink end");
}

#[tokio::test]
async fn failing_and_panicking_tasks_end_alone_and_say_why() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let mut ids = Vec::new();
    for (id, behaviour) in [("fails", Behaviour::Fail), ("panics", Behaviour::Panic)] {
        let (mut sink, seen) = Sink::new(id, &log);
        sink.handle = behaviour;
        ids.push((scheduler.register_event_task(id, sink).unwrap(), seen));
    }
    let (well, mut seen) = Sink::new("well", &log);
    let well = scheduler.register_event_task("well", well).unwrap();
    let fails = Source::new(&bus, 100).then(Behaviour::Fail);
    let source = scheduler.register_background_task("source", fails).unwrap();
    scheduler.start().await.unwrap();
    for number in 0..100 {
        // Far more than the capacity: those that failed hold nobody up.
        assert_eq!(seen.recv().await.unwrap(), number.to_string());
    }
    let failed = |error| ExecutionStatus::Failed { error };
    let gone = failed(SchedulerError::TaskExecution("the feed is gone".to_owned()));
    let panicked = failed(SchedulerError::TaskPanicked("index 7 out of bounds".to_owned()));
    assert_eq!(scheduler.wait(&ids[0].0).await.unwrap(), gone);
    assert_eq!(scheduler.wait(&ids[1].0).await.unwrap(), panicked);
    assert_eq!(panicked.to_string(), "failed: panicked: index 7 out of bounds");
    assert_eq!(scheduler.wait(&source).await.unwrap(), gone);
    assert_eq!(scheduler.status(&well).unwrap(), ExecutionStatus::Running);
    assert!(scheduler.info(&ids[0].0).unwrap().last_error.is_some());

    assert!(scheduler.shutdown(Duration::from_secs(5)).await.is_clean());
    let hooks: Vec<_> = log.lines().into_iter().filter(|line| line.ends_with("down")).collect();
    assert_eq!(hooks, ["well shutdown", "panics shutdown", "fails shutdown"]);
    assert_eq!(scheduler.status(&ids[0].0).unwrap(), gone, "a hook does not hide why");
}

#[tokio::test]
async fn a_task_that_cannot_initialize_gets_no_events_and_the_others_run() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let (mut bad, _seen) = Sink::new("bad", &log);
    bad.initialize = Behaviour::Panic;
    let bad = scheduler.register_event_task("bad", bad).unwrap();
    let (good, mut seen) = Sink::new("good", &log);
    scheduler.register_event_task("good", good).unwrap();
    scheduler.start().await.unwrap();
    assert!(matches!(scheduler.status(&bad).unwrap(), ExecutionStatus::Failed { .. }));
    bus.clone_sender(&Event::Tick).unwrap().send("1".to_owned()).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "1");
    assert!(scheduler.shutdown(Duration::from_secs(5)).await.is_clean());
    assert_eq!(log.lines(), ["good 1", "good shutdown", "bad shutdown"]);
}

#[tokio::test]
async fn a_task_registered_on_a_running_scheduler_starts_at_once_and_misses_nothing() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    scheduler.start().await.unwrap();
    let (late, mut seen) = Sink::new("late", &log);
    scheduler.register_event_task("late", late).unwrap();
    bus.clone_sender(&Event::Tick).unwrap().send("1".to_owned()).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "1");
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_and_named() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    scheduler.register_background_task("one", Source::new(&bus, 0)).unwrap();
    let error = scheduler.register_background_task("one", Source::new(&bus, 0)).unwrap_err();
    assert_eq!(error, SchedulerError::DuplicateTask(TaskId::from("one")));

    let elsewhere = EventBus::new(vec![(Event::Signal, ChannelConfig::default())]);
    let (sink, _seen) = Sink::new("sink", &log);
    let error = Scheduler::new(elsewhere).register_event_task("sink", sink).unwrap_err();
    assert_eq!(error, SchedulerError::InvalidChannel("Tick".to_owned()));

    let error = scheduler.status(&TaskId::from("two")).unwrap_err();
    assert_eq!(error, SchedulerError::TaskNotFound(TaskId::from("two")));
    assert!(scheduler.shutdown(Duration::from_secs(1)).await.is_clean());
    let error = scheduler.register_background_task("two", Source::new(&bus, 0)).unwrap_err();
    assert!(matches!(error, SchedulerError::InvalidState(_)));
    assert!(matches!(scheduler.start().await, Err(SchedulerError::InvalidState(_))));
}

#[tokio::test]
async fn a_shared_task_can_be_looked_at_while_it_runs() {
    let bus = bus();
    let scheduler = Scheduler::new(bus.clone());
    let source = Arc::new(Mutex::new(Source::new(&bus, 5)));
    let options = TaskOptions::default();
    let id = scheduler.register_shared_background_task("source", source.clone(), options).unwrap();
    scheduler.start().await.unwrap();
    scheduler.wait(&id).await.unwrap();
    assert_eq!(source.lock().await.next, 5);
    assert!(scheduler.task(&id).is_ok());
}

#[tokio::test]
async fn a_status_can_be_watched() {
    let bus = bus();
    let scheduler = Scheduler::new(bus.clone());
    let task = Source::new(&bus, 0).then(Behaviour::WaitForEver);
    let id = scheduler.register_background_task("source", task).unwrap();
    let mut status = scheduler.watch(&id).unwrap();
    assert_eq!(*status.borrow(), ExecutionStatus::Registered);
    scheduler.start().await.unwrap();
    status.wait_for(|status| *status == ExecutionStatus::Running).await.unwrap();
    let stopping = {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.shutdown(Duration::from_secs(2)).await })
    };
    status.wait_for(|status| *status == ExecutionStatus::Stopped).await.unwrap();
    assert!(stopping.await.unwrap().is_clean());
}

#[tokio::test]
async fn a_shutdown_lets_event_tasks_handle_what_is_queued_without_an_end_of_input() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let task = Source::new(&bus, 8).then(Behaviour::WaitForEver);
    let outputs = TaskOptions::default().with_outputs([Event::Tick]);
    scheduler.register_background_task_with("source", task, outputs).unwrap();
    let (sink, _seen) = Sink::new("sink", &log);
    let sink = Arc::new(Mutex::new(sink));
    let id = scheduler.register_shared_event_task("sink", sink.clone(), TaskOptions::default());
    let id = id.unwrap();
    scheduler.start().await.unwrap();
    // Nothing is handled until the shutdown has begun.
    let held = sink.lock().await;
    let stopping = {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.shutdown(Duration::from_secs(10)).await })
    };
    let mut status = scheduler.watch(&TaskId::from("source")).unwrap();
    status.wait_for(ExecutionStatus::has_ended).await.unwrap();
    drop(held);
    assert!(stopping.await.unwrap().is_clean());
    let mut expected: Vec<_> = (0..8).map(|number| format!("sink {number}")).collect();
    expected.push("sink shutdown".to_owned());
    assert_eq!(log.lines(), expected);
    assert_eq!(scheduler.status(&id).unwrap(), ExecutionStatus::Stopped);
}

#[tokio::test]
async fn a_source_that_ended_before_the_shutdown_still_brings_its_subscriber_the_end_of_input() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let outputs = TaskOptions::default().with_outputs([Event::Tick]);
    let source = Source::new(&bus, 3);
    let source = scheduler.register_background_task_with("source", source, outputs).unwrap();
    let (sink, _seen) = Sink::new("sink", &log);
    let sink = Arc::new(Mutex::new(sink));
    let options = TaskOptions::default();
    scheduler.register_shared_event_task("sink", sink.clone(), options).unwrap();
    scheduler.start().await.unwrap();
    let held = sink.lock().await;
    assert_eq!(scheduler.wait(&source).await.unwrap(), ExecutionStatus::Finished);
    let stopping = {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.shutdown(Duration::from_secs(10)).await })
    };
    tokio::task::yield_now().await;
    drop(held);
    assert!(stopping.await.unwrap().is_clean());
    assert_eq!(log.lines()[3..], ["sink end", "sink shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_nobody_reads_delays_a_shutdown_only_until_nothing_moves() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let (sink, mut seen) = Sink::new("sink", &log);
    scheduler.register_event_task("sink", sink).unwrap();
    let _unread = bus.subscribe(&Event::Tick).unwrap();
    scheduler.start().await.unwrap();
    bus.clone_sender(&Event::Tick).unwrap().send("1".to_owned()).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "1");
    let (began, limits) = (tokio::time::Instant::now(), ShutdownLimits::default());
    assert!(scheduler.shutdown_with(limits).await.is_clean());
    assert!(began.elapsed() < 2 * limits.settle, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_task_that_is_stuck_is_dropped_at_its_await_point_and_what_is_left_is_counted() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let (mut sink, mut seen) = Sink::new("sink", &log);
    sink.handle = Behaviour::WaitForEver;
    let id = scheduler.register_event_task("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    let sender = bus.clone_sender(&Event::Tick).unwrap();
    for number in 0..3 {
        sender.send(number.to_string()).await.unwrap();
    }
    assert_eq!(seen.recv().await.unwrap(), "0");
    let report = scheduler.shutdown_with(ShutdownLimits::default()).await;
    assert_eq!((report.did_not_stop, report.drain), (vec![], Drain::CutOff));
    assert_eq!(scheduler.status(&id).unwrap(), ExecutionStatus::Stopped);
    assert_eq!(bus.stats(&Event::Tick).unwrap().dropped_unsubscribed, 2);
    assert_eq!(log.lines(), ["sink 0", "sink shutdown"]);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_blocks_its_thread_is_named_and_nobody_else_suffers() {
    let (bus, log) = (bus(), Log::default());
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let scheduler = Scheduler::new(bus);
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(std::sync::Mutex::new(())));
    let (sink, _seen) = Sink::new("sink", &log);
    scheduler.register_event_task("sink", sink).unwrap();
    let blocks = Blocks { entered: entered.clone(), release: release.clone() };
    let options = TaskOptions::default().with_runtime(own.handle().clone());
    let id = scheduler.register_background_task_with("blocks", blocks, options).unwrap();

    let (hold, held) = std::sync::mpsc::channel();
    let (let_go, go) = std::sync::mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        let guard = release.lock();
        let told = hold.send(());
        let asked = go.recv();
        drop(guard);
        (told, asked)
    });
    held.recv().unwrap();
    scheduler.start().await.unwrap();
    entered.notified().await;

    let began = Instant::now();
    let report = scheduler.shutdown(Duration::from_millis(400)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(report.did_not_stop, std::slice::from_ref(&id));
    assert_eq!(scheduler.status(&id).unwrap(), ExecutionStatus::DidNotStop);
    assert_eq!(log.lines(), ["sink shutdown"]);

    let_go.send(()).unwrap();
    let mut status = scheduler.watch(&id).unwrap();
    status.wait_for(|status| *status == ExecutionStatus::Stopped).await.unwrap();
    let again = scheduler.shutdown(Duration::from_secs(5)).await;
    assert!(again.is_clean(), "it stopped after all: {again:?}");
    assert!(holder.join().is_ok());
    own.shutdown_background();
}

#[tokio::test]
async fn a_failing_hook_is_reported_and_runs_once() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus);
    let (mut sink, _seen) = Sink::new("sink", &log);
    sink.shutdown = Behaviour::Panic;
    let id = scheduler.register_event_task("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    let report = scheduler.shutdown(Duration::from_secs(5)).await;
    let panicked = SchedulerError::TaskPanicked("index 7 out of bounds".to_owned());
    assert_eq!(report.failed_hooks, [(id.clone(), panicked.clone())]);
    assert_eq!(scheduler.info(&id).unwrap().last_error, Some(panicked));
    assert!(scheduler.shutdown(Duration::from_secs(5)).await.is_clean());
    assert_eq!(log.lines(), ["sink shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_does_not_end_is_named() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus);
    let (mut sink, _seen) = Sink::new("sink", &log);
    sink.shutdown = Behaviour::WaitForEver;
    let id = scheduler.register_event_task("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    let report = scheduler.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.did_not_stop, [id]);
}

#[tokio::test]
async fn a_shutdown_ends_an_initialization_that_hangs() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus);
    let (mut sink, _seen) = Sink::new("sink", &log);
    sink.initialize = Behaviour::WaitForEver;
    let id = scheduler.register_event_task("sink", sink).unwrap();
    let starting = {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.start().await })
    };
    let mut status = scheduler.watch(&id).unwrap();
    status.wait_for(|status| *status == ExecutionStatus::Initializing).await.unwrap();
    let report = scheduler.shutdown(Duration::from_millis(400)).await;
    assert_eq!(report.did_not_stop, []);
    assert_eq!(log.lines(), ["sink shutdown"], "it was begun, so it is ended");
    assert!(starting.await.unwrap().is_err(), "the start says that it was called off");
}

#[tokio::test]
async fn a_scheduler_that_is_dropped_ends_its_tasks() {
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    struct Holds(Arc<AtomicUsize>, Arc<Notify>);
    #[async_trait]
    impl BackgroundTask for Holds {
        async fn execute(&mut self) -> Result<(), SchedulerError> {
            let _alive = Alive(self.0.clone());
            self.1.notify_one();
            std::future::pending().await
        }
    }
    let (alive, entered) = (Arc::new(AtomicUsize::new(1)), Arc::new(Notify::new()));
    let scheduler = Scheduler::new(bus());
    let id =
        scheduler.register_background_task("task", Holds(alive.clone(), entered.clone())).unwrap();
    let mut status = scheduler.watch(&id).unwrap();
    scheduler.start().await.unwrap();
    entered.notified().await;
    drop(scheduler);
    status.wait_for(|status| *status == ExecutionStatus::Stopped).await.unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_task_whose_runtime_goes_away_is_failed_and_says_so() {
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let bus = bus();
    let scheduler = Scheduler::new(bus.clone());
    let task = Source::new(&bus, 0).then(Behaviour::WaitForEver);
    let options = TaskOptions::default().with_runtime(own.handle().clone());
    let id = scheduler.register_background_task_with("task", task, options).unwrap();
    scheduler.start().await.unwrap();
    own.shutdown_background();
    let status = scheduler.wait(&id).await.unwrap();
    assert!(status.to_string().contains("runtime"), "{status}");
    let report = scheduler.shutdown(Duration::from_secs(2)).await;
    assert_eq!((report.did_not_stop, report.failed_hooks.len()), (vec![], 1));
}

#[tokio::test]
async fn tasks_that_are_always_ready_let_their_neighbours_run() {
    struct Busy(Arc<AtomicUsize>);
    #[async_trait]
    impl BackgroundTask for Busy {
        async fn execute(&mut self) -> Result<(), SchedulerError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }
    let turns = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let scheduler = Scheduler::new(bus());
    for (id, turns) in ["a", "b"].into_iter().zip(&turns) {
        scheduler.register_background_task(id, Busy(turns.clone())).unwrap();
    }
    // All on the one thread of this test.
    scheduler.start().await.unwrap();
    while turns.iter().any(|turns| turns.load(Ordering::Relaxed) < 1_000) {
        tokio::task::yield_now().await;
    }
    assert!(scheduler.shutdown(Duration::from_secs(5)).await.is_clean());
}
