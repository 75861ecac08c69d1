//! A host in memory, for an author's unit tests: no process, no library, no clock but yours.
//!
//! ```
//! use hotbay_plugin_api::{prelude::*, testing::{TestHost, batch_of_bytes, block_on}};
//!
//! struct Echo { input: ChannelName, out: Publisher }
//!
//! impl Component for Echo {
//!     type Config = NoConfig;
//!     const INPUTS: &'static [Port] = &[Port::required("in", "")];
//!     const OUTPUTS: &'static [Port] = &[Port::required("out", "")];
//!     fn create(_: NoConfig, context: Context) -> Result<Self, SchedulerError> {
//!         Ok(Self { input: context.input("in")?, out: context.publisher("out")? })
//!     }
//! }
//!
//! #[async_trait]
//! impl EventTask<ChannelName, Batch> for Echo {
//!     fn subscribed_event(&self) -> &ChannelName { &self.input }
//!     async fn handle_event(&mut self, batch: Batch) -> Result<(), SchedulerError> {
//!         for event in batch.iter() {
//!             self.out.push_bytes(event.time_ns(), event.kind(), event.payload());
//!         }
//!         self.out.flush().await
//!     }
//! }
//!
//! let host = TestHost::new().with_input("in", "numbers").with_output("out", "echoes");
//! let mut echo: Echo = host.create()?;
//! block_on(echo.handle_event(batch_of_bytes(&[(1, b"one"), (2, b"two")])))?;
//! assert_eq!(host.published("echoes")[0].len(), 2);
//! # Ok::<(), SchedulerError>(())
//! ```

mod host;
mod run;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use serde::Serialize;

use crate::{
    Batch, Component, Context, Event, Kind, Mode, SchedulerError,
    abi::{Host_TO, SharedCounter, SharedGauge},
    batch::EventHeader,
    spec::{RunInfo, RunRequest, RunTarget},
};

pub use run::block_on;

/// A host for one component under test.
///
/// Its clock stands still until [`advance`](Self::advance); its channels have no capacity.
#[derive(Debug, Clone)]
pub struct TestHost {
    setup: Setup,
    shared: Shared,
}

#[derive(Debug, Clone)]
struct Setup {
    id: Arc<str>,
    config: Arc<str>,
    run: Option<RunRequest>,
    mode: Mode,
    inputs: BTreeMap<&'static str, Vec<&'static str>>,
    outputs: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now_ns: i64,
    cancelled: bool,
    channels: HashMap<String, Channel>,
    counters: BTreeMap<String, SharedCounter>,
    gauges: BTreeMap<String, SharedGauge>,
    progress: Option<(u64, u64)>,
    reports: Vec<(String, serde_json::Value)>,
    descriptors: BTreeMap<String, OwnedFd>,
    waiting: Vec<Waker>,
}

#[derive(Debug, Default)]
struct Channel {
    published: Vec<Batch>,
    inboxes: Vec<VecDeque<Batch>>,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, waiting) = {
            let mut state = self.lock();
            (change(&mut state), std::mem::take(&mut state.waiting))
        };
        waiting.into_iter().for_each(Waker::wake);
        result
    }
}

impl State {
    fn channel(&mut self, name: &str) -> &mut Channel {
        self.channels.entry(name.to_owned()).or_default()
    }

    fn deliver(&mut self, name: &str, batch: &Batch) {
        for inbox in &mut self.channel(name).inboxes {
            inbox.push_back(batch.clone());
        }
    }
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new()
    }
}

impl TestHost {
    /// A host in replay mode whose component is called `test` and has an empty configuration.
    pub fn new() -> Self {
        let setup = Setup {
            id: "test".into(),
            config: "{}".into(),
            run: None,
            mode: Mode::Replay,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
        };
        Self { setup, shared: Shared::default() }
    }

    /// Sets the component's configuration.
    ///
    /// # Panics
    /// If it can't be written as JSON.
    #[must_use]
    pub fn with_config(mut self, config: impl Serialize) -> Self {
        let json = serde_json::to_string(&config).expect("a configuration is plain data");
        self.setup.config = json.into();
        self
    }

    /// Makes the context that of a first attempt of a run with these arguments.
    ///
    /// # Panics
    /// If they can't be written as JSON.
    #[must_use]
    pub fn with_arguments(mut self, arguments: impl Serialize) -> Self {
        let arguments = serde_json::to_value(arguments).expect("arguments are plain data");
        let target = RunTarget::Task(self.setup.id.to_string());
        let info = RunInfo { id: "run".to_owned(), attempt: 1 };
        self.setup.run = Some(RunRequest { target, info, arguments });
        self
    }

    /// Sets the component's id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.setup.id = id.into();
        self
    }

    /// Sets how time passes.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.setup.mode = mode;
        self
    }

    /// Connects an input port to a channel; call again for a port with several.
    #[must_use]
    pub fn with_input(mut self, port: &'static str, channel: &'static str) -> Self {
        self.setup.inputs.entry(port).or_default().push(channel);
        self
    }

    /// Connects an output port to a channel.
    #[must_use]
    pub fn with_output(mut self, port: &'static str, channel: &'static str) -> Self {
        self.setup.outputs.insert(port, channel);
        self
    }

    /// The context that a component or task gets.
    pub fn context(&self) -> Context {
        let host = host::TestHostPort { setup: self.setup.clone(), shared: self.shared.clone() };
        let context = Context::new(Host_TO::from_value(host, abi_stable::sabi_trait::TD_Opaque));
        match &self.setup.run {
            Some(run) => context.of_run(run.clone()),
            None => context,
        }
    }

    /// Makes a component as a host would, its configuration checked.
    ///
    /// # Errors
    /// If the configuration is wrong or the component refuses.
    pub fn create<C: Component>(&self) -> Result<C, SchedulerError> {
        let context = self.context();
        let config = context.config::<C::Config>()?;
        C::check(&config).map_err(SchedulerError::Configuration)?;
        C::create(config, context)
    }

    /// Delivers a batch to whoever subscribed to the channel.
    pub fn feed(&self, channel: &str, batch: Batch) {
        self.shared.change(|state| state.deliver(channel, &batch));
    }

    /// Ends a channel: after what is queued, its subscribers see the end.
    pub fn end(&self, channel: &str) {
        self.shared.change(|state| state.channel(channel).ended = true);
    }

    /// Returns everything that was published on a channel so far.
    pub fn published(&self, channel: &str) -> Vec<Batch> {
        self.shared.lock().channel(channel).published.clone()
    }

    /// The payloads of one type that were published on a channel, with their times.
    pub fn events<T: Event>(&self, channel: &str) -> Vec<(i64, T)> {
        let read = |batch: &Batch| {
            batch.iter().filter_map(|it| Some((it.time_ns(), it.read()?))).collect::<Vec<_>>()
        };
        self.published(channel).iter().flat_map(read).collect()
    }

    /// Returns the number of batches that are queued in all subscriptions of a channel.
    pub fn queued(&self, channel: &str) -> usize {
        self.shared.lock().channel(channel).inboxes.iter().map(VecDeque::len).sum()
    }

    /// The rows that were put into a section of the report.
    pub fn reports(&self, section: &str) -> Vec<serde_json::Value> {
        let state = self.shared.lock();
        let rows = state.reports.iter().filter(|(of, _)| of == section);
        rows.map(|(_, row)| row.clone()).collect()
    }

    /// A counter's value; 0 if it was never touched.
    pub fn counter(&self, name: &str) -> u64 {
        self.shared.lock().counters.get(name).map_or(0, SharedCounter::value)
    }

    /// A gauge's value, if it was ever set.
    pub fn gauge(&self, name: &str) -> Option<f64> {
        self.shared.lock().gauges.get(name).and_then(SharedGauge::value)
    }

    /// Returns the last progress that was told, as the work done and the total.
    pub fn progress(&self) -> Option<(u64, u64)> {
        self.shared.lock().progress
    }

    /// Moves the clock on; who sleeps until then wakes.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.shared.change(|state| state.now_ns = state.now_ns.saturating_add(by));
    }

    /// Asks the component to stop.
    pub fn cancel(&self) {
        self.shared.change(|state| state.cancelled = true);
    }
}

/// A batch of events of one type, each with its event time, all of source 0.
///
/// # Panics
/// If they take more than 4 GiB, or if the `Serialize` of one fails.
pub fn batch<T: Event>(events: &[(i64, T)]) -> Batch {
    build(events, T::KIND, |event, bytes| event.encode(bytes))
}

/// A batch of events of bytes, of the kind [`Kind::BYTES`].
///
/// # Panics
/// If they take more than 4 GiB.
pub fn batch_of_bytes<const N: usize>(events: &[(i64, &[u8; N])]) -> Batch {
    build(events, Kind::BYTES, |payload, bytes| bytes.extend_from_slice(*payload))
}

fn build<T>(events: &[(i64, T)], kind: Kind, write: impl Fn(&T, &mut Vec<u8>)) -> Batch {
    let place = |bytes: &Vec<u8>| u32::try_from(bytes.len()).expect("a test's batch is small");
    let (mut headers, mut bytes) = (Vec::new(), Vec::new());
    for (seq, (time_ns, event)) in (0u64..).zip(events) {
        let offset = place(&bytes);
        write(event, &mut bytes);
        let (time_ns, kind, len) = (*time_ns, kind.code(), place(&bytes) - offset);
        headers.push(EventHeader { time_ns, seq, source: 0, kind, offset, len });
    }
    Batch::copy_from(&headers, &bytes)
}
