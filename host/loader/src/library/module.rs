//! The functions of a library, and what they make.
//!
//! The types of abi_stable say that functions and objects of a plugin live as long as the process.
//! They live only as long as the library is mapped. So they are not handed out: a [`Module`] calls the
//! functions and copies what they return, and each object comes as a [`PluginValue`]. Both have a
//! share of the library, and so has whoever keeps a waker of the plugin. The library is unmapped only
//! by somebody who owns it whole.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use abi_stable::{
    library::{AbiHeaderRef, LibHeader},
    std_types::{RBox, RStr},
};
use hotbay_plugin_api::{
    Manifest, SchedulerError,
    abi::{BackgroundObject_TO, ComponentObject, EventObject_TO, Host_TO, PluginRef, RunObject_TO},
    limits::{self, cut},
};

use super::Library;
use crate::{Descriptor, Refusal, RunLog, layout, log, manifest};

/// A share of a library. `None` for a plugin that is linked into this program.
type Share = Option<Arc<Library>>;

/// The functions of a plugin. Each of them runs code of the plugin, so call them on threads of its
/// bay only.
#[derive(Clone)]
pub struct Module {
    functions: PluginRef,
    share: Share,
}

/// A value that a plugin made, with a share of the plugin's library.
pub struct PluginValue<T> {
    /// Dropped before the share: that runs code of the library.
    value: T,
    _share: Share,
}

/// A connector or an aggregator of a plugin, with a share of its library.
pub type BackgroundObject = PluginValue<BackgroundObject_TO<'static, RBox<()>>>;

/// A strategy or an executor of a plugin, with a share of its library.
pub type EventObject = PluginValue<EventObject_TO<'static, RBox<()>>>;

/// An attempt of a run of a plugin's task, with a share of its library.
pub type RunObject = PluginValue<RunObject_TO<'static, RBox<()>>>;

/// A component that a plugin made.
#[derive(Debug)]
pub enum PluginObject {
    /// A connector or an aggregator.
    Background(BackgroundObject),
    /// A strategy or an executor.
    Event(EventObject),
}

impl Module {
    /// Returns the module of a plugin that is linked into this program.
    pub fn linked(functions: PluginRef) -> Self {
        Self { functions, share: None }
    }

    /// Returns the module behind an entry symbol of a library, if its layout is the one that this
    /// host was compiled with.
    pub(crate) fn of(library: &Arc<Library>, entry: &str) -> Result<Self, Refusal> {
        let header = header(library, entry)?;
        let layout = header
            .layout()
            .ok_or_else(|| Refusal::Layout("the library hides its layout".to_owned()))?;
        let sdk = header.version_strings().version.as_str();
        layout::check(layout).map_err(|reason| layout::of_another_sdk(sdk, &reason))?;
        // SAFETY: the call above checked the layout of this very type.
        let functions = unsafe { header.unchecked_layout::<PluginRef>() };
        let functions = functions.map_err(|error| Refusal::Layout(error.to_string()))?;
        Ok(Self { functions, share: Some(Arc::clone(library)) })
    }

    /// Returns the plugin's manifest as JSON.
    ///
    /// # Errors
    /// [`Refusal::Manifest`] if the text is not UTF-8.
    pub fn manifest(&self) -> Result<String, Refusal> {
        manifest::to_text(self.functions.manifest()())
    }

    /// Returns the plugin's manifest, checked against the descriptor of its library.
    ///
    /// # Errors
    /// [`Refusal::Manifest`] if the text is not a manifest, or contradicts the descriptor.
    pub fn manifest_of(&self, descriptor: &Descriptor) -> Result<Manifest, Refusal> {
        manifest::parse(&self.manifest()?, descriptor)
    }

    /// Forwards the plugin's `tracing` events to the host's subscriber, under the plugin's name, and
    /// those of runs to their log.
    pub fn connect_log(&self, plugin: Arc<str>, runs: Option<RunLog>) {
        self.functions.connect_log()(log::receiver(plugin, runs));
    }

    /// Checks a component's configuration, given as JSON.
    ///
    /// # Errors
    /// If the configuration is wrong: the path below `config`, and the problem.
    pub fn check_config(&self, component: &str, json: &str) -> Result<(), (String, String)> {
        let problem = self.functions.check_config()(component.into(), json.into()).into_option();
        let copy = |text: RStr<'_>| cut(&text, limits::TEXT);
        problem.map_or(Ok(()), |it| Err((copy(it.path.as_rstr()), copy(it.message.as_rstr()))))
    }

    /// Makes a component.
    ///
    /// # Errors
    /// If the plugin refuses or panics.
    pub fn create_component(
        &self,
        component: &str,
        host: Host_TO<'static, RBox<()>>,
    ) -> Result<PluginObject, SchedulerError> {
        let created = self.functions.create_component()(component.into(), host).into_result()?;
        Ok(match created {
            ComponentObject::Background(object) => PluginObject::Background(self.made(object)),
            ComponentObject::Event(object) => PluginObject::Event(self.made(object)),
        })
    }

    /// Makes a run, by a [`RunRequest`](hotbay_plugin_api::spec::RunRequest) as JSON.
    ///
    /// # Errors
    /// If the plugin has no such function, or panics.
    pub fn create_run(
        &self,
        request: &str,
        host: Host_TO<'static, RBox<()>>,
    ) -> Result<RunObject, SchedulerError> {
        Ok(self.made(self.functions.create_run()(request.into(), host).into_result()?))
    }

    /// Ends what the plugin runs by itself. Call this once, when all objects are gone.
    pub fn close(&self) {
        self.functions.close()();
    }

    fn made<T>(&self, value: T) -> PluginValue<T> {
        PluginValue { value, _share: self.share.clone() }
    }
}

/// Returns the header of the module behind an entry symbol.
fn header<'a>(library: &'a Library, entry: &str) -> Result<&'a LibHeader, Refusal> {
    let missing = |error: libloading::Error| Refusal::Linking(error.to_string());
    // SAFETY: an `AbiHeaderRef` is a pointer to what begins a `LibHeader`. The descriptor says
    // that this symbol is one, and `elf::read_descriptor` has found as many bytes there as one
    // has, aligned as one. They are mapped for as long as `library` is, which the result borrows.
    let symbol = unsafe { library.handle.get::<AbiHeaderRef>(entry.as_bytes()) };
    let header = *symbol.map_err(missing)?;
    // `upgrade` compares the magic bytes and the version of abi_stable before it calls
    // anything.
    header.upgrade().map_err(|error| layout::of_another_format(&error))
}

impl<T> Deref for PluginValue<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for PluginValue<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("library", &self.share).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for PluginValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginValue").finish_non_exhaustive()
    }
}
