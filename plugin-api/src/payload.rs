//! Payloads, which are the values that channels carry.

use std::{borrow::Cow, sync::Arc};

/// A value that a channel carries. It is cloned for each subscriber but the last.
///
/// `clone` runs while the channel is locked, so it should be as cheap as an `Arc`'s
/// and must not panic or use the same channel. Wrap what is big: `Arc<Order>` is a payload.
pub trait Payload: Clone + Send + Sync + 'static {
    /// Returns the number of events in this payload. Capacities and statistics count events.
    ///
    /// Asked once, when it is published. A payload of none is accepted and goes nowhere.
    fn events(&self) -> usize {
        1
    }

    /// Returns about how many bytes of memory this payload takes, with what its clones share.
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl<T: Send + Sync + ?Sized + 'static> Payload for Arc<T> {}
impl Payload for Vec<u8> {}
impl Payload for Cow<'static, str> {}

/// One event per payload, whatever it is.
macro_rules! one_event {
    ($($type:ty),* $(,)?) => { $(impl Payload for $type {})* };
}

one_event!(String, &'static str, (), bool, char, u8, u16, u32, u64, u128, usize);
one_event!(i8, i16, i32, i64, i128, isize, f32, f64);

#[cfg(feature = "abi")]
impl Payload for crate::Batch {
    fn events(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.size()
    }
}
