//! Waking the thread of a watch.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

/// Wakes the thread. At most one token waits, because one scan finds all changes.
#[derive(Debug, Clone)]
pub(super) struct Waker {
    tokens: SyncSender<()>,
    stopped: Arc<AtomicBool>,
}

/// The thread's side of a [`Waker`].
#[derive(Debug)]
pub(super) struct Woken {
    tokens: Receiver<()>,
    stopped: Arc<AtomicBool>,
}

/// What the thread is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Scan,
    Stop,
}

impl Waker {
    pub(super) fn new() -> (Self, Woken) {
        let (tokens, woken) = sync_channel(1);
        let stopped = Arc::new(AtomicBool::new(false));
        (Self { tokens, stopped: Arc::clone(&stopped) }, Woken { tokens: woken, stopped })
    }

    pub(super) fn wake(&self) {
        match self.tokens.try_send(()) {
            Ok(()) => {}
            Err(TrySendError::Full(())) => {} // a token waits already
            Err(TrySendError::Disconnected(())) => {} // nobody is left to wake
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }
}

impl Woken {
    /// Waits for a token, up to the limit.
    pub(super) fn wait(&self, limit: Duration) -> Wanted {
        let token = self.tokens.recv_timeout(limit);
        if token == Err(RecvTimeoutError::Disconnected) || self.stopped.load(Ordering::Acquire) {
            return Wanted::Stop;
        }
        Wanted::Scan
    }

    /// Takes a token, and returns `true` if there was one.
    #[cfg(test)]
    pub(super) fn has_token(&self) -> bool {
        self.tokens.try_recv().is_ok()
    }
}
