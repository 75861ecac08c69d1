//! What is left of a replacement that fails, for each step that can fail.

use std::time::Duration;

use hotbay_core::{
    ChannelConfig, EventBus,
    bus::WaitsFor,
    driver::ComponentPorts,
    scheduler::{ExecutionStatus, Scheduler, ShutdownLimits},
};
use hotbay_plugin_api::{BackgroundTask, EventHeader, EventTask};
use parking_lot::Mutex as Lock;

use super::*;

mod exclusive;

/// What the builds did, in order.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Lock<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// What a build does at the step that a test is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Save,
    Suspend,
    Resume,
    Create,
    Restore,
    Initialize,
    /// It listens to a channel that was never declared.
    Channel,
}

/// One build of a component. Its state is how many events it has handled.
struct Part {
    name: String,
    channel: ChannelName,
    fault: Fault,
    handled: u32,
    log: Log,
}

impl Part {
    fn step(&self, step: &str, fault: Fault) -> Result<(), SchedulerError> {
        self.log.add(format!("{} {step}", self.name));
        if self.fault == fault {
            return Err(SchedulerError::InvalidState(format!("no {step} today")));
        }
        Ok(())
    }
}

#[async_trait]
impl EventTask<ChannelName, Batch> for Part {
    fn subscribed_event(&self) -> &ChannelName {
        &self.channel
    }

    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        self.step("initialize", Fault::Initialize)
    }

    async fn handle_event(&mut self, _: Batch) -> Result<(), SchedulerError> {
        self.handled += 1;
        self.log.add(format!("{} handles {}", self.name, self.handled));
        Ok(())
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        if self.fault == Fault::Save {
            return Err(SchedulerError::State("the disk is full".to_owned()));
        }
        let bytes = self.handled.to_le_bytes().to_vec();
        Ok(Some(SavedState { version: 1, bytes }))
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        self.step("restore", Fault::Restore)?;
        let bytes = state.bytes.try_into().map_err(|_| state_error())?;
        self.handled = u32::from_le_bytes(bytes);
        Ok(())
    }

    async fn suspend(&mut self) -> Result<(), SchedulerError> {
        self.step("suspend", Fault::Suspend)
    }

    async fn resume(&mut self) -> Result<(), SchedulerError> {
        self.step("resume", Fault::Resume)
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.log.add(format!("{} shutdown", self.name));
        Ok(())
    }
}

fn state_error() -> SchedulerError {
    SchedulerError::State("four bytes are a state".to_owned())
}

/// Waits in its turn for room on the bus, so that the turn can't be dropped.
struct Stuck(ComponentSlot);

#[async_trait]
impl BackgroundTask for Stuck {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        let _waiting = self.0.wait(WaitsFor::Room);
        std::future::pending().await
    }

    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }
}

/// Makes parts of one generation.
#[derive(Debug)]
struct Parts {
    prefix: &'static str,
    faulty: (&'static str, Fault),
    handover: Handover,
    runtime: Handle,
    log: Log,
}

#[async_trait]
impl ComponentFactory for Parts {
    fn runtime(&self) -> &Handle {
        &self.runtime
    }

    async fn make(
        &self,
        setup: &ComponentSetup,
        _: &Services,
    ) -> Result<ComponentBuild, SchedulerError> {
        let id = setup.slot.id();
        let fault = if self.faulty.0 == id { self.faulty.1 } else { Fault::None };
        let name = format!("{} {id}", self.prefix);
        if fault == Fault::Create {
            return Err(SchedulerError::InvalidState("no create today".to_owned()));
        }
        let elsewhere = fault == Fault::Channel;
        let channel = ChannelName::from(if elsewhere { "elsewhere" } else { "ticks" });
        let part = Part { name, channel, fault, handled: 0, log: self.log.clone() };
        let task: ComponentTask = RegisteredTask::Event(Arc::new(Mutex::new(part)));
        Ok(ComponentBuild {
            task,
            options: setup.options(&self.runtime),
            report_gate: ReportGate::default(),
            handover: self.handover,
        })
    }
}

/// Two components, `first` and `second`, that run and handle events.
struct Running {
    scheduler: Scheduler<ChannelName, Batch>,
    services: Services,
    setups: Vec<(ComponentSetup, ComponentBuild)>,
    handover: Handover,
    log: Log,
}

impl Running {
    async fn start(faulty: (&'static str, Fault)) -> Self {
        Self::start_with(faulty, Handover::Overlapping).await
    }

    async fn start_with(faulty: (&'static str, Fault), handover: Handover) -> Self {
        let channels = vec![(ChannelName::from("ticks"), ChannelConfig::default())];
        let services = Services::new(EventBus::with_payload(channels));
        let scheduler = Scheduler::new(services.bus.clone());
        let log = Log::default();
        let runtime = Handle::current();
        let old = Parts { prefix: "old", faulty, handover, runtime, log: log.clone() };
        let mut setups = Vec::new();
        for id in ["first", "second"] {
            let setup = setup(id);
            let build = old.make(&setup, &services).await.unwrap();
            let (task, options) = (build.task.clone(), build.options.clone());
            scheduler.core().register(setup.id(), task, options).unwrap();
            setups.push((setup, build));
        }
        scheduler.start().await.unwrap();
        let running = Self { scheduler, services, setups, handover, log };
        running.publish().await;
        running
    }

    /// Publishes one event and waits until both components have handled it, if they run.
    async fn publish(&self) {
        let ids = self.setups.iter().map(|(setup, _)| setup.id());
        let turns = |id: &TaskId| self.scheduler.info(id).unwrap().turns;
        let before: Vec<_> = ids.map(|id| (turns(&id), id)).collect();
        let sender = self.services.bus.clone_sender(&"ticks".into()).unwrap();
        let header = EventHeader { time_ns: 0, seq: 0, source: 0, kind: 0, offset: 0, len: 0 };
        sender.send(Batch::copy_from(&[header], &[])).await.unwrap();
        for (turns_before, id) in before {
            while turns(&id) == turns_before {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn change(
        &self,
        faulty: (&'static str, Fault),
    ) -> Result<Vec<ReplacedComponent>, ReplaceError> {
        let log = self.log.clone();
        let (handover, runtime) = (self.handover, Handle::current());
        let new = Parts { prefix: "new", faulty, handover, runtime, log };
        let swaps: Vec<_> = self
            .setups
            .iter()
            .map(|(setup, old)| Swap { setup: setup.clone(), old: old.clone(), to: &new })
            .collect();
        replace(self.scheduler.core(), &swaps, &self.services, limits()).await.0
    }

    /// Asserts that both old builds go on as if nothing had happened.
    async fn expect_as_before(&self) {
        for (setup, old) in &self.setups {
            assert_eq!(self.scheduler.status(&setup.id()).unwrap(), ExecutionStatus::Running);
            assert_eq!(self.scheduler.info(&setup.id()).unwrap().last_error, None);
            let (RegisteredTask::Event(known), RegisteredTask::Event(old)) =
                (self.scheduler.task(&setup.id()).unwrap(), &old.task)
            else {
                panic!("they are event tasks");
            };
            assert!(Arc::ptr_eq(&known, old), "the old build is in its place");
        }
        self.log.0.lock().clear();
        self.publish().await;
        let mut lines = self.log.lines();
        lines.sort();
        assert_eq!(lines, ["old first handles 2", "old second handles 2"]);
        let stats = self.services.bus.stats(&"ticks".into()).unwrap();
        assert_eq!((stats.dropped(), stats.subscriptions.len()), (0, 2), "as many as before");
        let limits = ShutdownLimits::within(Duration::from_secs(5));
        assert!(self.scheduler.shutdown_with(limits).await.is_clean());
        assert_eq!(self.log.lines()[2..], ["old second shutdown", "old first shutdown"]);
    }
}

fn setup(id: &str) -> ComponentSetup {
    ComponentSetup {
        slot: ComponentSlot::new(id, 1),
        spec: crate::ComponentSpec::without_ports(id, serde_json::Value::Null),
        cancel: tokio_util::sync::CancellationToken::new(),
    }
}

fn limits() -> Limits {
    let second = Duration::from_secs(1);
    Limits { hold: second, initialize: second, on_failure: OnFailure::Fail }
}

/// Fails at this step of the second component, when the new build of the first is ready.
async fn fails_at(old: Fault, new: Fault, step: ReplaceStep) -> Vec<String> {
    let running = Running::start(("second", old)).await;
    let before = running.log.lines().len();
    let failed = running.change(("second", new)).await.expect_err("it is to fail");
    assert_eq!((failed.component.as_str(), failed.step), ("second", step));
    assert!(std::error::Error::source(&failed).is_some(), "it keeps its cause");
    let lines = running.log.lines()[before..].to_vec();
    running.expect_as_before().await;
    lines
}

#[tokio::test]
async fn new_builds_go_on_with_the_state_and_the_queue_of_the_old_ones() {
    let running = Running::start(("", Fault::None)).await;
    let changed = running.change(("", Fault::None)).await.unwrap();
    assert_eq!(changed.len(), 2);
    running.log.0.lock().clear();
    running.publish().await;
    let mut lines = running.log.lines();
    lines.sort();
    assert_eq!(lines, ["new first handles 2", "new second handles 2"]);
    assert_eq!(running.services.bus.stats(&"ticks".into()).unwrap().dropped(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_component_that_cannot_be_held_leaves_all_as_they_were_and_no_new_build_is_made() {
    let mut running = Running::start(("", Fault::None)).await;
    let stuck = setup("stuck");
    let task: ComponentTask =
        RegisteredTask::Background(Arc::new(Mutex::new(Stuck(stuck.slot.clone()))));
    let options = stuck.options(&Handle::current());
    running.scheduler.core().register(stuck.id(), task.clone(), options.clone()).unwrap();
    let handover = Handover::Overlapping;
    let seated = ComponentBuild { task, options, report_gate: ReportGate::default(), handover };
    while stuck.slot.waits_for() != WaitsFor::Room {
        tokio::task::yield_now().await;
    }
    running.setups.push((stuck.clone(), seated));
    let before = running.log.lines().len();
    let failed = running.change(("", Fault::None)).await.expect_err("it is to fail");
    assert_eq!((failed.component.as_str(), failed.step), ("stuck", ReplaceStep::Hold));
    assert!(matches!(failed.cause, Cause::Hold(_)));
    assert_eq!(running.log.lines().len(), before, "no build was made");
    assert_eq!(running.scheduler.status(&stuck.id()).unwrap(), ExecutionStatus::Running);
    running.setups.pop();
    running.expect_as_before().await;
}

#[tokio::test]
async fn a_state_that_cannot_be_saved_leaves_all_as_they_were_and_no_new_build_is_made() {
    let lines = fails_at(Fault::Save, Fault::None, ReplaceStep::SaveState).await;
    assert_eq!(lines, [""; 0]);
}

#[tokio::test]
async fn a_build_that_cannot_be_made_leaves_all_as_they_were_and_shuts_down_the_others() {
    let lines = fails_at(Fault::None, Fault::Create, ReplaceStep::Create).await;
    assert_eq!(lines, ["new first restore", "new first initialize", "new first shutdown"]);
}

#[tokio::test]
async fn a_build_that_cannot_restore_leaves_all_as_they_were_and_shuts_down_the_others() {
    let lines = fails_at(Fault::None, Fault::Restore, ReplaceStep::Restore).await;
    let first = ["new first restore", "new first initialize"];
    assert_eq!(lines, [&first[..], &["new second restore", "new first shutdown"]].concat());
}

#[tokio::test]
async fn a_build_that_cannot_initialize_leaves_all_as_they_were_and_is_shut_down_as_well() {
    let lines = fails_at(Fault::None, Fault::Initialize, ReplaceStep::Initialize).await;
    let made = ["new first restore", "new first initialize", "new second restore"];
    let ended = ["new second initialize", "new second shutdown", "new first shutdown"];
    assert_eq!(lines, [made, ended].concat());
}

#[tokio::test]
async fn a_build_that_does_not_fit_its_place_leaves_all_as_they_were_and_shuts_down_the_others() {
    let lines = fails_at(Fault::None, Fault::Channel, ReplaceStep::Install).await;
    let made = ["restore", "initialize"];
    let made = ["first", "second"].map(|id| made.map(|step| format!("new {id} {step}"))).concat();
    assert_eq!(lines[..4], made);
    assert_eq!(lines[4..], ["new first shutdown", "new second shutdown"]);
}
