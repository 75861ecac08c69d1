//! What each overflow policy does with an event for which there is no room.

use super::*;

#[tokio::test]
async fn block_makes_the_publisher_wait_until_the_slowest_subscriber_has_room() {
    let bus = bus(1, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let [mut fast, mut slow] = [(); 2].map(|()| bus.subscribe(&Tick).unwrap());
    sender.send(1).await.unwrap();
    assert_eq!(fast.recv().await, Some(1));

    let mut waiting = pin!(sender.send(2));
    let woken = Arc::new(Woken::default());
    assert!(woken.poll(waiting.as_mut()).is_pending());
    assert!(fast.try_recv().is_err(), "all get it at once or nobody does");
    assert_eq!(woken.times(), 0);
    assert_eq!(slow.recv().await, Some(1));
    assert_eq!(woken.times(), 1);
    assert!(woken.poll(waiting.as_mut()).is_ready());
    assert_eq!((drain(&mut fast), drain(&mut slow)), (vec![2], vec![2]));
}

#[test]
fn block_gives_a_publisher_that_does_not_wait_its_payload_back() {
    let bus = bus(1, Overflow::Block);
    let sender = bus.clone_sender(&Tick).unwrap();
    let _receiver = bus.subscribe(&Tick).unwrap();
    sender.try_send(1).unwrap();
    assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(bus.stats(&Tick).unwrap().rejected, 0);
}

#[test]
fn drop_oldest_keeps_the_newest_of_a_slow_subscriber_and_all_of_a_fast_one() {
    let bus = bus(2, Overflow::DropOldest);
    let sender = bus.clone_sender(&Tick).unwrap();
    let [mut fast, mut slow] = [(); 2].map(|()| bus.subscribe(&Tick).unwrap());
    let mut seen = Vec::new();
    for number in 0..5 {
        sender.try_send(number).unwrap();
        seen.extend(fast.try_recv());
    }
    assert_eq!((seen, drain(&mut slow)), (vec![0, 1, 2, 3, 4], vec![3, 4]));
    assert_eq!(bus.stats(&Tick).unwrap().dropped_oldest, 3);
}

#[test]
fn drop_newest_keeps_what_is_queued() {
    let bus = bus(2, Overflow::DropNewest);
    let sender = bus.clone_sender(&Tick).unwrap();
    let mut receiver = bus.subscribe(&Tick).unwrap();
    for number in 0..5 {
        sender.try_send(number).unwrap();
    }
    assert_eq!(drain(&mut receiver), [0, 1]);
    assert_eq!(bus.stats(&Tick).unwrap().dropped_newest, 3);
}

#[tokio::test]
async fn reject_tells_the_publisher_and_delivers_to_nobody() {
    let bus = bus(1, Overflow::Reject);
    let sender = bus.clone_sender(&Tick).unwrap();
    let [mut fast, mut slow] = [(); 2].map(|()| bus.subscribe(&Tick).unwrap());
    sender.send(1).await.unwrap();
    assert_eq!(drain(&mut fast), [1]);
    let error = sender.send(2).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot publish: channel Tick is full, at its capacity of 1");
    assert_eq!((drain(&mut fast), drain(&mut slow)), (vec![], vec![1]));
    let stats = bus.stats(&Tick).unwrap();
    assert_eq!((stats.published, stats.rejected), (1, 1));
}

#[tokio::test]
async fn a_payload_that_can_never_fit_is_refused_with_both_numbers() {
    #[derive(Debug, Clone)]
    struct Three;
    impl Payload for Three {
        fn events(&self) -> usize {
            3
        }
    }
    let bus = EventBus::<Event, Three>::with_payload(vec![(Tick, ChannelConfig::new(2, ""))]);
    let error = bus.clone_sender(&Tick).unwrap().send(Three).await.unwrap_err().to_string();
    assert!(error.contains("3 events") && error.contains("capacity of 2"), "{error}");
}
