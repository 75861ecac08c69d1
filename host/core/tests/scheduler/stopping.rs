//! What the scheduler promises about a shutdown.

use super::*;

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
        tokio::spawn(async move { scheduler.shutdown_within(Duration::from_secs(10)).await })
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
async fn limits_without_end_are_as_good_as_long_ones() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let source = Source::new(&bus, 1);
    let outputs = TaskOptions::default().with_outputs([Event::Tick]);
    scheduler.register_background_task_with("source", source, outputs).unwrap();
    let (sink, _seen) = Sink::new("sink", &log);
    let sink = Arc::new(Mutex::new(sink));
    scheduler.register_shared_event_task("sink", sink, TaskOptions::default()).unwrap();
    scheduler.start().await.unwrap();
    assert!(scheduler.shutdown_within(Duration::MAX).await.is_clean());
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
        tokio::spawn(async move { scheduler.shutdown_within(Duration::from_secs(10)).await })
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
    scheduler.register_event_task_as("sink", sink).unwrap();
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
    let id = scheduler.register_event_task_as("sink", sink).unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_blocks_its_thread_is_named_and_nobody_else_suffers() {
    let (bus, log) = (bus(), Log::default());
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let scheduler = Scheduler::new(bus);
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(std::sync::Mutex::new(())));
    let (sink, _seen) = Sink::new("sink", &log);
    scheduler.register_event_task_as("sink", sink).unwrap();
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
    let report = scheduler.shutdown_within(Duration::from_millis(400)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(report.did_not_stop, std::slice::from_ref(&id));
    assert_eq!(scheduler.status(&id).unwrap(), ExecutionStatus::DidNotStop);
    assert_eq!(log.lines(), ["sink shutdown"]);

    let_go.send(()).unwrap();
    let mut status = scheduler.watch(&id).unwrap();
    status.wait_for(|status| *status == ExecutionStatus::Stopped).await.unwrap();
    let again = scheduler.shutdown_within(Duration::from_secs(5)).await;
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
    let id = scheduler.register_event_task_as("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    let report = scheduler.shutdown_within(Duration::from_secs(5)).await;
    let panicked = SchedulerError::TaskPanicked("index 7 out of bounds".to_owned());
    assert_eq!(report.failed_hooks, [(id.clone(), panicked.clone())]);
    assert_eq!(scheduler.info(&id).unwrap().last_error, Some(panicked));
    assert!(scheduler.shutdown_within(Duration::from_secs(5)).await.is_clean());
    assert_eq!(log.lines(), ["sink shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_does_not_end_is_named() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus);
    let (mut sink, _seen) = Sink::new("sink", &log);
    sink.shutdown = Behaviour::WaitForEver;
    let id = scheduler.register_event_task_as("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    let report = scheduler.shutdown_within(Duration::from_secs(5)).await;
    assert_eq!(report.did_not_stop, [id]);
}

#[tokio::test]
async fn a_shutdown_ends_an_initialization_that_hangs() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus);
    let (mut sink, _seen) = Sink::new("sink", &log);
    sink.initialize = Behaviour::WaitForEver;
    let id = scheduler.register_event_task_as("sink", sink).unwrap();
    let starting = {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.start().await })
    };
    let mut status = scheduler.watch(&id).unwrap();
    status.wait_for(|status| *status == ExecutionStatus::Initializing).await.unwrap();
    let report = scheduler.shutdown_within(Duration::from_millis(400)).await;
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
    let id = scheduler
        .register_background_task_as("task", Holds(alive.clone(), entered.clone()))
        .unwrap();
    let mut status = scheduler.watch(&id).unwrap();
    scheduler.start().await.unwrap();
    entered.notified().await;
    drop(scheduler);
    status.wait_for(|status| *status == ExecutionStatus::Stopped).await.unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_shutdown_that_is_only_asked_whether_it_went_well_names_what_went_wrong_first() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus);
    let (mut sink, _seen) = Sink::new("sink", &log);
    sink.shutdown = Behaviour::Fail;
    scheduler.register_event_task_as("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    let error = scheduler.shutdown().await.unwrap_err();
    let text = "sink: execution failed: the feed is gone".to_owned();
    assert_eq!(error, SchedulerError::TaskShutdown(text));
    assert_eq!(scheduler.shutdown().await, Ok(()), "a second call has nothing to stop");
}
