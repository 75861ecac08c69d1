//! What the scheduler promises about tasks that run.

use super::*;

#[tokio::test]
async fn the_end_of_a_source_reaches_its_subscriber_after_all_of_its_events() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let outputs = TaskOptions::default().with_outputs([Event::Tick]);
    let source = Source::new(&bus, 3);
    let source = scheduler.register_background_task_with("source", source, outputs).unwrap();
    let (sink, _seen) = Sink::new("sink", &log);
    let sink = scheduler.register_event_task_as("sink", sink).unwrap();
    scheduler.start().await.unwrap();
    scheduler.wait_all().await;
    assert_eq!(scheduler.status(&source).unwrap(), ExecutionStatus::Finished);
    assert_eq!(scheduler.wait(&sink).await.unwrap(), ExecutionStatus::Finished);
    assert_eq!(log.lines(), ["sink 0", "sink 1", "sink 2", "sink end"]);
    let info = scheduler.info(&sink).unwrap();
    assert_eq!((info.turns, info.events, info.last_error), (3, 3, None));
    assert!(info.started.is_some() && info.ended.is_some());

    assert!(scheduler.shutdown_within(Duration::from_secs(5)).await.is_clean());
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
    scheduler.register_event_task_as("sink", sink).unwrap();
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
        ids.push((scheduler.register_event_task_as(id, sink).unwrap(), seen));
    }
    let (well, mut seen) = Sink::new("well", &log);
    let well = scheduler.register_event_task_as("well", well).unwrap();
    let fails = Source::new(&bus, 100).then(Behaviour::Fail);
    let source = scheduler.register_background_task_as("source", fails).unwrap();
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

    assert!(scheduler.shutdown_within(Duration::from_secs(5)).await.is_clean());
    let hooks: Vec<_> = log.lines().into_iter().filter(|line| line.ends_with("down")).collect();
    assert_eq!(hooks, ["well shutdown", "panics shutdown", "fails shutdown"]);
    assert_eq!(scheduler.status(&ids[0].0).unwrap(), gone, "a hook does not hide why");
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
    let report = scheduler.shutdown_within(Duration::from_secs(2)).await;
    assert_eq!((report.did_not_stop, report.failed_hooks.len()), (vec![], 1));
}

#[tokio::test]
async fn a_task_whose_runtime_is_gone_before_it_starts_is_failed_and_holds_nobody_up() {
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let options = TaskOptions::default().with_runtime(own.handle().clone());
    own.shutdown_background();
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let (sink, _seen) = Sink::new("sink", &log);
    let id = scheduler.register_event_task_with("sink", sink, options).unwrap();
    scheduler.start().await.unwrap();
    let status = scheduler.wait(&id).await.unwrap();
    assert!(status.to_string().contains("runtime"), "{status}");
    assert_eq!(bus.stats(&Event::Tick).unwrap().subscriptions, [], "its input is gone");
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
        scheduler.register_background_task_as(id, Busy(turns.clone())).unwrap();
    }
    // All on the one thread of this test.
    scheduler.start().await.unwrap();
    while turns.iter().any(|turns| turns.load(Ordering::Relaxed) < 1_000) {
        tokio::task::yield_now().await;
    }
    assert!(scheduler.shutdown_within(Duration::from_secs(5)).await.is_clean());
}

#[tokio::test]
async fn a_status_can_be_watched() {
    let bus = bus();
    let scheduler = Scheduler::new(bus.clone());
    let task = Source::new(&bus, 0).then(Behaviour::WaitForEver);
    let id = scheduler.register_background_task_as("source", task).unwrap();
    let mut status = scheduler.watch(&id).unwrap();
    assert_eq!(*status.borrow(), ExecutionStatus::Registered);
    scheduler.start().await.unwrap();
    status.wait_for(|status| *status == ExecutionStatus::Running).await.unwrap();
    let stopping = {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.shutdown_within(Duration::from_secs(2)).await })
    };
    status.wait_for(|status| *status == ExecutionStatus::Stopped).await.unwrap();
    assert!(stopping.await.unwrap().is_clean());
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
