//! What a component or task gets from its host.

use std::{fmt, sync::Arc, time::Duration};

use abi_stable::std_types::{RBox, ROption, RStr};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    ChannelName, Publisher, SchedulerError, Subscription, Subscriptions,
    abi::{Host_TO, Inbox_TO, PublishWait, SharedCounter, SharedGauge},
    batch::EventHeader,
    spec::{RunInfo, RunRequest},
};

/// The kind of time that a pipeline uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Events come from a recording: wait for data, never for the clock.
    Replay,
    /// Events come as they happen: what is late beyond the lateness is not waited for.
    Live,
}

/// The host, as one component or one run of a task sees it. Cheap to clone.
///
/// Ask the host for the time and for sleeping, not the system: then a test or a
/// replay can hold the clock.
#[derive(Clone)]
pub struct Context {
    pub(crate) host: Arc<Host_TO<'static, RBox<()>>>,
    /// The request of the run; `None` in a component.
    run: Option<Arc<RunRequest>>,
}

impl Context {
    pub(crate) fn new(host: Host_TO<'static, RBox<()>>) -> Self {
        Self { host: Arc::new(host), run: None }
    }

    /// The same host, as a run sees it.
    pub(crate) fn of_run(self, request: RunRequest) -> Self {
        Self { run: Some(Arc::new(request)), ..self }
    }

    /// The id of this component in its pipeline, or the task's name.
    pub fn id(&self) -> &str {
        self.host.id().as_str()
    }

    /// The number under which this component's events carry their source.
    pub fn source(&self) -> u32 {
        self.host.source()
    }

    /// The configuration, as the type that the author gave it.
    ///
    /// # Errors
    /// [`SchedulerError::Configuration`] with the path of the value at fault.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, SchedulerError> {
        parse_config(self.host.config().as_str()).map_err(|(path, message)| {
            let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
            SchedulerError::Configuration(format!("{}: {at}{message}", self.id()))
        })
    }

    /// Returns the run of a task that this is; `None` in a component.
    ///
    /// Two runs of one task may be under way at once. Each has a context of its own, and
    /// [`is_cancelled`](Self::is_cancelled) is about that run alone.
    pub fn run(&self) -> Option<&RunInfo> {
        self.run.as_deref().map(|run| &run.info)
    }

    /// The arguments of this run, as the type that the author gave them.
    ///
    /// # Errors
    /// [`SchedulerError::Configuration`] with the path of the value at fault; also in a
    /// component, which has no arguments.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, SchedulerError> {
        let arguments = self.run.as_ref().map_or(&Value::Null, |run| &run.arguments);
        parse_config(&arguments.to_string()).map_err(|(path, message)| {
            let at = if path.is_empty() { String::new() } else { format!(".{path}") };
            SchedulerError::Configuration(format!("{}: arguments{at}: {message}", self.id()))
        })
    }

    /// Returns the mode of the pipeline: live, or the replay of a recording.
    pub fn mode(&self) -> Mode {
        if self.host.is_replay() { Mode::Replay } else { Mode::Live }
    }

    /// The channels that an input port is connected to, in the configuration's order.
    pub fn inputs(&self, port: &str) -> Vec<ChannelName> {
        self.host
            .input(RStr::from(port))
            .iter()
            .map(|name| ChannelName::from(name.as_str()))
            .collect()
    }

    /// The one channel that an input port is connected to.
    ///
    /// # Errors
    /// If it is connected to none or to several.
    pub fn input(&self, port: &str) -> Result<ChannelName, SchedulerError> {
        let mut channels = self.inputs(port);
        match (channels.pop(), channels.len()) {
            (Some(channel), 0) => Ok(channel),
            (Some(_), more) => Err(SchedulerError::Configuration(format!(
                "{}: input `{port}` takes one channel, found {}",
                self.id(),
                more + 1
            ))),
            (None, _) => Err(SchedulerError::Configuration(format!(
                "{}: input `{port}` is not connected; name a channel for it under `inputs`",
                self.id()
            ))),
        }
    }

    /// A publisher on an output port.
    ///
    /// # Errors
    /// If the port is not connected.
    pub fn publisher(&self, port: &str) -> Result<Publisher, SchedulerError> {
        self.optional_publisher(port).ok_or_else(|| {
            SchedulerError::Configuration(format!(
                "{}: output `{port}` is not connected; name a channel for it under `outputs`",
                self.id()
            ))
        })
    }

    /// A publisher on an output port that may be unconnected.
    pub fn optional_publisher(&self, port: &str) -> Option<Publisher> {
        let output = self.host.output(RStr::from(port)).into_option()?;
        Some(Publisher::new(self.clone(), output))
    }

    /// Subscribes to a channel that is connected to one of this component's inputs.
    ///
    /// # Errors
    /// If the channel is none of them.
    pub fn subscribe(&self, channel: &ChannelName) -> Result<Subscription, SchedulerError> {
        let inbox: Inbox_TO<'static, RBox<()>> =
            self.host.subscribe(RStr::from(channel.as_str())).into_result()?;
        Ok(Subscription::new(channel.clone(), inbox))
    }

    /// Subscribes to all channels that are connected to an input port, in the order of the
    /// configuration.
    ///
    /// # Errors
    /// If the component can't subscribe to one of them.
    pub fn subscribe_all(&self, port: &str) -> Result<Subscriptions, SchedulerError> {
        let subscriptions: Result<Vec<_>, _> =
            self.inputs(port).iter().map(|channel| self.subscribe(channel)).collect();
        Ok(Subscriptions::new(subscriptions?))
    }

    /// The host's clock: nanoseconds since 1970, UTC.
    ///
    /// It never runs back, not even if the system's clock is set back while the host runs.
    pub fn now_ns(&self) -> i64 {
        self.host.now_ns()
    }

    /// Sleeps on the host's clock.
    pub async fn sleep(&self, duration: Duration) {
        self.host.sleep(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
    }

    /// Returns `true` if the host has asked this component or run to stop.
    pub fn is_cancelled(&self) -> bool {
        self.host.is_cancelled()
    }

    /// Waits until the host asks this component or run to stop.
    pub async fn cancelled(&self) {
        self.host.cancelled().await;
    }

    /// A counter of this component, shown in the host's status and report.
    ///
    /// Ask for it once and keep it: adding to it costs next to nothing, finding it does not.
    pub fn counter(&self, name: &str) -> Counter {
        Counter(self.host.counter(RStr::from(name)))
    }

    /// A gauge of this component, shown in the host's status and report.
    ///
    /// Ask for it once and keep it, as with a [counter](Self::counter).
    pub fn gauge(&self, name: &str) -> Gauge {
        Gauge(self.host.gauge(RStr::from(name)))
    }

    /// Tells how far a long job is, in any unit: bytes read, lines done.
    pub fn progress(&self, done: u64, total: u64) {
        self.host.progress(done, total);
    }

    /// Puts a row into a section of the host's final report.
    ///
    /// Give a struct: its fields are the columns. Rows of the same section stand
    /// in one table, whichever component gave them.
    pub fn report(&self, section: &str, row: &impl Serialize) {
        match serde_json::to_string(row) {
            Ok(json) => self.host.report(RStr::from(section), RStr::from(json.as_str())),
            Err(error) => tracing::error!(%error, section, "a report row is not plain data"),
        }
    }

    pub(crate) fn next_seq(&self, output: u32) -> u64 {
        self.host.next_seq(output)
    }

    pub(crate) fn publish(
        &self,
        output: u32,
        headers: &[EventHeader],
        bytes: &[u8],
    ) -> Result<PublishWait, SchedulerError> {
        Ok(self.host.publish(output, headers.into(), bytes.into()).into_result()?)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A number that only grows. Clones are the same counter.
#[derive(Debug, Clone)]
pub struct Counter(SharedCounter);

impl Counter {
    /// Adds to the counter, which stays at its largest value once it is reached.
    pub fn add(&self, by: u64) {
        self.0.add(by);
    }
}

/// A number that goes up and down. Clones are the same gauge.
#[derive(Debug, Clone)]
pub struct Gauge(SharedGauge);

impl Gauge {
    /// Sets the gauge.
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }
}

/// Reads a configuration; the error is the path of the value at fault, and what is wrong.
pub(crate) fn parse_config<T: DeserializeOwned>(json: &str) -> Result<T, (String, String)> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => path,
        };
        let message = error.into_inner().to_string();
        // The position is that in the JSON between host and plugin, which nobody sees.
        let end = message.rfind(" at line ").unwrap_or(message.len());
        (path, message[..end].to_owned())
    })
}

/// Converts an `Option` to the `ROption` of the ABI.
pub(crate) fn option<T>(value: Option<T>) -> ROption<T> {
    value.into()
}
