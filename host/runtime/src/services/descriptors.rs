//! Descriptors that components keep in the host, over the change of their builds.

use std::{collections::BTreeMap, os::fd::OwnedFd, sync::Arc};

use hotbay_plugin_api::SchedulerError;
use parking_lot::Mutex;

/// The most descriptors that are kept for one component.
const MOST: usize = 1_024;

/// The longest name of a descriptor, in bytes.
const LONGEST_NAME: usize = 256;

/// Descriptors that are kept for the components of one host, each under a name. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Descriptors(Arc<Mutex<BTreeMap<String, BTreeMap<String, OwnedFd>>>>);

impl Descriptors {
    /// Keeps a descriptor for a component, in the place of one that it has under this name.
    ///
    /// # Errors
    /// If the name is too long, or the component has too many descriptors.
    pub(crate) fn keep(
        &self,
        component: &str,
        name: &str,
        fd: OwnedFd,
    ) -> Result<(), SchedulerError> {
        let refused = |reason: String| Err(SchedulerError::InvalidState(reason));
        if name.len() > LONGEST_NAME {
            let length = name.len();
            return refused(format!(
                "the name of a descriptor has {length} bytes; the most are {LONGEST_NAME}"
            ));
        }
        let mut all = self.0.lock();
        let kept = all.entry(component.to_owned()).or_default();
        if kept.len() >= MOST && !kept.contains_key(name) {
            return refused(format!(
                "{component} has {MOST} descriptors kept, which is the most; take those that it needs no \
                 more"
            ));
        }
        let before = kept.insert(name.to_owned(), fd);
        drop(all);
        // Closing may block, so it happens without the lock.
        drop(before);
        Ok(())
    }

    /// Gives a descriptor of a component away.
    pub(crate) fn take(&self, component: &str, name: &str) -> Option<OwnedFd> {
        self.0.lock().get_mut(component)?.remove(name)
    }

    /// Closes the descriptors that are kept for a component, because it is no longer there.
    pub fn forget(&self, component: &str) {
        let forgotten = self.0.lock().remove(component);
        drop(forgotten);
    }
}
