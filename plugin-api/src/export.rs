//! From an author's types and tables to the functions that a host calls.

use std::{fmt, sync::Arc};

use abi_stable::{
    prefix_type::WithMetadata,
    sabi_trait::TD_Opaque,
    staticref,
    std_types::{RBox, ROption, RResult, RSlice, RStr, RString},
};

use crate::{
    Batch, ChannelName, Component, ComponentManifest, Context, EventDescription, Handover,
    Manifest, PluginTask, PluginTaskKind, Port, PortManifest, Role, SchedulerError, TaskFn,
    abi::{
        BackgroundObject_TO, ComponentObject, ConfigProblem, EventObject_TO, FfiError, GivesModule,
        Host_TO, LibraryHeader, PluginModule, PluginRef, RunObject_TO, library_header,
    },
    context::{option, parse_config},
    guard, log_bridge,
    object::{Background, Events, Run},
    spec::{RunRequest, RunTarget, TaskSpec},
    task::{BackgroundTask, EventTask},
};

type Create = fn(Arc<str>, Context) -> Result<ComponentObject, SchedulerError>;
type Check = fn(&str) -> Result<(), (String, String)>;

/// One component in an export; made by [`connector`](crate::connector) and its siblings.
#[derive(Debug, Clone, Copy)]
pub struct ComponentExport {
    name: &'static str,
    role: Role,
    description: &'static str,
    inputs: &'static [Port],
    outputs: &'static [Port],
    resources: &'static [&'static str],
    handover: Handover,
    schema: fn() -> serde_json::Value,
    check: Check,
    create: Create,
}

impl ComponentExport {
    pub(crate) const fn background<C: Component + BackgroundTask>(
        name: &'static str,
        role: Role,
    ) -> Self {
        Self::of::<C>(name, role, |id, context| {
            let task = C::create(context.config()?, context)?;
            let object = Background::new(id, task);
            Ok(ComponentObject::Background(BackgroundObject_TO::from_value(object, TD_Opaque)))
        })
    }

    pub(crate) const fn event<C: Component + EventTask<ChannelName, Batch>>(
        name: &'static str,
        role: Role,
    ) -> Self {
        Self::of::<C>(name, role, |id, context| {
            let task = C::create(context.config()?, context)?;
            let object = Events::new(id, task);
            Ok(ComponentObject::Event(EventObject_TO::from_value(object, TD_Opaque)))
        })
    }

    const fn of<C: Component>(name: &'static str, role: Role, create: Create) -> Self {
        Self {
            name,
            role,
            description: C::DESCRIPTION,
            inputs: C::INPUTS,
            outputs: C::OUTPUTS,
            resources: C::RESOURCES,
            handover: C::HANDOVER,
            schema: || schemars::schema_for!(C::Config).to_value(),
            check: |json| {
                let config = parse_config::<C::Config>(json)?;
                C::check(&config).map_err(|message| (String::new(), message))
            },
            create,
        }
    }

    fn manifest(&self) -> ComponentManifest {
        ComponentManifest {
            name: self.name.to_owned(),
            role: self.role,
            description: self.description.to_owned(),
            inputs: self.inputs.iter().map(port).collect(),
            outputs: self.outputs.iter().map(port).collect(),
            resources: self.resources.iter().map(|it| (*it).to_owned()).collect(),
            handover: self.handover,
            config_schema: (self.schema)(),
        }
    }
}

/// The exports of a plugin, which [`export_plugin!`](crate::export_plugin) fills in.
#[derive(Clone, Copy)]
pub struct Exports {
    /// The plugin's name.
    pub name: &'static str,
    /// The plugin's version.
    pub version: &'static str,
    /// A description of the plugin in one line.
    pub description: &'static str,
    /// The tasks of the plugin.
    pub tasks: &'static [PluginTask],
    /// The kinds of tasks that the plugin offers for submission.
    pub task_kinds: &'static [PluginTaskKind],
    /// The components of the plugin.
    pub components: &'static [ComponentExport],
    /// Ends what the plugin has as a whole, such as a pool of threads, when its build is closed.
    pub on_close: &'static (dyn Fn() + Sync),
}

impl Exports {
    /// A plugin that brings nothing yet.
    pub const fn new(name: &'static str, version: &'static str, description: &'static str) -> Self {
        Self {
            name,
            version,
            description,
            tasks: &[],
            task_kinds: &[],
            components: &[],
            on_close: &|| {},
        }
    }

    fn function(&self, target: &RunTarget) -> Result<TaskFn, SchedulerError> {
        let (found, name) = match target {
            RunTarget::Task(name) => {
                (self.tasks.iter().find(|it| it.name == name).map(|it| it.run), name)
            }
            RunTarget::TaskKind(name) => {
                (self.task_kinds.iter().find(|it| it.name == name).map(|it| it.run), name)
            }
        };
        found.ok_or_else(|| SchedulerError::TaskNotFound(name.as_str().into()))
    }
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exports").field("name", &self.name).finish_non_exhaustive()
    }
}

#[doc(hidden)]
pub trait Exported: 'static {
    const EXPORTS: Exports;
}

/// Exports a plugin: one call in the crate's root.
///
/// `tasks`, `task_kinds`, `components` and `on_close` may each be left out. `on_close` is a `fn()` that
/// is called once, when a build is closed and all its components and runs are gone: the place
/// to join threads that the plugin has as a whole. A thread that does not end keeps the build's
/// library mapped. The plugin's name, version and description are the package's. The macro also gives the crate a function
/// `hotbay_plugin()`, by which a program that links the crate gets the same
/// plugin without loading a library.
#[macro_export]
macro_rules! export_plugin {
    ($($field:ident: $value:expr),* $(,)?) => {
        #[doc(hidden)]
        #[derive(Debug)]
        pub enum HotbayPlugin {}

        impl $crate::__private::Exported for HotbayPlugin {
            const EXPORTS: $crate::Exports = $crate::Exports {
                $($field: &$value,)*
                ..$crate::Exports::new(
                    env!("CARGO_PKG_NAME"),
                    env!("CARGO_PKG_VERSION"),
                    env!("CARGO_PKG_DESCRIPTION"),
                )
            };
        }

        /// This plugin, linked instead of loaded.
        pub fn hotbay_plugin() -> $crate::abi::PluginRef {
            $crate::__private::plugin::<HotbayPlugin>()
        }

        const _: () = {
            #[unsafe(export_name = concat!("hotbay_plugin_entry_", env!("CARGO_PKG_NAME")))]
            pub static ENTRY: $crate::abi::LibraryHeader =
                $crate::__private::header::<HotbayPlugin>();

            #[used]
            #[unsafe(export_name = concat!("hotbay_plugin_descriptor_", env!("CARGO_PKG_NAME")))]
            #[unsafe(link_section = ".hotbay.plugin")]
            pub static DESCRIPTOR: $crate::abi::Descriptor = $crate::abi::Descriptor::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            );
        };
    };
}

#[doc(hidden)]
pub fn plugin<X: Exported>() -> PluginRef {
    Module::<X>::REF
}

#[doc(hidden)]
pub const fn header<X: Exported>() -> LibraryHeader {
    library_header::<Module<X>>()
}

impl<X: Exported> GivesModule for Module<X> {
    fn module() -> PluginRef {
        plugin::<X>()
    }
}

struct Module<X>(X);

impl<X: Exported> Module<X> {
    staticref!(const WITH_METADATA: WithMetadata<PluginModule> = WithMetadata::new(PluginModule {
        manifest: manifest::<X>,
        connect_log: log_bridge::connect,
        check_config: check_config::<X>,
        create_component: create_component::<X>,
        create_run: create_run::<X>,
        event_to_json: event_to_json::<X>,
        close: close::<X>,
    }));

    const REF: PluginRef = PluginRef(Self::WITH_METADATA.as_prefix());
}

extern "C" fn manifest<X: Exported>() -> RString {
    let exports = X::EXPORTS;
    let manifest = guard::call(&exports.name.into(), || {
        Ok(Manifest {
            name: exports.name.to_owned(),
            version: exports.version.to_owned(),
            description: exports.description.to_owned(),
            tasks: exports.tasks.iter().map(PluginTask::spec).collect(),
            task_kinds: exports.task_kinds.iter().map(PluginTaskKind::spec).collect(),
            components: exports.components.iter().map(ComponentExport::manifest).collect(),
        })
    });
    // An empty text tells the host that the author's constants panicked.
    manifest.ok().and_then(|it| serde_json::to_string(&it).ok()).unwrap_or_default().into()
}

extern "C" fn check_config<X: Exported>(
    component: RStr<'_>,
    json: RStr<'_>,
) -> ROption<ConfigProblem> {
    let problem = |path: String, message: String| ConfigProblem {
        path: path.into(),
        message: message.into(),
    };
    let checked = guard::call(&component.as_str().into(), || {
        Ok(match check_of::<X>(component.as_str()) {
            Ok(check) => check(json.as_str()),
            Err(error) => Err((String::new(), error.to_string())),
        })
    });
    option(match checked {
        Ok(Ok(())) => None,
        Ok(Err((path, message))) => Some(problem(path, message)),
        Err(panic) => Some(problem(String::new(), panic.to_string())),
    })
}

extern "C" fn create_component<X: Exported>(
    component: RStr<'_>,
    host: Host_TO<'static, RBox<()>>,
) -> RResult<ComponentObject, FfiError> {
    let context = Context::new(host);
    let id: Arc<str> = context.id().into();
    guard::call(&id, || (find::<X>(component.as_str())?.create)(Arc::clone(&id), context))
        .map_err(FfiError::from)
        .into()
}

extern "C" fn create_run<X: Exported>(
    request: RStr<'_>,
    host: Host_TO<'static, RBox<()>>,
) -> RResult<RunObject_TO<'static, RBox<()>>, FfiError> {
    let context = Context::new(host);
    guard::call(&context.id().into(), || {
        let request: RunRequest = serde_json::from_str(request.as_str())
            .map_err(|error| SchedulerError::InvalidState(format!("no run request: {error}")))?;
        let function = X::EXPORTS.function(&request.target)?;
        let run = Run::new(function, context.of_run(request));
        Ok(RunObject_TO::from_value(run, TD_Opaque))
    })
    .map_err(FfiError::from)
    .into()
}

extern "C" fn event_to_json<X: Exported>(kind: u32, payload: RSlice<'_, u8>) -> ROption<RString> {
    let ports = X::EXPORTS.components.iter().flat_map(|it| it.inputs.iter().chain(it.outputs));
    let mut known = ports.flat_map(|port| port.events);
    let json = guard::call(&X::EXPORTS.name.into(), || {
        let found = known.find(|event| event.kind().code() == kind);
        Ok(found.and_then(|event| event.render(payload.as_slice())))
    });
    option(json.ok().flatten().map(RString::from))
}

extern "C" fn close<X: Exported>() {
    let exports = X::EXPORTS;
    let on_close = || {
        (exports.on_close)();
        Ok(())
    };
    if let Err(error) = guard::call(&exports.name.into(), on_close) {
        tracing::error!(%error, "`on_close` failed");
    }
    #[cfg(feature = "tokio")]
    crate::runtime::close();
    log_bridge::disconnect();
}

/// Returns the check of a component, or of a task under its [`TaskSpec::settings_name`].
fn check_of<X: Exported>(name: &str) -> Result<Check, SchedulerError> {
    let mut tasks = X::EXPORTS.tasks.iter();
    match tasks.find(|task| TaskSpec::settings_name(task.name) == name) {
        // Without a type, any settings are taken.
        Some(task) => Ok(task.settings.map_or(|_| Ok(()), |settings| settings.check)),
        None => find::<X>(name).map(|component| component.check),
    }
}

fn find<X: Exported>(component: &str) -> Result<&'static ComponentExport, SchedulerError> {
    let exports = X::EXPORTS;
    exports.components.iter().find(|known| known.name == component).ok_or_else(|| {
        SchedulerError::Configuration(format!(
            "plugin {} has no component `{component}`",
            exports.name
        ))
    })
}

fn port(port: &Port) -> PortManifest {
    PortManifest {
        name: port.name.to_owned(),
        description: port.description.to_owned(),
        required: port.required,
        events: port.events.iter().map(EventDescription::spec).collect(),
    }
}
