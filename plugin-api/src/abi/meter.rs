//! Numbers that a plugin changes and its host reads.

use std::sync::atomic::{AtomicU64, Ordering};

use abi_stable::{StableAbi, std_types::RArc};

/// A counter of a component or task. Clones are the same counter.
///
/// The memory belongs to the host, which keeps the counter under its name; a plugin adds
/// to it in place, without a call, a lock or an allocation.
#[derive(Debug, Clone, StableAbi)]
#[repr(transparent)]
pub struct SharedCounter(RArc<AtomicU64>);

impl SharedCounter {
    /// Creates a counter at zero; only hosts need this.
    pub fn new() -> Self {
        Self(RArc::new(AtomicU64::new(0)))
    }

    /// Adds to the counter, which stays at its largest value once it is reached.
    pub fn add(&self, by: u64) {
        let add = |value: u64| Some(value.saturating_add(by));
        // Never an error: every value has a next one.
        let _before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for SharedCounter {
    fn default() -> Self {
        Self::new()
    }
}

/// A gauge of a component or task, shared in the same way. Clones are the same gauge.
#[derive(Debug, Clone, StableAbi)]
#[repr(transparent)]
pub struct SharedGauge(RArc<AtomicU64>);

/// The bits of a gauge that was never set: a NaN that no computation gives.
const UNSET: u64 = u64::MAX;

impl SharedGauge {
    /// A gauge that was never set. For hosts.
    pub fn new() -> Self {
        Self(RArc::new(AtomicU64::new(UNSET)))
    }

    /// Sets the gauge.
    pub fn set(&self, value: f64) {
        let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        self.0.store(bits, Ordering::Relaxed);
    }

    /// The present value, if the gauge was ever set.
    pub fn value(&self) -> Option<f64> {
        let bits = self.0.load(Ordering::Relaxed);
        (bits != UNSET).then(|| f64::from_bits(bits))
    }
}

impl Default for SharedGauge {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_stays_at_its_largest_value() {
        let counter = SharedCounter::new();
        counter.add(u64::MAX - 1);
        counter.add(7);
        assert_eq!(counter.value(), u64::MAX);
    }

    #[test]
    fn a_gauge_tells_whether_it_was_set_whatever_it_was_set_to() {
        let gauge = SharedGauge::new();
        assert_eq!(gauge.value(), None);
        gauge.set(f64::from_bits(u64::MAX));
        assert!(gauge.value().unwrap().is_nan());
        gauge.set(-0.5);
        assert_eq!(gauge.clone().value(), Some(-0.5));
    }
}
