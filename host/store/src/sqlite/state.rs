//! Whether the file can be written.

use parking_lot::Mutex;

use crate::{
    clock,
    store::{Failure, Health},
};

/// Whether the last write was successful.
#[derive(Debug)]
pub(super) struct HealthState(Mutex<Health>);

impl HealthState {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Health::Good))
    }

    pub(super) fn get(&self) -> Health {
        self.0.lock().clone()
    }

    pub(super) fn is_good(&self) {
        let mut health = self.0.lock();
        if *health != Health::Good {
            tracing::info!("the store can be written again");
            *health = Health::Good;
        }
    }

    pub(super) fn is_failing(&self, failure: &Failure) {
        let mut health = self.0.lock();
        let since = match &*health {
            Health::Good => {
                tracing::error!(%failure, "the store can't be written");
                clock::now()
            }
            Health::Failing { since, .. } => *since,
        };
        *health = Health::Failing { since, reason: failure.clone() };
    }
}
