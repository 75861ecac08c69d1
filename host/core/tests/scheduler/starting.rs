//! What the scheduler promises about registering and starting tasks.

use super::*;

#[tokio::test]
async fn a_task_that_cannot_initialize_gets_no_events_and_the_others_run() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let (mut bad, _seen) = Sink::new("bad", &log);
    bad.initialize = Behaviour::Panic;
    let bad = scheduler.register_event_task_as("bad", bad).unwrap();
    let (good, mut seen) = Sink::new("good", &log);
    scheduler.register_event_task_as("good", good).unwrap();
    scheduler.start().await.unwrap();
    assert!(matches!(scheduler.status(&bad).unwrap(), ExecutionStatus::Failed { .. }));
    bus.clone_sender(&Event::Tick).unwrap().send("1".to_owned()).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "1");
    assert!(scheduler.shutdown_within(Duration::from_secs(5)).await.is_clean());
    assert_eq!(log.lines(), ["good 1", "good shutdown", "bad shutdown"]);
}

#[tokio::test]
async fn a_task_registered_on_a_running_scheduler_starts_at_once_and_misses_nothing() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    scheduler.start().await.unwrap();
    let (late, mut seen) = Sink::new("late", &log);
    scheduler.register_event_task_as("late", late).unwrap();
    bus.clone_sender(&Event::Tick).unwrap().send("1".to_owned()).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "1");
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_and_named() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    scheduler.register_background_task_as("one", Source::new(&bus, 0)).unwrap();
    let error = scheduler.register_background_task_as("one", Source::new(&bus, 0)).unwrap_err();
    assert_eq!(error, SchedulerError::DuplicateTask(TaskId::from("one")));

    let elsewhere = EventBus::new(vec![(Event::Signal, ChannelConfig::default())]);
    let (sink, _seen) = Sink::new("sink", &log);
    let error = Scheduler::new(elsewhere).register_event_task_as("sink", sink).unwrap_err();
    assert_eq!(error, SchedulerError::InvalidChannel("Tick".to_owned()));

    let error = scheduler.status(&TaskId::from("two")).unwrap_err();
    assert_eq!(error, SchedulerError::TaskNotFound(TaskId::from("two")));
    assert!(scheduler.shutdown_within(Duration::from_secs(1)).await.is_clean());
    let error = scheduler.register_background_task_as("two", Source::new(&bus, 0)).unwrap_err();
    assert!(matches!(error, SchedulerError::InvalidState(_)));
    assert!(matches!(scheduler.start().await, Err(SchedulerError::InvalidState(_))));
}

#[tokio::test]
async fn tasks_can_be_registered_without_names_and_get_names_of_their_own() {
    let (bus, log) = (bus(), Log::default());
    let scheduler = Scheduler::new(bus.clone());
    let source = Arc::new(Mutex::new(Source::new(&bus, 1)));
    scheduler.register_background_task_as("event-2", Source::new(&bus, 0)).unwrap();
    let (sink, mut seen) = Sink::new("sink", &log);
    let sink = scheduler.register_event_task(Arc::new(Mutex::new(sink)));
    let source_id = scheduler.register_background_task(source.clone());
    assert_eq!([sink.as_str(), source_id.as_str()], ["event-3", "background-3"]);
    scheduler.start().await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "0");
    assert_eq!(scheduler.wait(&source_id).await.unwrap(), ExecutionStatus::Finished);
    assert_eq!(source.lock().await.next, 1);
}

#[tokio::test]
async fn a_task_that_could_not_be_registered_keeps_the_scheduler_from_starting_and_says_why() {
    let elsewhere = EventBus::new(vec![(Event::Signal, ChannelConfig::default())]);
    let scheduler = Scheduler::new(elsewhere);
    let (sink, _seen) = Sink::new("sink", &Log::default());
    let id = scheduler.register_event_task(Arc::new(Mutex::new(sink)));
    let error = SchedulerError::InvalidChannel("Tick".to_owned());
    let failed = ExecutionStatus::Failed { error: error.clone() };
    assert_eq!(scheduler.status(&id).unwrap(), failed);
    assert_eq!(scheduler.start().await, Err(error));
    assert_eq!(scheduler.shutdown().await, Ok(()));
}
