//! A short text that one thread writes and a signal handler reads.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// A text of up to `N` bytes in atomics. A reader during a write sees a mixture of the old and
/// the new bytes, which is harmless.
pub(super) struct SignalText<const N: usize> {
    length: AtomicUsize,
    bytes: [AtomicU8; N],
}

impl<const N: usize> SignalText<N> {
    pub(super) const fn new() -> Self {
        Self { length: AtomicUsize::new(0), bytes: [const { AtomicU8::new(0) }; N] }
    }

    /// Replaces the text. A text that is too long becomes empty, because a part of it could not be
    /// parsed.
    pub(super) fn set(&self, text: &str) {
        let text = if text.len() > N { "" } else { text };
        self.bytes
            .iter()
            .zip(text.bytes())
            .for_each(|(to, byte)| to.store(byte, Ordering::Relaxed));
        self.length.store(text.len(), Ordering::Release);
    }

    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        let length = self.length.load(Ordering::Acquire);
        self.bytes.iter().take(length).map(|byte| byte.load(Ordering::Relaxed))
    }
}
