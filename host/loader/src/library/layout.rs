//! Whether a library's module has a layout that this host can use.

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
    type_layout::TypeLayout,
};
use hotbay_plugin_api::abi::PluginRef;

use crate::Refusal;

/// Checks that a library's module has the layout of this host's, or one that differs only in
/// functions which the newer of both has appended.
pub(super) fn check(library: &'static TypeLayout) -> Result<(), Refusal> {
    compare(PluginRef::LAYOUT, library).map_err(Refusal::Layout)
}

fn compare(host: &'static TypeLayout, library: &'static TypeLayout) -> Result<(), String> {
    // abi_stable's own globals would keep references into the library, and
    // crash at the next check after it was unmapped: fresh ones for each check.
    let check = |shorter, longer| {
        check_layout_compatibility_with_globals(shorter, longer, &CheckingGlobals::new())
    };
    // The first of two layouts is the one that may have fewer functions: the library's if its
    // SDK is older than this host, this host's if it is newer.
    check(library, host)
        .or_else(|_| check(host, library))
        .map_err(|errors| super::first_line(&errors.to_string()))
}

#[cfg(test)]
mod tests;
