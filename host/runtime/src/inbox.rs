//! An input of the bus, lent to a plugin.

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
use parking_lot::Mutex;

use super::{
    caller,
    relay::Dispatch,
    seat::{Seat, Waiting},
};
use hotbay_core::bus::{Input, TryRecvError, WaitsFor};

/// An input of a component.
pub(crate) type PluginInput = Mutex<Input<ChannelName, Batch>>;

/// An input that the builds of a component hand on. It ends with its last holder.
pub(crate) type SharedInput = Arc<PluginInput>;

pub(crate) struct HostInbox {
    input: SharedInput,
    seat: Seat,
    dispatch: Arc<Dispatch>,
    /// A wait within a call.
    waiting: Option<Waiting>,
}

impl HostInbox {
    pub(crate) fn new(input: SharedInput, seat: Seat, dispatch: Arc<Dispatch>) -> Self {
        Self { input, seat, dispatch, waiting: None }
    }
}

impl Inbox for HostInbox {
    fn try_recv(&mut self) -> Polled {
        match self.input.lock().try_recv() {
            Ok(batch) => Polled::Batch(batch),
            Err(TryRecvError::Empty) => Polled::Empty,
            Err(TryRecvError::Ended) => Polled::Ended,
        }
    }

    fn poll_in_call(&mut self) -> ROption<Polled> {
        let Some(waker) = caller::waker() else { return RNone };
        let polled = self.input.lock().poll_recv(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(batch) => {
                self.waiting = None;
                RSome(batch.map_or(Polled::Ended, Polled::Batch))
            }
            Poll::Pending => {
                let seat = &self.seat;
                self.waiting.get_or_insert_with(|| seat.wait(WaitsFor::Events));
                RSome(Polled::Empty)
            }
        }
    }

    fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    fn recv(&mut self) -> BorrowingFfiFuture<'_, ROption<Batch>> {
        let input = &self.input;
        let waiting = self.seat.wait(WaitsFor::Events);
        let next = Box::pin(async move {
            let _waiting = waiting;
            ROption::from(poll_fn(|cx| input.lock().poll_recv(cx)).await)
        });
        self.dispatch.relay(next).into_ffi()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
    };

    use hotbay_core::{ChannelConfig, bus::EventBus, driver::Ports};
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
        let seat = Seat::new("component", 1);
        let queue = seat.subscription(&name, || bus.subscribe(&name)).unwrap();
        let dispatch = Dispatch::start(&Handle::current());
        let mut inbox = HostInbox::new(queue, seat.clone(), dispatch);
        let wakes = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);

        assert!(matches!(inbox.poll_in_call(), RNone), "no task calls yet");
        let polled = caller::calling(&mut cx, |_| inbox.poll_in_call());
        assert!(matches!(polled, RSome(Polled::Empty)));
        assert_eq!(seat.waits_for(), WaitsFor::Events);

        bus.clone_sender(&name).unwrap().send(batch()).await.unwrap();
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        let polled = caller::calling(&mut cx, |_| inbox.poll_in_call());
        assert!(matches!(polled, RSome(Polled::Batch(_))));
        assert_eq!(seat.waits_for(), WaitsFor::SomethingElse);
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_is_not_counted_any_more() {
        let name = ChannelName::from("raw");
        let bus = EventBus::with_payload(vec![(name.clone(), ChannelConfig::new(4, ""))]);
        let seat = Seat::new("component", 1);
        let queue = seat.subscription(&name, || bus.subscribe(&name)).unwrap();
        let mut inbox = HostInbox::new(queue, seat.clone(), Dispatch::start(&Handle::current()));
        let mut cx = Context::from_waker(Waker::noop());
        caller::calling(&mut cx, |_| drop(inbox.poll_in_call()));
        inbox.stop_waiting();
        assert_eq!(seat.waits_for(), WaitsFor::SomethingElse);
    }
}
