//! An input of the bus, as the plugin that receives from it sees it.
//!
//! There are two ways to wait. [`Inbox::recv`] gives the plugin a future, which it may poll with
//! any waker; a [slot](super::relay) keeps that waker within the bay. `poll_in_call` is
//! cheaper: it registers the waker of the host's own task that calls into the plugin, which is
//! known on this thread for as long as the [call](super::caller) lasts.
//!
//! In both, whoever polled last is woken when there is something, also if the future is gone by
//! then: a plugin may make a future for each poll and drop it. The slot belongs to the inbox, not
//! to a future, and is emptied by the next event, by the drop of the inbox, or at close.
//!
//! Lock order: one input, and nothing else while it is locked.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use abi_stable::std_types::{RNone, ROption, RSome};
use async_ffi::{BorrowingFfiFuture, FutureExt};
use hotbay_plugin_api::{
    Batch, ChannelName,
    abi::{Inbox, Polled},
};

use super::{
    caller,
    relay::{WakeDispatcher, WakerSlot},
    slot::{ComponentSlot, PluginInput, SharedInput, WaitGuard},
};
use hotbay_core::bus::{Input, TryRecvError, WaitsFor};

/// The host's side of the ABI's [`Inbox`] trait.
pub(crate) struct HostInbox {
    input: SharedInput,
    slot: ComponentSlot,
    /// The waker of the plugin that polled last, unless it did so within a call.
    waker: Arc<WakerSlot>,
    /// Set while the plugin waits within a call.
    waiting: Option<WaitGuard>,
}

impl HostInbox {
    pub(crate) fn new(
        input: SharedInput,
        slot: ComponentSlot,
        dispatcher: &Arc<WakeDispatcher>,
    ) -> Self {
        Self { input, slot, waker: dispatcher.slot(), waiting: None }
    }
}

impl Inbox for HostInbox {
    fn try_recv(&mut self) -> Polled {
        match receive(&self.input, &self.slot, Input::try_recv) {
            Ok(batch) => Polled::Batch(batch),
            Err(TryRecvError::Empty) => Polled::Empty,
            Err(TryRecvError::Ended) => Polled::Ended,
        }
    }

    fn poll_in_call(&mut self) -> ROption<Polled> {
        let Some(waker) = caller::waker() else { return RNone };
        let mut cx = Context::from_waker(&waker);
        match receive(&self.input, &self.slot, |input| input.poll_recv(&mut cx)) {
            Poll::Ready(batch) => {
                self.waiting = None;
                RSome(batch.map_or(Polled::Ended, Polled::Batch))
            }
            Poll::Pending => {
                let slot = &self.slot;
                self.waiting.get_or_insert_with(|| slot.wait(WaitsFor::Events));
                RSome(Polled::Empty)
            }
        }
    }

    fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    fn recv(&mut self) -> BorrowingFfiFuture<'_, ROption<Batch>> {
        let Self { input, slot, waker, .. } = self;
        let waiting = slot.wait(WaitsFor::Events);
        let next = poll_fn(move |cx| {
            let _while_it_waits = &waiting;
            let hosts = waker.set(cx.waker());
            let mut cx = Context::from_waker(&hosts);
            let polled = receive(input, slot, |input| input.poll_recv(&mut cx));
            if polled.is_ready() {
                waker.clear();
            }
            polled.map(ROption::from)
        });
        next.into_ffi()
    }
}

/// Receives from an input, and tells its slot if the input has given up keeping what it hands out.
fn receive<T>(
    input: &PluginInput,
    slot: &ComponentSlot,
    receive: impl FnOnce(&mut Input<ChannelName, Batch>) -> T,
) -> T {
    let (received, has_given_up) = {
        let mut input = input.lock();
        (receive(&mut input), input.has_given_up())
    };
    if has_given_up {
        slot.give_up();
    }
    received
}

impl Drop for HostInbox {
    fn drop(&mut self) {
        // The channel may keep the host's waker, and with it the slot, but must not keep the
        // plugin's waker.
        self.waker.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
    };

    use hotbay_core::{ChannelConfig, bus::EventBus, driver::ComponentPorts};
    use hotbay_plugin_api::EventHeader;
    use tokio::runtime::Handle;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn batch() -> Batch {
        Batch::copy_from(
            &[EventHeader { time_ns: 0, seq: 0, source: 0, kind: 0, offset: 0, len: 0 }],
            b"",
        )
    }

    #[tokio::test]
    async fn a_wait_within_a_call_wakes_the_task_that_called() {
        let name = ChannelName::from("raw");
        let bus = EventBus::with_payload(vec![(name.clone(), ChannelConfig::new(4, ""))]);
        let slot = ComponentSlot::new("component", 1);
        let input = slot.subscription(&name, || bus.subscribe(&name)).unwrap();
        let dispatcher = WakeDispatcher::start(&Handle::current());
        let mut inbox = HostInbox::new(input, slot.clone(), &dispatcher);
        let wakes = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);

        assert!(matches!(inbox.poll_in_call(), RNone), "no task calls yet");
        let polled = caller::calling(&mut cx, |_| inbox.poll_in_call());
        assert!(matches!(polled, RSome(Polled::Empty)));
        assert_eq!(slot.waits_for(), WaitsFor::Events);

        bus.clone_sender(&name).unwrap().send(batch()).await.unwrap();
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        let polled = caller::calling(&mut cx, |_| inbox.poll_in_call());
        assert!(matches!(polled, RSome(Polled::Batch(_))));
        assert_eq!(slot.waits_for(), WaitsFor::SomethingElse);
    }

    #[tokio::test]
    async fn whoever_polled_last_is_woken_although_the_future_is_gone() {
        let name = ChannelName::from("raw");
        let bus = EventBus::with_payload(vec![(name.clone(), ChannelConfig::new(4, ""))]);
        let slot = ComponentSlot::new("component", 1);
        let input = slot.subscription(&name, || bus.subscribe(&name)).unwrap();
        let dispatcher = WakeDispatcher::start(&Handle::current());
        let mut inbox = HostInbox::new(input, slot, &dispatcher);
        let (woken, wakes) = tokio::sync::mpsc::unbounded_channel();
        let waker = Waker::from(Arc::new(Send(woken)));
        {
            let mut next = inbox.recv();
            let mut cx = Context::from_waker(&waker);
            assert!(std::pin::Pin::new(&mut next).poll(&mut cx).is_pending());
        }
        drop(waker);
        bus.clone_sender(&name).unwrap().send(batch()).await.unwrap();
        let mut wakes = wakes;
        let limit = std::time::Duration::from_secs(5);
        tokio::time::timeout(limit, wakes.recv()).await.expect("it is woken");
        // The channel ends once nothing keeps the plugin's waker any more.
        drop(inbox);
        assert_eq!(tokio::time::timeout(limit, wakes.recv()).await, Ok(None));
    }

    struct Send(tokio::sync::mpsc::UnboundedSender<()>);

    impl Wake for Send {
        fn wake(self: Arc<Self>) {
            let _nobody_waits = self.0.send(());
        }
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_is_not_counted_any_more() {
        let name = ChannelName::from("raw");
        let bus = EventBus::with_payload(vec![(name.clone(), ChannelConfig::new(4, ""))]);
        let slot = ComponentSlot::new("component", 1);
        let input = slot.subscription(&name, || bus.subscribe(&name)).unwrap();
        let mut inbox =
            HostInbox::new(input, slot.clone(), &WakeDispatcher::start(&Handle::current()));
        let mut cx = Context::from_waker(Waker::noop());
        caller::calling(&mut cx, |_| drop(inbox.poll_in_call()));
        inbox.stop_waiting();
        assert_eq!(slot.waits_for(), WaitsFor::SomethingElse);
    }
}
