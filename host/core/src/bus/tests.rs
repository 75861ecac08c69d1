//! The bus with real wakers and threads.

mod policies;
mod threads;

use std::{
    pin::pin,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
    thread,
};

use super::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Event {
    Tick,
    Signal,
}
use Event::{Signal, Tick};

fn bus(capacity: usize, overflow: Overflow) -> EventBus<Event, u32> {
    let bus = EventBus::with_payload(Vec::new());
    bus.declare_with(Tick, ChannelConfig::new(capacity, ""), overflow).unwrap();
    bus.declare(Signal, ChannelConfig::default()).unwrap();
    bus
}

/// What a subscriber can receive now.
fn drain<P: Payload>(receiver: &mut EventReceiver<Event, P>) -> Vec<P> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

#[tokio::test]
async fn every_subscriber_gets_every_event_from_its_subscription_on() {
    let bus = bus(8, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    sender.send(0).await.unwrap();
    let mut early = bus.subscribe(&Tick).unwrap();
    sender.send(1).await.unwrap();
    let mut late = bus.subscribe(&Tick).unwrap();
    sender.send(2).await.unwrap();
    assert_eq!(drain(&mut early), [1, 2]);
    assert_eq!(drain(&mut late), [2]);
    let stats = bus.stats(&Tick).unwrap();
    assert_eq!((stats.published, stats.no_subscriber, stats.delivered), (3, 1, 3));
}

#[test]
fn an_event_that_was_never_declared_is_an_error_and_names_the_event() {
    let bus = EventBus::new(vec![(Tick, ChannelConfig::default())]);
    let error = bus.clone_sender(&Signal).unwrap_err();
    assert_eq!(error, SchedulerError::InvalidChannel("Signal".to_owned()));
    assert!(bus.subscribe(&Signal).is_err());
    bus.declare(Signal, ChannelConfig::default()).unwrap();
    assert!(bus.subscribe(&Signal).is_ok());
}

#[test]
fn wrong_declarations_are_refused_by_name() {
    let twice = vec![(Tick, ChannelConfig::default()), (Tick, ChannelConfig::default())];
    let error = EventBus::try_new(twice).unwrap_err();
    assert!(error.to_string().contains("Tick is declared twice"), "{error}");
    let error = EventBus::try_new(vec![(Tick, ChannelConfig::new(0, ""))]).unwrap_err();
    assert!(error.to_string().contains("capacity 0"), "{error}");
}

#[tokio::test]
async fn a_dropped_send_has_published_nothing_and_frees_its_place() {
    let bus = bus(1, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let mut receiver = bus.subscribe(&Tick).unwrap();
    sender.send(1).await.unwrap();
    let [gives_up, stays] = [(); 2].map(|()| Arc::new(Woken::default()));
    let mut first = Box::pin(sender.send(2));
    let mut second = Box::pin(sender.send(3));
    assert!(gives_up.poll(first.as_mut()).is_pending());
    assert!(stays.poll(second.as_mut()).is_pending());
    assert_eq!(bus.stats(&Tick).unwrap().waiting_publishers, 2);

    assert_eq!(receiver.recv().await, Some(1));
    assert_eq!((gives_up.times(), stays.times()), (1, 0), "the first in line goes first");
    drop(first);
    assert_eq!(stays.times(), 1, "the next one is called instead");
    assert!(stays.poll(second.as_mut()).is_ready());
    assert_eq!(drain(&mut receiver), [3]);
}

#[tokio::test]
async fn nobody_overtakes_a_publisher_that_waits() {
    let bus = bus(1, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let mut receiver = bus.subscribe(&Tick).unwrap();
    sender.send(1).await.unwrap();
    let mut waiting = pin!(sender.send(2));
    let woken = Arc::new(Woken::default());
    assert!(woken.poll(waiting.as_mut()).is_pending());
    assert_eq!(receiver.recv().await, Some(1));
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)), "though there is room");
    assert!(woken.poll(waiting.as_mut()).is_ready());
    assert_eq!(receiver.recv().await, Some(2));
}

#[tokio::test]
async fn a_dropped_recv_loses_nothing_and_leaves_no_waker_behind() {
    let bus = bus(8, Overflow::Block);
    let mut receiver = bus.subscribe(&Tick).unwrap();
    let woken = Arc::new(Woken::default());
    {
        let mut waiting = pin!(receiver.recv());
        assert!(woken.poll(waiting.as_mut()).is_pending());
        bus.clone_sender(&Tick).unwrap().send(1).await.unwrap();
        assert_eq!(woken.times(), 1);
    }
    assert_eq!(receiver.recv().await, Some(1));
    {
        let mut waiting = pin!(receiver.recv());
        assert!(woken.poll(waiting.as_mut()).is_pending());
    }
    assert_eq!(Arc::strong_count(&woken), 1, "the channel let go of the waker");
}

#[tokio::test]
async fn a_closed_channel_delivers_what_is_queued_and_then_ends() {
    let bus = bus(8, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let mut receiver = bus.subscribe(&Tick).unwrap();
    sender.send(1).await.unwrap();
    bus.close(&Tick).unwrap();
    let error = sender.send(2).await.unwrap_err();
    assert_eq!(error, SchedulerError::EventSend("channel Tick is closed".to_owned()));
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert_eq!(receiver.recv().await, Some(1));
    assert_eq!(receiver.recv().await, None);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
    assert_eq!(bus.subscribe(&Tick).unwrap().recv().await, None);
}

#[tokio::test]
async fn closing_wakes_those_who_wait_on_either_side() {
    let bus = bus(1, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let _full = bus.subscribe(&Tick).unwrap();
    sender.send(1).await.unwrap();
    let mut empty = bus.subscribe(&Tick).unwrap();
    let [publisher, receiver] = [(); 2].map(|()| Arc::new(Woken::default()));
    let mut sending = pin!(sender.send(2));
    let mut receiving = pin!(empty.recv());
    assert!(publisher.poll(sending.as_mut()).is_pending());
    assert!(receiver.poll(receiving.as_mut()).is_pending());
    bus.close(&Tick).unwrap();
    assert!(matches!(publisher.poll(sending.as_mut()), Poll::Ready(Err(_))));
    assert_eq!(receiver.poll(receiving.as_mut()), Poll::Ready(None));
}

#[tokio::test]
async fn a_channel_ends_with_the_bus_and_its_last_sender() {
    let bus = bus(8, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let mut receiver = bus.subscribe(&Tick).unwrap();
    drop(bus);
    sender.send(1).await.unwrap();
    drop(sender);
    assert_eq!(receiver.recv().await, Some(1));
    assert_eq!(receiver.recv().await, None);
}

#[tokio::test]
async fn a_subscriber_that_leaves_holds_nobody_up_and_its_events_are_counted() {
    let bus = bus(1, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let leaves = bus.subscribe(&Tick).unwrap();
    sender.send(1).await.unwrap();
    let mut waiting = pin!(sender.send(2));
    let woken = Arc::new(Woken::default());
    assert!(woken.poll(waiting.as_mut()).is_pending());
    drop(leaves);
    assert_eq!(woken.times(), 1);
    assert!(woken.poll(waiting.as_mut()).is_ready());
    let stats = bus.stats(&Tick).unwrap();
    assert_eq!((stats.owed, stats.dropped_unsubscribed, stats.no_subscriber), (1, 1, 1));
}

#[tokio::test]
async fn recv_many_takes_what_is_there_up_to_its_limit() {
    let bus = bus(8, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let mut receiver = bus.subscribe(&Tick).unwrap();
    for number in 0..5 {
        sender.send(number).await.unwrap();
    }
    let mut buffer = Vec::new();
    assert_eq!(receiver.recv_many(&mut buffer, 3).await, 3);
    assert_eq!(receiver.recv_many(&mut buffer, 9).await, 2);
    assert_eq!(buffer, [0, 1, 2, 3, 4]);
    bus.close(&Tick).unwrap();
    assert_eq!(receiver.recv_many(&mut buffer, 9).await, 0);
}

#[test]
fn a_payload_may_use_the_bus_when_it_is_dropped() {
    #[derive(Clone)]
    struct Watchful(Option<EventBus<Event, Watchful>>);
    impl Payload for Watchful {}
    impl Drop for Watchful {
        fn drop(&mut self) {
            if let Some(bus) = &self.0 {
                assert!(bus.stats(&Tick).is_ok());
            }
        }
    }
    let bus = EventBus::<Event, Watchful>::with_payload(Vec::new());
    bus.declare_with(Tick, ChannelConfig::new(1, ""), Overflow::DropOldest).unwrap();
    let sender = bus.clone_sender(&Tick).unwrap();
    let receiver = bus.subscribe(&Tick).unwrap();
    for _ in 0..2 {
        assert!(sender.try_send(Watchful(Some(bus.clone()))).is_ok());
    }
    drop(receiver);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    fn poll<F: Future>(self: &Arc<Self>, future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A runtime without a runtime: the bus needs none.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
