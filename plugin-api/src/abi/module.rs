//! The root module of a plugin, which holds the functions that its host calls.

use abi_stable::{
    StableAbi,
    library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult},
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{RBox, ROption, RResult, RSlice, RStr, RString},
};

use crate::abi::{ComponentObject, FfiError, Host_TO, HostLog_TO, RunObject_TO};

/// The module of a plugin, which a loader gets from its entry symbol.
pub type LibraryHeader = LibHeader;

/// The functions of a plugin. None of them unwinds into the host.
///
/// A panic in the author's code is caught and comes back as an error, as an empty manifest, or as
/// `RNone` for a payload. `connect_log` and `close` return nothing and catch nothing: a panic that
/// leaves one of them ends the process.
///
/// A function that is appended stands behind `close`, and its accessor gives an `Option`:
/// the host decides what a plugin without it is like.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef)))]
pub struct PluginModule {
    /// Returns the plugin's [`Manifest`](crate::Manifest) as JSON.
    pub manifest: extern "C" fn() -> RString,
    /// Connects the plugin's `tracing` with its host's; the first connection stays.
    pub connect_log: extern "C" fn(HostLog_TO<'static, RBox<()>>),
    /// Checks a component's configuration, given as JSON. For a task whose spec has a schema of its
    /// settings, the name is `task/NAME`.
    pub check_config: extern "C" fn(RStr<'_>, RStr<'_>) -> ROption<ConfigProblem>,
    /// Makes a component.
    pub create_component:
        extern "C" fn(RStr<'_>, Host_TO<'static, RBox<()>>) -> RResult<ComponentObject, FfiError>,
    /// Makes one run, by a [`RunRequest`](crate::spec::RunRequest) as JSON, which lends it
    /// a host of its own.
    pub create_run: extern "C" fn(
        RStr<'_>,
        Host_TO<'static, RBox<()>>,
    ) -> RResult<RunObject_TO<'static, RBox<()>>, FfiError>,
    /// A payload as JSON, by the code of its kind; `RNone` if no port of the plugin tells
    /// that kind, or if the payload is damaged.
    pub event_to_json: extern "C" fn(u32, RSlice<'_, u8>) -> ROption<RString>,
    /// Ends what the plugin runs by itself. Called once, after all objects are gone.
    #[sabi(last_prefix_field)]
    pub close: extern "C" fn(),
}

impl RootModule for PluginRef {
    abi_stable::declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "hotbay_plugin";
    const NAME: &'static str = "hotbay_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// A problem of a configuration, and its place.
#[repr(C)]
#[derive(Debug, Clone, StableAbi)]
pub struct ConfigProblem {
    /// The path below `config`, such as `instruments[0].tick`; empty for the whole.
    pub path: RString,
    /// The problem, and what was expected.
    pub message: RString,
}

/// The source of a plugin's module.
pub(crate) trait GivesModule {
    fn module() -> PluginRef;
}

/// The entry that a library exports, for the module that `M` gives.
pub(crate) const fn library_header<M: GivesModule>() -> LibraryHeader {
    extern "C" fn construct<M: GivesModule>() -> RootModuleResult {
        abi_stable::library::__call_root_module_loader(M::module)
    }
    // SAFETY: `construct` above gives a `PluginRef`, the type that is named here, and goes through
    // `__call_root_module_loader`.
    unsafe { LibHeader::from_constructor::<PluginRef>(construct::<M>, CheckTypeLayout::Yes) }
}
