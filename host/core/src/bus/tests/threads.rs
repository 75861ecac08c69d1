//! Order and accounts with many threads.

use super::*;

#[test]
fn subscribers_see_one_order_and_each_publishers_own_order_from_many_threads() {
    const PUBLISHERS: u32 = 4;
    const EACH: u32 = 2_000;
    let bus = bus(16, Overflow::Block);
    let seen = thread::scope(|scope| {
        let subscribers = [(); 3].map(|()| {
            let mut receiver = bus.subscribe(&Tick).unwrap();
            scope.spawn(move || {
                let mut seen = Vec::new();
                block_on(async {
                    while let Some(number) = receiver.recv().await {
                        seen.push(number);
                    }
                });
                seen
            })
        });
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let sender = bus.clone_sender(&Tick).unwrap();
                scope.spawn(move || {
                    for number in 0..EACH {
                        block_on(sender.send(publisher * EACH + number)).unwrap();
                    }
                })
            })
            .collect();
        publishers.into_iter().for_each(|thread| thread.join().unwrap());
        bus.close(&Tick).unwrap();
        subscribers.map(|thread| thread.join().unwrap())
    });
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    for publisher in 0..PUBLISHERS {
        let own: Vec<_> = seen[0].iter().filter(|number| **number / EACH == publisher).collect();
        assert_eq!(own.len(), EACH as usize);
        assert!(own.is_sorted());
    }
    let stats = bus.stats(&Tick).unwrap();
    assert_eq!(stats.published, u64::from(PUBLISHERS * EACH));
    assert_eq!((stats.owed, stats.dropped_unsubscribed), (stats.delivered, 0));
}

#[test]
fn the_accounts_balance_at_every_moment_while_threads_publish_and_subscribers_come_and_go() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Reject]
    {
        let bus = bus(4, overflow);
        thread::scope(|scope| {
            let publishers = [(); 2].map(|()| {
                let sender = bus.clone_sender(&Tick).unwrap();
                scope.spawn(move || {
                    for number in 0..2_000 {
                        // Refusals are part of the test; they are counted below.
                        let _refused = sender.try_send(number).is_err();
                    }
                })
            });
            let bus = &bus;
            scope.spawn(move || {
                while !bus.stats(&Tick).unwrap().closed {
                    let mut receiver = bus.subscribe(&Tick).unwrap();
                    for _ in 0..20 {
                        let _nothing = receiver.try_recv().is_err();
                    }
                }
            });
            while publishers.iter().any(|thread| !thread.is_finished()) {
                let stats = bus.stats(&Tick).unwrap();
                let gone = stats.dropped_oldest + stats.dropped_newest + stats.dropped_unsubscribed;
                assert_eq!(stats.owed, stats.delivered + gone + stats.queued, "{stats:?}");
            }
            bus.close(&Tick).unwrap();
        });
    }
}
