//! What the scheduler promises to those who replace the builds of running tasks.

use hotbay_core::driver::{Core, HoldError};

use tokio::{task::yield_now, time::timeout};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

/// A scheduler with one event task, `sink`, that runs.
struct Running {
    scheduler: Scheduler<Event>,
    bus: EventBus<Event>,
    log: Log,
    id: TaskId,
    sink: Arc<Mutex<Sink>>,
    seen: mpsc::UnboundedReceiver<String>,
}

impl Running {
    async fn start() -> Self {
        let (bus, log) = (bus(), Log::default());
        let scheduler = Scheduler::new(bus.clone());
        let (sink, seen) = Sink::new("old", &log);
        let (sink, id) = (Arc::new(Mutex::new(sink)), TaskId::from("sink"));
        let options = TaskOptions::default();
        scheduler.register_shared_event_task(id.clone(), sink.clone(), options).expect("it is new");
        scheduler.start().await.expect("it starts once");
        Self { scheduler, bus, log, id, sink, seen }
    }

    fn core(&self) -> &Arc<Core<Event, String>> {
        self.scheduler.core()
    }

    async fn send(&self, text: &str) {
        let sender = self.bus.clone_sender(&Event::Tick).expect("it is declared");
        sender.send(text.to_owned()).await.expect("it is open");
    }

    async fn hold(&self) {
        self.core().hold(&self.id, LIMIT, LIMIT).await.expect("it runs");
    }

    /// Puts another build into the held place.
    fn put_in(&self, task: Arc<Mutex<Sink>>) {
        let task = RegisteredTask::Event(task);
        let prepared = self.core().prepare(&self.id, task, TaskOptions::default());
        let prepared = prepared.expect("it fits");
        assert_eq!(self.core().commit(vec![prepared]), []);
    }
}

fn next(log: &Log, handle: Behaviour) -> (Arc<Mutex<Sink>>, mpsc::UnboundedReceiver<String>) {
    let (mut sink, seen) = Sink::new("new", log);
    sink.handle = handle;
    (Arc::new(Mutex::new(sink)), seen)
}

#[tokio::test]
async fn a_successor_goes_on_with_what_was_queued_while_the_task_was_held() {
    let mut running = Running::start().await;
    running.send("1").await;
    assert_eq!(running.seen.recv().await.unwrap(), "1");
    running.hold().await;
    running.send("2").await;
    let (new, mut seen) = next(&running.log, Behaviour::Well);
    running.put_in(new);
    running.send("3").await;
    running.core().release(&running.id).unwrap();
    assert_eq!([seen.recv().await.unwrap(), seen.recv().await.unwrap()], ["2", "3"]);
    assert_eq!(running.log.lines(), ["old 1", "new 2", "new 3"]);
    assert_eq!(running.bus.stats(&Event::Tick).unwrap().dropped(), 0);
}

#[tokio::test]
async fn a_prepared_build_that_is_dropped_changes_nothing() {
    let mut running = Running::start().await;
    running.hold().await;
    let (new, _seen) = next(&running.log, Behaviour::Well);
    let task = RegisteredTask::Event(new);
    drop(running.core().prepare(&running.id, task, TaskOptions::default()).unwrap());
    running.core().release(&running.id).unwrap();
    running.send("1").await;
    assert_eq!(running.seen.recv().await.unwrap(), "1");
    assert_eq!(running.log.lines(), ["old 1"]);
}

#[tokio::test]
async fn a_build_that_does_not_fit_is_refused_when_it_is_prepared() {
    let running = Running::start().await;
    let (new, _seen) = next(&running.log, Behaviour::Well);
    let prepare = |task, options| running.core().prepare(&running.id, task, options);
    let error = prepare(RegisteredTask::Event(new.clone()), TaskOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "the task is running", "it has to be held first");
    running.hold().await;
    let source = RegisteredTask::Background(Arc::new(Mutex::new(Source::new(&running.bus, 0))));
    let error = prepare(source, TaskOptions::default()).unwrap_err();
    assert!(error.to_string().contains("driven in another way"), "{error}");
    let locked = new.lock().await;
    let error = prepare(RegisteredTask::Event(new.clone()), TaskOptions::default()).unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    drop(locked);
}

#[tokio::test]
async fn a_build_whose_task_ended_in_a_shutdown_is_left_to_its_owner() {
    let running = Running::start().await;
    running.hold().await;
    let (new, _seen) = next(&running.log, Behaviour::Well);
    let task = RegisteredTask::Event(new);
    let prepared = running.core().prepare(&running.id, task, TaskOptions::default()).unwrap();
    running.scheduler.shutdown().await.unwrap();
    assert_eq!(running.core().commit(vec![prepared]), std::slice::from_ref(&running.id));
    assert_eq!(running.scheduler.status(&running.id).unwrap(), ExecutionStatus::Stopped);
    assert!(running.core().release(&running.id).is_err());
    assert_eq!(running.log.lines(), ["old shutdown"], "once, and of the build that ran");
}

#[tokio::test]
async fn what_a_build_failed_on_while_on_probation_comes_again_to_the_build_before() {
    let mut running = Running::start().await;
    running.hold().await;
    let (new, _seen) = next(&running.log, Behaviour::Fail);
    running.put_in(new);
    running.core().begin_probation(&running.id);
    running.core().release(&running.id).unwrap();
    running.send("1").await;
    running.send("2").await;
    let error = running.core().faulted(&running.id).await;
    assert_eq!(error, SchedulerError::TaskExecution("the feed is gone".to_owned()));
    assert_eq!(running.scheduler.status(&running.id).unwrap(), ExecutionStatus::Held);

    running.core().end_probation(&running.id);
    running.put_in(running.sink.clone());
    running.core().release(&running.id).unwrap();
    let seen = [running.seen.recv().await.unwrap(), running.seen.recv().await.unwrap()];
    assert_eq!(seen, ["1", "2"]);
    assert_eq!(running.log.lines(), ["new 1", "old 1", "old 2"]);
    assert_eq!(running.scheduler.info(&running.id).unwrap().last_error, None);
}

#[tokio::test]
async fn a_failure_on_probation_that_is_confirmed_ends_the_task() {
    let running = Running::start().await;
    running.hold().await;
    let (new, _seen) = next(&running.log, Behaviour::Panic);
    running.put_in(new);
    running.core().begin_probation(&running.id);
    running.core().release(&running.id).unwrap();
    running.send("1").await;
    let error = running.core().faulted(&running.id).await;
    running.core().confirm(&running.id);
    let status = running.scheduler.wait(&running.id).await.unwrap();
    assert_eq!(status, ExecutionStatus::Failed { error });
    assert_eq!(running.core().fault(&running.id), None);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_come_to_a_boundary_is_not_held_and_goes_on() {
    let running = Running::start().await;
    let held = running.sink.lock().await;
    running.send("1").await;
    while running.bus.stats(&Event::Tick).unwrap().queued > 0 {
        yield_now().await;
    }
    let limit = Duration::from_secs(1);
    let error = running.core().hold(&running.id, limit / 4, limit).await.unwrap_err();
    assert_eq!(error, HoldError::Busy(limit));
    drop(held);
    let mut running = running;
    assert_eq!(running.seen.recv().await.unwrap(), "1");
    running.send("2").await;
    assert_eq!(running.seen.recv().await.unwrap(), "2", "nobody holds it any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn holding_a_task_again_and_again_loses_no_event_and_changes_no_order() {
    const EVENTS: usize = 2_000;
    let mut running = Running::start().await;
    let source = Source::new(&running.bus, EVENTS);
    running.scheduler.register_background_task_as("source", source).unwrap();
    for number in 0..EVENTS {
        if number % 20 == 0 {
            running.hold().await;
            running.core().release(&running.id).unwrap();
        }
        assert_eq!(running.seen.recv().await.unwrap(), number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_was_given_up_does_not_disturb_the_one_that_takes_its_place() {
    let bus = bus();
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let scheduler = Scheduler::new(bus.clone());
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(std::sync::Mutex::new(())));
    let blocks = Blocks { entered: entered.clone(), release: release.clone() };
    let options = TaskOptions::default().with_runtime(own.handle().clone());
    let id = TaskId::from("task");
    let (hold, held) = std::sync::mpsc::channel();
    let (let_go, go) = std::sync::mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        let _guard = release.lock();
        let told = hold.send(());
        (told, go.recv())
    });
    held.recv().unwrap();
    scheduler.register_background_task_with(id.clone(), blocks, options).unwrap();
    scheduler.start().await.unwrap();
    entered.notified().await;

    let moment = Duration::from_millis(20);
    assert!(!scheduler.core().take_out(&id, moment, moment).await, "it blocks its thread");
    assert_eq!(scheduler.status(&id).unwrap(), ExecutionStatus::DidNotStop);
    scheduler.core().vacate(&id);
    let next = Source::new(&bus, 0).then(Behaviour::WaitForEver);
    let next = RegisteredTask::Background(Arc::new(Mutex::new(next)));
    scheduler.core().begin_again(&id, next, TaskOptions::default()).unwrap();
    let mut status = scheduler.watch(&id).unwrap();
    status.wait_for(|status| *status == ExecutionStatus::Running).await.unwrap();

    let_go.send(()).unwrap();
    assert!(holder.join().is_ok());
    // Its thread is joined here, so its driver has come to its end.
    tokio::task::spawn_blocking(move || drop(own)).await.unwrap();
    assert_eq!(scheduler.status(&id).unwrap(), ExecutionStatus::Running);
    assert!(scheduler.shutdown_within(LIMIT).await.is_clean());
}

#[tokio::test]
async fn a_hold_that_is_given_up_half_way_lets_the_task_go_on() {
    let mut running = Running::start().await;
    let sink = running.sink.clone().lock_owned().await;
    running.send("1").await;
    let taken = async {
        while running.bus.stats(&Event::Tick).unwrap().queued > 0 {
            yield_now().await;
        }
    };
    timeout(LIMIT, taken).await.expect("it is taken");
    running.send("2").await;
    // The event in hand waits for the lock of the task, and the hold waits for the event.
    let moment = Duration::from_millis(20);
    assert!(timeout(moment, running.core().hold(&running.id, moment, LIMIT)).await.is_err());
    drop(sink);
    assert_eq!(running.seen.recv().await.unwrap(), "1");
    assert_eq!(running.seen.recv().await.unwrap(), "2");
    assert_eq!(running.scheduler.status(&running.id).unwrap(), ExecutionStatus::Running);
}

#[tokio::test]
async fn waiting_for_all_tasks_ends_when_the_last_one_left_is_forgotten() {
    let running = Running::start().await;
    assert!(running.core().take_out(&running.id, LIMIT, LIMIT).await);
    running.core().vacate(&running.id);
    let scheduler = running.scheduler.clone();
    let waiting = tokio::spawn(async move { scheduler.wait_all().await });
    yield_now().await;
    assert!(!waiting.is_finished(), "its place waits for another build");
    drop(running.core().forget(&running.id));
    timeout(LIMIT, waiting).await.expect("it ends").unwrap();
}
