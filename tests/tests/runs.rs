//! Runs of tasks: each has its id, its arguments, its result and its cancellation. The plugin
//! is linked in, and takes the same path through a bay as one that is loaded.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{num::NonZeroUsize, time::Duration};

use hotbay::runtime::{
    BayConfig, ComponentSetup, ComponentSlot, ComponentSpec, Generation, RunFactory, Services,
    UnloadOutcome,
};
use hotbay_plugin_api::{RunInfo, prelude::*, spec::RunTarget};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Deserialize, JsonSchema)]
struct Range {
    from: u64,
    to: u64,
}

#[derive(Serialize)]
struct Sum {
    sum: u64,
    attempt: u32,
}

const PLUGIN_TASKS: &[PluginTask] = &[
    PluginTask::new("waits", run_async!(waits)),
    PluginTask::new("blocks", run_sync!(blocks)),
    PluginTask::new("panics", run_async!(panics)),
    PluginTask::new("panics-sync", run_sync!(panics_sync)),
    PluginTask::new("says-nothing", run_async!(says_nothing)),
    PluginTask { arguments: Some(schema_of::<Range>), ..PluginTask::new("adds", run_sync!(adds)) },
];

const PLUGIN_TASK_KINDS: &[PluginTaskKind] = &[PluginTaskKind {
    description: "Adds up a range",
    ..PluginTaskKind::new::<Range>("adds-up", run_sync!(adds))
}];

/// Waits until its own run is told to stop, and says which run that was.
async fn waits(context: Context) -> Result<String, SchedulerError> {
    context.cancelled().await;
    Ok(id(&context))
}

/// The same on a thread of its own.
fn blocks(context: Context) -> Result<String, SchedulerError> {
    while !context.is_cancelled() {
        std::thread::yield_now();
    }
    Ok(id(&context))
}

fn id(context: &Context) -> String {
    context.run().map(|run| run.id.clone()).unwrap_or_default()
}

async fn panics(_: Context) -> Result<Value, SchedulerError> {
    panic!("in an async run");
}

fn panics_sync(_: Context) -> Result<(), SchedulerError> {
    panic!("in a sync run");
}

async fn says_nothing(_: Context) -> Result<(), SchedulerError> {
    Ok(())
}

fn adds(context: Context) -> Result<Sum, SchedulerError> {
    let Range { from, to } = context.arguments()?;
    let attempt = context.run().map_or(0, |run| run.attempt);
    Ok(Sum { sum: (from..=to).sum(), attempt })
}

export_plugin! { tasks: PLUGIN_TASKS, task_kinds: PLUGIN_TASK_KINDS }

async fn plugin() -> Generation {
    let bay = BayConfig { name: "runs".to_owned(), threads: NonZeroUsize::MIN };
    Generation::linked(hotbay_plugin(), &bay).await.unwrap()
}

fn task(name: &str) -> RunTarget {
    RunTarget::Task(name.to_owned())
}

fn runs(plugin: &Generation, target: RunTarget) -> RunFactory {
    let bus = hotbay::EventBus::<ChannelName, Batch>::try_with_payload(Vec::new()).unwrap();
    let setup = ComponentSetup {
        slot: ComponentSlot::new("runs/task", 0),
        spec: ComponentSpec::without_ports("task", json!({})),
        cancel: CancellationToken::new(),
    };
    plugin.runs(target, setup, &Services::new(bus)).unwrap()
}

/// A run under way, and what tells it to stop.
struct UnderWay {
    cancel: CancellationToken,
    ended: JoinHandle<Result<Value, SchedulerError>>,
}

impl UnderWay {
    async fn begin(plugin: &Generation, runs: &RunFactory, id: &str, arguments: Value) -> Self {
        let (info, cancel) = (RunInfo { id: id.to_owned(), attempt: 2 }, CancellationToken::new());
        let run = runs.create(info, arguments, cancel.clone()).await.unwrap();
        let ended = plugin.handle().spawn(async move { run.run().await });
        Self { cancel, ended }
    }

    async fn end(self) -> Result<Value, SchedulerError> {
        timeout(LIMIT, self.ended).await.expect("the run ends").unwrap()
    }
}

async fn once(target: RunTarget, arguments: Value) -> Result<Value, SchedulerError> {
    let plugin = plugin().await;
    let runs = runs(&plugin, target);
    let result = UnderWay::begin(&plugin, &runs, "first", arguments).await.end().await;
    drop(runs);
    assert_eq!(plugin.close(LIMIT).await, UnloadOutcome::Linked);
    result
}

async fn two_runs_are_cancelled_alone(name: &str) {
    let plugin = plugin().await;
    let runs = runs(&plugin, task(name));
    let first = UnderWay::begin(&plugin, &runs, "first", json!({})).await;
    let second = UnderWay::begin(&plugin, &runs, "second", json!({})).await;
    second.cancel.cancel();
    assert_eq!(second.end().await.unwrap(), json!("second"));
    assert!(!first.ended.is_finished(), "the first run was told to stop too");
    first.cancel.cancel();
    assert_eq!(first.end().await.unwrap(), json!("first"));
    assert_eq!(plugin.close(LIMIT).await, UnloadOutcome::Linked);
}

#[tokio::test]
async fn two_runs_of_one_task_are_under_way_at_once_and_each_is_cancelled_alone() {
    two_runs_are_cancelled_alone("waits").await;
}

#[tokio::test]
async fn two_runs_of_one_sync_task_are_under_way_at_once_and_each_is_cancelled_alone() {
    two_runs_are_cancelled_alone("blocks").await;
}

#[tokio::test]
async fn arguments_go_to_a_run_and_its_result_comes_back() {
    let result = once(task("adds"), json!({ "from": 1, "to": 4 })).await;
    assert_eq!(result.unwrap(), json!({ "sum": 10, "attempt": 2 }));
    assert_eq!(once(task("says-nothing"), json!({})).await.unwrap(), Value::Null);
}

#[tokio::test]
async fn an_argument_that_does_not_fit_is_the_runs_failure_with_its_name() {
    let error = once(task("adds"), json!({ "from": 1, "to": "four" })).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "wrong configuration: runs/task: arguments.to: invalid type: string \"four\", expected u64"
    );
}

#[tokio::test]
async fn a_run_that_panics_fails_alone() {
    for (name, said) in [("panics", "in an async run"), ("panics-sync", "in a sync run")] {
        let plugin = plugin().await;
        let (waits, panics) = (runs(&plugin, task("waits")), runs(&plugin, task(name)));
        let other = UnderWay::begin(&plugin, &waits, "other", json!({})).await;
        let error = UnderWay::begin(&plugin, &panics, "it", json!({})).await.end().await;
        assert_eq!(error, Err(SchedulerError::TaskPanicked(said.to_owned())));
        other.cancel.cancel();
        assert_eq!(other.end().await.unwrap(), json!("other"));
    }
}

#[tokio::test]
async fn a_run_of_a_task_kind_takes_the_same_path_with_its_parameters() {
    let kind = RunTarget::TaskKind("adds-up".to_owned());
    let result = once(kind, json!({ "from": 1, "to": 100 })).await;
    assert_eq!(result.unwrap()["sum"], json!(5_050));
    let manifest = plugin().await.info().manifest.clone();
    let kind = &manifest.task_kinds[0];
    assert_eq!((kind.name.as_str(), kind.description.as_str()), ("adds-up", "Adds up a range"));
    assert_eq!(kind.parameters["required"], json!(["from", "to"]));
}

#[tokio::test]
async fn no_run_can_be_made_or_begun_once_the_plugin_is_closed() {
    let plugin = plugin().await;
    let waits = runs(&plugin, task("waits"));
    let info = || RunInfo { id: "late".to_owned(), attempt: 1 };
    let made = waits.create(info(), json!({}), CancellationToken::new()).await.unwrap();
    assert_eq!(plugin.close(LIMIT).await, UnloadOutcome::Linked);
    let unloaded = SchedulerError::InvalidState("its plugin was unloaded".to_owned());
    let late = waits.create(info(), json!({}), CancellationToken::new()).await;
    assert_eq!(late.unwrap_err(), unloaded);
    assert_eq!(made.run().await.unwrap_err(), unloaded);
}
