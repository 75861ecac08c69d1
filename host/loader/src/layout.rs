//! Checks that the module of a library has a layout that this host can use.

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
    library::{AbiHeader, LibraryError, RootModule},
    type_layout::TypeLayout,
};
use hotbay_plugin_api::abi::PluginRef;

use crate::{Refusal, text::is_printable};

/// Checks that a library's module has the same layout as this host's, or a layout that differs
/// only in functions that the newer one of the two appends. The error is the first difference.
pub(crate) fn check(library: &'static TypeLayout) -> Result<(), String> {
    compare(PluginRef::LAYOUT, library)
}

/// Returns the refusal of a library whose layout is that of another version of the SDK.
pub(crate) fn of_another_sdk(found: &str, difference: &str) -> Refusal {
    let own = PluginRef::VERSION_STRINGS.version.as_str();
    let found = if is_printable(found) { found } else { "of an unknown version" };
    Refusal::Layout(format!(
        "it was built with hotbay-plugin-api {found}, this host with {own}, and they differ: \
         {difference}"
    ))
}

/// Returns the refusal of a library that abi_stable does not accept as one of its own.
pub(crate) fn of_another_format(error: &LibraryError) -> Refusal {
    let LibraryError::InvalidAbiHeader(found) = error else {
        return Refusal::Layout(first_line(&error.to_string()));
    };
    let own = AbiHeader::VALUE;
    if found.magic_string != own.magic_string {
        return Refusal::Layout("its entry is not one of abi_stable".to_owned());
    }
    Refusal::Layout(format!(
        "it was built with abi_stable {}.{}, this host with abi_stable {}.{}",
        found.abi_major, found.abi_minor, own.abi_major, own.abi_minor
    ))
}

fn compare(host: &'static TypeLayout, library: &'static TypeLayout) -> Result<(), String> {
    // The global state of abi_stable would keep references into this library, and the next check
    // after the library was unmapped would crash. So each check gets a fresh state.
    let check = |shorter, longer| {
        check_layout_compatibility_with_globals(shorter, longer, &CheckingGlobals::new())
    };
    // The first layout is the one that may have fewer functions: that of the library if its SDK is
    // older than this host, and that of the host if the SDK is newer.
    check(library, host)
        .or_else(|_| check(host, library))
        .map_err(|errors| first_line(&errors.to_string()))
}

/// Returns the first line of a report that is not empty. The reports of abi_stable have many lines,
/// and the first one is enough for people.
pub(crate) fn first_line(report: &str) -> String {
    let mut lines = report.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next().unwrap_or("the layouts differ").to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(unsafe_code, reason = "abi_stable's derives write the unsafe glue of the ABI")]
    #![allow(
        dead_code,
        missing_docs,
        missing_debug_implementations,
        non_local_definitions,
        unreachable_pub,
        clippy::all,
        clippy::undocumented_unsafe_blocks,
        clippy::multiple_unsafe_ops_per_block,
        reason = "written by abi_stable's derive macros, not by us"
    )]

    use super::*;

    /// A module of these functions, whose prefix ends with `close`, and an object that it gives.
    macro_rules! sdk {
        ($name:ident: $($function:ident: $type:ty),*; $($later:ident),*) => {
            mod $name {
                use abi_stable::{StableAbi, sabi_trait};

                #[sabi_trait]
                pub trait Object: Send {
                    #[sabi(last_prefix_field)]
                    fn run(&self) -> u32;
                    $(fn $later(&self) -> u32 { 7 })*
                }

                #[repr(C)]
                #[derive(StableAbi)]
                #[sabi(kind(Prefix(prefix_ref = ModuleRef)))]
                pub struct Module {
                    $(pub $function: extern "C" fn() -> $type,)*
                    #[sabi(last_prefix_field)]
                    pub close: extern "C" fn(),
                    $(pub $later: extern "C" fn(),)*
                }
            }
        };
    }

    sdk!(first: make: Object_TO<'static, abi_stable::std_types::RBox<()>>;);
    sdk!(later: make: Object_TO<'static, abi_stable::std_types::RBox<()>>; render);
    sdk!(other: make: u32;);

    #[test]
    fn a_library_of_an_older_or_a_newer_sdk_fits() {
        let (first, later) = (first::ModuleRef::LAYOUT, later::ModuleRef::LAYOUT);
        for (host, library) in [(first, first), (later, first), (first, later)] {
            assert_eq!(compare(host, library), Ok(()));
        }
    }

    #[test]
    fn a_library_of_another_version_is_refused_with_both_versions() {
        let own = PluginRef::VERSION_STRINGS.version.as_str();
        let text = of_another_sdk("9.8.7", "the types differ").to_string();
        assert!(text.contains("hotbay-plugin-api 9.8.7, this host with") && text.contains(own));
        assert!(!of_another_sdk("\u{1b}[31m", "").to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_library_whose_functions_are_others_does_not_fit() {
        assert!(compare(first::ModuleRef::LAYOUT, other::ModuleRef::LAYOUT).is_err());
    }
}
