//! A short text that one thread writes and a signal handler reads.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Up to `N` bytes. Who reads while it is written sees a mixture, and no harm.
pub(in crate::crash) struct Text<const N: usize> {
    length: AtomicUsize,
    bytes: [AtomicU8; N],
}

impl<const N: usize> Text<N> {
    pub(super) const fn new() -> Self {
        Self { length: AtomicUsize::new(0), bytes: [const { AtomicU8::new(0) }; N] }
    }

    /// A text that is too long is left out: half of it could not be read again.
    pub(super) fn set(&self, text: &str) {
        let text = if text.len() > N { "" } else { text };
        self.bytes
            .iter()
            .zip(text.bytes())
            .for_each(|(to, byte)| to.store(byte, Ordering::Relaxed));
        self.length.store(text.len(), Ordering::Release);
    }

    pub(in crate::crash) fn bytes(&self) -> impl Iterator<Item = u8> {
        let length = self.length.load(Ordering::Acquire);
        self.bytes.iter().take(length).map(|byte| byte.load(Ordering::Relaxed))
    }
}
