//! What belongs to a component's name and survives its builds.
//!
//! Queues belong to the host: when a new build takes over, its subscriptions are those of
//! the old one, with all that is queued. So are the numbers of its events.

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

use super::inbox::{PluginInput, SharedInput};
use hotbay_core::{
    bus::{EventReceiver, Input, WaitsFor},
    driver::Ports,
};

/// The place that the builds of one component take after each other. Clones are the same.
#[derive(Clone)]
pub struct Seat(Arc<Inner>);

struct Inner {
    id: String,
    source: u32,
    subscriptions: Mutex<Subscriptions>,
    /// The number of the next event, by output port.
    numbers: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    /// Calls that wait for something to receive.
    receiving: AtomicUsize,
    /// Calls that wait for room in a channel.
    publishing: AtomicUsize,
}

#[derive(Default)]
struct Subscriptions {
    open: Vec<(ChannelName, Weak<PluginInput>)>,
    /// Those of the old build, while a new one is made.
    offered: Vec<(ChannelName, SharedInput)>,
    /// Whether what is received is kept, to be received again.
    keeping: bool,
}

impl Subscriptions {
    /// Changes the inputs that a build still has. Locked by the caller, so that none is
    /// opened in between and misses the change.
    fn change_open(&self, change: impl Fn(&mut Input<ChannelName, Batch>)) {
        let open = self.open.iter().filter_map(|(_, input)| input.upgrade());
        open.for_each(|input| change(&mut input.lock()));
    }
}

impl Seat {
    /// A seat for a component, or a task, of this name; `source` is the number that its
    /// events carry.
    pub fn new(id: impl Into<String>, source: u32) -> Self {
        Self(Arc::new(Inner {
            id: id.into(),
            source,
            subscriptions: Mutex::default(),
            numbers: Mutex::default(),
            receiving: AtomicUsize::new(0),
            publishing: AtomicUsize::new(0),
        }))
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The number that its events carry as their source.
    pub fn source(&self) -> u32 {
        self.0.source
    }

    /// From now on a subscription to a channel is one that the present build has, if it
    /// has one left, until [`end_handover`](Self::end_handover).
    pub fn begin_handover(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        let open = subscriptions.open.iter();
        let alive = open.filter_map(|(name, input)| Some((name.clone(), input.upgrade()?)));
        subscriptions.offered = alive.collect();
    }

    /// What was not taken over belongs to the old build alone again, and goes with it.
    pub fn end_handover(&self) {
        let offered = std::mem::take(&mut self.0.subscriptions.lock().offered);
        drop(offered);
    }

    /// From now on what is received is kept until it is [settled](Self::settle): while a
    /// build is on probation, the one before may have to receive it again.
    pub fn keep_received(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        subscriptions.keeping = true;
        subscriptions.change_open(Input::start_keeping);
    }

    /// From now on nothing is kept, and what was is done with.
    pub fn stop_keeping(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        subscriptions.keeping = false;
        subscriptions.change_open(Input::stop_keeping);
    }

    /// From now on nothing is kept, and what was comes again.
    pub fn give_back(&self) {
        let mut subscriptions = self.0.subscriptions.lock();
        subscriptions.keeping = false;
        subscriptions.change_open(Input::give_back);
    }

    /// An offered subscription to this channel, or a new one.
    pub(crate) fn subscription<E>(
        &self,
        channel: &ChannelName,
        new: impl FnOnce() -> Result<EventReceiver<ChannelName, Batch>, E>,
    ) -> Result<SharedInput, E> {
        let mut subscriptions = self.0.subscriptions.lock();
        let place = subscriptions.offered.iter().position(|(name, _)| name == channel);
        if let Some(place) = place {
            return Ok(subscriptions.offered.remove(place).1);
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

    /// The counter of an output port's events.
    pub(crate) fn numbers(&self, port: &str) -> Arc<AtomicU64> {
        let mut numbers = self.0.numbers.lock();
        Arc::clone(numbers.entry(port.to_owned()).or_default())
    }

    pub(crate) fn wait(&self, what: WaitsFor) -> Waiting {
        let waiting = Waiting { seat: self.clone(), what };
        if let Some(counter) = waiting.counter() {
            counter.fetch_add(1, Ordering::AcqRel);
        }
        waiting
    }
}

impl Ports for Seat {
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

/// Counts one wait, until it is dropped.
pub(crate) struct Waiting {
    seat: Seat,
    what: WaitsFor,
}

impl Waiting {
    fn counter(&self) -> Option<&AtomicUsize> {
        match self.what {
            WaitsFor::Events => Some(&self.seat.0.receiving),
            WaitsFor::Room => Some(&self.seat.0.publishing),
            WaitsFor::SomethingElse => None,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(counter) = self.counter() {
            counter.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat").field(&self.0.id).finish()
    }
}
