//! Whose plugins are loaded, as long as the host runs.

use std::sync::Arc;

use super::Plugins;
use hotbay_config::{Diagnostic, Severity};
use hotbay_loader::{Inspected, Trust, TrustMode, TrustedBy};

impl Plugins {
    /// Trusts others from now on. What is loaded stays.
    pub(crate) fn set_trust(&mut self, trust: Arc<Trust>) {
        if self.trust == trust {
            return;
        }
        self.trust = trust;
        self.trust_changed = true;
        tracing::info!(mode = %self.trust.mode, "whom the host trusts has changed");
        for berth in self.loaded.values_mut() {
            let is_pinned = self.trust.pins.contains(&berth.build().hash);
            match berth.trusted_by {
                TrustedBy::Nobody if is_pinned => berth.trusted_by = TrustedBy::Pin,
                TrustedBy::Pin if !is_pinned => berth.trusted_by = TrustedBy::Nobody,
                TrustedBy::Nobody | TrustedBy::Pin | TrustedBy::Signature { .. } => {}
            }
            if self.trust.mode == TrustMode::Enforce && berth.trusted_by == TrustedBy::Nobody {
                let plugin = berth.generation.name();
                tracing::warn!(
                    plugin,
                    "nobody vouches for it; it runs on, but will not load again"
                );
            }
        }
    }

    /// Whether that changed since this was asked last.
    pub(crate) fn take_trust_change(&mut self) -> bool {
        std::mem::take(&mut self.trust_changed)
    }
}

/// That a library is loaded for which nobody vouches, where that is worth a warning.
pub(crate) fn doubt(library: &Inspected) -> Option<Diagnostic> {
    let doubt = library.doubt.as_ref()?;
    let message = format!("{doubt} [{}]; it is loaded, as trust is to warn only", doubt.code());
    let finding = Diagnostic::new(&library.path, Severity::Warning, message);
    Some(finding.with_help(doubt.remedy()))
}
