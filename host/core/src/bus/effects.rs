//! What a decision under the lock leaves to be done after it.

use std::task::Waker;

/// More subscribers than this on one channel cost an allocation per payload.
const INLINE: usize = 8;

/// Wakers to call or drop and payloads to drop once the channel is unlocked: all of that
/// runs code which is not the bus's and might use the bus itself.
pub(super) struct Effects<P> {
    wake: [Option<Waker>; INLINE],
    woken: usize,
    wake_more: Vec<Waker>,
    forgotten: Option<Waker>,
    discarded: Vec<P>,
}

impl<P> Effects<P> {
    pub(super) fn new() -> Self {
        Self {
            wake: [const { None }; INLINE],
            woken: 0,
            wake_more: Vec::new(),
            forgotten: None,
            discarded: Vec::new(),
        }
    }

    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match self.wake.get_mut(self.woken) {
            Some(place) => *place = Some(waker),
            None => self.wake_more.push(waker),
        }
        self.woken += 1;
    }

    /// Drops a waker without calling it. There is at most one in a step.
    pub(super) fn forget(&mut self, waker: Option<Waker>) {
        debug_assert!(self.forgotten.is_none() || waker.is_none(), "a step forgets one waker");
        self.forgotten = waker.or_else(|| self.forgotten.take());
    }

    pub(super) fn discard(&mut self, payload: P) {
        self.discarded.push(payload);
    }

    /// To be called without the channel's lock.
    pub(super) fn perform(self) {
        self.wake.into_iter().take(self.woken).flatten().for_each(Waker::wake);
        self.wake_more.into_iter().for_each(Waker::wake);
        drop((self.forgotten, self.discarded));
    }
}
