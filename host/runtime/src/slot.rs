//! The slot of a component, which holds everything that survives the replacement of its build.
//!
//! Queues belong to the host: when a new build takes over, it gets the subscriptions of the old
//! build with everything that is queued, and continues the old build's sequence numbers.
//!
//! Lock order: the subscriptions of the slot, then one input.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use hotbay_plugin_api::{Batch, ChannelName};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use hotbay_core::{
    bus::{EventReceiver, Input, WaitsFor},
    driver::ComponentPorts,
};

/// An input of a component, which the builds of the component share.
pub(crate) type PluginInput = Mutex<Input<ChannelName, Batch>>;

/// A shared input. The subscription ends when the last build drops it.
pub(crate) type SharedInput = Arc<PluginInput>;

/// The slot of one component, or of one task, which its builds occupy one after the other.
///
/// Clones are the same slot.
#[derive(Clone)]
pub struct ComponentSlot(Arc<Inner>);

struct Inner {
    id: String,
    source: u32,
    subscriptions: Mutex<Subscriptions>,
    /// The sequence number of the next event of each output port.
    next_seq: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    /// The number of calls that wait for an event to receive.
    receiving: AtomicUsize,
    /// The number of calls that wait for room in a channel.
    publishing: AtomicUsize,
}

#[derive(Default)]
struct Subscriptions {
    /// The inputs that a build still has.
    open: Vec<(ChannelName, Weak<PluginInput>)>,
    /// The inputs of the old build, offered to the new build while that is made.
    offered: Vec<(ChannelName, SharedInput)>,
    /// Received batches are kept, so that they can be received again.
    keeping: bool,
    /// Cancelled when an input has given up keeping what is received.
    given_up: CancellationToken,
}

impl Subscriptions {
    /// Changes the inputs that a build still has.
    ///
    /// The caller holds the lock of the subscriptions, so that no input is opened in between
    /// and misses the change.
    fn change_open(&self, change: impl Fn(&mut Input<ChannelName, Batch>)) {
        let open = self.open.iter().filter_map(|(_, input)| input.upgrade());
        open.for_each(|input| change(&mut input.lock()));
    }
}

impl ComponentSlot {
    /// Makes the slot of a component, or of a task, with this name. `source` is the number
    /// that its events carry.
    pub fn new(id: impl Into<String>, source: u32) -> Self {
        Self(Arc::new(Inner {
            id: id.into(),
            source,
            subscriptions: Mutex::default(),
            next_seq: Mutex::default(),
            receiving: AtomicUsize::new(0),
            publishing: AtomicUsize::new(0),
        }))
    }

    /// Returns the name of the component.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns the number that the component's events carry as their source.
    pub fn source(&self) -> u32 {
        self.0.source
    }

    /// Offers the inputs of the present build to the next one.
    ///
    /// Until [`end_handover`](Self::end_handover), a subscription to a channel takes over an
    /// input of the present build, if it has one for that channel.
    pub fn begin_handover(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        let open = subscriptions.open.iter();
        let alive = open.filter_map(|(name, input)| Some((name.clone(), input.upgrade()?)));
        subscriptions.offered = alive.collect();
    }

    /// Offers those inputs of the present build to the next one for which publishers wait. They stay
    /// open when the build goes, so that nothing is lost until the next one is there.
    pub fn leave_inputs(&self) {
        self.begin_handover();
        let mut subscriptions = self.0.subscriptions.lock();
        let (kept, given_up) = std::mem::take(&mut subscriptions.offered)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, input)| input.lock().is_waited_for());
        subscriptions.offered = kept;
        drop(subscriptions);
        drop(given_up);
    }

    /// Stops offering inputs. An input that was not taken over ends with the old build.
    pub fn end_handover(&self) {
        let offered = std::mem::take(&mut self.0.subscriptions.lock().offered);
        drop(offered);
    }

    /// Starts to keep received batches until they are [settled](Self::settle).
    ///
    /// While a build is on probation, the previous build may have to receive them again.
    pub fn keep_received(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        subscriptions.keeping = true;
        subscriptions.given_up = CancellationToken::new();
        subscriptions.change_open(Input::start_keeping);
    }

    /// Returns `true` if more was received since [`keep_received`](Self::keep_received) than is
    /// kept, so that the previous build can't receive it again.
    pub fn has_given_up(&self) -> bool {
        self.0.subscriptions.lock().given_up.is_cancelled()
    }

    /// Completes when [`has_given_up`](Self::has_given_up) becomes true.
    pub fn given_up(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.subscriptions.lock().given_up.clone().cancelled_owned()
    }

    pub(crate) fn give_up(&self) {
        self.0.subscriptions.lock().given_up.cancel();
    }

    /// Stops keeping received batches, and drops those that were kept.
    pub fn stop_keeping(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        subscriptions.keeping = false;
        subscriptions.change_open(Input::stop_keeping);
    }

    /// Stops keeping received batches, and delivers those that were kept again.
    pub fn give_back(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        subscriptions.keeping = false;
        subscriptions.change_open(Input::give_back);
    }

    /// Returns an offered input for this channel, or a new one.
    pub(crate) fn subscription<E>(
        &self,
        channel: &ChannelName,
        new: impl FnOnce() -> Result<EventReceiver<ChannelName, Batch>, E>,
    ) -> Result<SharedInput, E> {
        let mut subscriptions = self.0.subscriptions.lock();
        let offered = subscriptions.offered.iter().position(|(name, _)| name == channel);
        if let Some(index) = offered {
            return Ok(subscriptions.offered.remove(index).1);
        }
        let mut input = Input::new(new()?);
        if subscriptions.keeping {
            input.start_keeping();
        }
        let input = Arc::new(Mutex::new(input));
        subscriptions.open.retain(|(_, known)| known.strong_count() > 0);
        subscriptions.open.push((channel.clone(), Arc::downgrade(&input)));
        Ok(input)
    }

    /// Returns the sequence number of an output port's next event, shared by all builds.
    pub(crate) fn next_seq(&self, port: &str) -> Arc<AtomicU64> {
        let mut next_seq = self.0.next_seq.lock();
        Arc::clone(next_seq.entry(port.to_owned()).or_default())
    }

    /// Notes that a call waits, until the guard is dropped.
    pub(crate) fn wait(&self, what: WaitsFor) -> WaitGuard {
        let waiting = WaitGuard { slot: self.clone(), what };
        if let Some(counter) = waiting.counter() {
            counter.fetch_add(1, Ordering::AcqRel);
        }
        waiting
    }
}

impl ComponentPorts for ComponentSlot {
    fn waits_for(&self) -> WaitsFor {
        if self.0.publishing.load(Ordering::Acquire) > 0 {
            WaitsFor::Room
        } else if self.0.receiving.load(Ordering::Acquire) > 0 {
            WaitsFor::Events
        } else {
            WaitsFor::SomethingElse
        }
    }

    fn settle(&self) {
        self.0.subscriptions.lock().change_open(Input::settle);
    }
}

/// Counts a call as waiting until the guard is dropped.
pub(crate) struct WaitGuard {
    slot: ComponentSlot,
    what: WaitsFor,
}

impl WaitGuard {
    fn counter(&self) -> Option<&AtomicUsize> {
        match self.what {
            WaitsFor::Events => Some(&self.slot.0.receiving),
            WaitsFor::Room => Some(&self.slot.0.publishing),
            WaitsFor::SomethingElse => None,
        }
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        if let Some(counter) = self.counter() {
            counter.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl fmt::Debug for ComponentSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ComponentSlot").field(&self.0.id).finish()
    }
}
