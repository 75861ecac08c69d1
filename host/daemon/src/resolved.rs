//! A component of the configuration, resolved against its plugin.

use hotbay_config::Role;
use hotbay_runtime::ComponentSpec;

/// One component of the pipeline, resolved against its plugin.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedComponent {
    pub(crate) role: Role,
    pub(crate) id: String,
    pub(crate) plugin: String,
    pub(crate) spec: ComponentSpec,
}
