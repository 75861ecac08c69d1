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
fn a_library_whose_functions_are_others_does_not_fit() {
    assert!(compare(first::ModuleRef::LAYOUT, other::ModuleRef::LAYOUT).is_err());
}
