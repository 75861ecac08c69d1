//! Counts the producers that may still publish on each channel.

use std::{collections::HashMap, hash::Hash};

use parking_lot::Mutex;

/// The number of producers of each channel that have not ended.
pub(super) struct Outputs<E> {
    producers: Mutex<HashMap<E, usize>>,
}

impl<E: Clone + Eq + Hash> Outputs<E> {
    pub(super) fn new() -> Self {
        Self { producers: Mutex::new(HashMap::new()) }
    }

    pub(super) fn begin(&self, outputs: &[E]) {
        let mut producers = self.producers.lock();
        for output in outputs {
            *producers.entry(output.clone()).or_default() += 1;
        }
    }

    /// Forgets producers without an end to any channel.
    pub(super) fn forget(&self, outputs: &[E]) {
        let mut producers = self.producers.lock();
        for output in outputs {
            if let Some(left) = producers.get_mut(output) {
                *left = left.saturating_sub(1);
            }
        }
    }

    /// Returns the channels whose last producer this was.
    pub(super) fn end(&self, outputs: &[E]) -> Vec<E> {
        let mut producers = self.producers.lock();
        let mut over = Vec::new();
        for output in outputs {
            let Some(left) = producers.get_mut(output) else { continue };
            *left = left.saturating_sub(1);
            if *left == 0 {
                producers.remove(output);
                over.push(output.clone());
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_over_with_its_last_producer() {
        let outputs = Outputs::new();
        outputs.begin(&["ticks", "signals"]);
        outputs.begin(&["ticks"]);
        assert_eq!(outputs.end(&["ticks", "signals"]), ["signals"]);
        assert_eq!(outputs.end(&["ticks"]), ["ticks"]);
        assert!(outputs.end(&["ticks"]).is_empty());
    }
}
