//! One loaded build of a plugin.

use std::{
    fmt,
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use abi_stable::std_types::RString;
use hotbay_plugin_api::{
    ChannelName, Manifest, SchedulerError,
    abi::{ComponentObject, PluginRef},
    spec::RunTarget,
};

use hotbay_loader::{
    Descriptor, Inspected, LoadError, Loader, MappedLibrary, ReadyLibrary, Refusal,
    RetainedLibrary, ThreadMark, connect_log, read_manifest,
};

use super::{
    Bay, BayConfig, ComponentSetup, PluginComponent, PluginEvents, PluginRuns, PluginTurns,
    Services,
    lent::{self, Mute},
    lodger::Housed,
};

/// What is known of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationInfo {
    /// What the plugin says about itself.
    pub manifest: Manifest,
    /// What stands in its file. `None` for a plugin that is linked in.
    pub file: Option<FileInfo>,
}

/// Which file a generation came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// The file in the plugins folder.
    pub path: PathBuf,
    /// The SHA-256 of the bytes that were loaded, in hexadecimal.
    pub hash: String,
    /// Its ELF descriptor.
    pub descriptor: Descriptor,
}

/// A loaded plugin: its module, the bay that its code runs in, and its library.
pub struct Generation {
    info: GenerationInfo,
    parts: Option<Parts>,
}

struct Parts {
    module: PluginRef,
    bay: Bay,
    mapped: Option<MappedLibrary>,
}

/// How long threads get to end even if nothing is left of the limit.
const LEAST: Duration = Duration::from_millis(250);

/// How a generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// Its threads ended and nothing of it is mapped any more.
    Unmapped,
    /// It was linked in: its threads ended, and there was nothing to unmap.
    Linked,
    /// Some threads of its bay or calls into it did not end, so it stays mapped for the
    /// rest of the process.
    StillRunning {
        /// How many.
        threads: usize,
    },
    /// Its bay ended, but threads outside of it run its code, or keep it mapped by a
    /// thread-local with a destructor. It goes when they let it, see [`sweep`](hotbay_loader::sweep).
    Kept(RetainedLibrary),
}

impl Generation {
    /// Maps an inspected library in a new bay, with `threads` threads for its tasks.
    ///
    /// # Errors
    /// Names the file, the reason and the remedy. Nothing of the library stays mapped then.
    pub async fn load(
        loader: &Loader,
        inspected: Inspected,
        threads: NonZeroUsize,
    ) -> Result<Self, LoadError> {
        let ready = loader.ready(inspected).await?;
        let path = ready.path().to_owned();
        Self::map(ready, threads).await.map_err(|refusal| refusal.of(path))
    }

    async fn map(ready: ReadyLibrary, threads: NonZeroUsize) -> Result<Self, Refusal> {
        let config = BayConfig { name: ready.name().to_owned(), threads };
        let bay = open_bay(&config, ready.mark())?;
        let mapped = bay.run(move || ready.map()).await;
        let (library, module) =
            mapped.map_err(|error| Refusal::Linking(format!("a panic: {error}")))??;
        let descriptor = library.descriptor().clone();
        let file = FileInfo {
            path: library.path().to_owned(),
            hash: library.hash().to_owned(),
            descriptor: descriptor.clone(),
        };
        // From here on, an error closes the bay and unmaps the library.
        let mut generation = Self {
            info: GenerationInfo { manifest: empty(&descriptor), file: Some(file) },
            parts: Some(Parts { module, bay, mapped: Some(library) }),
        };
        let manifest = generation.on_bay(move || read_manifest(module, &descriptor)).await??;
        generation.info.manifest = manifest;
        let plugin: Arc<str> = generation.name().into();
        generation.on_bay(move || connect_log(module, plugin)).await?;
        generation.parts().note_loaded();
        Ok(generation)
    }

    /// A plugin that this program links, in a bay like any other.
    ///
    /// # Errors
    /// If the system gives no threads, or the manifest makes no sense.
    pub async fn linked(module: PluginRef, config: &BayConfig) -> Result<Self, Refusal> {
        let bay = open_bay(config, ThreadMark::LINKED)?;
        let json = module.manifest()().into_string();
        let manifest =
            serde_json::from_str(&json).map_err(|error| Refusal::Manifest(error.to_string()))?;
        let info = GenerationInfo { manifest, file: None };
        let parts = Parts { module, bay, mapped: None };
        Ok(Self { info, parts: Some(parts) })
    }

    /// What is known of it.
    pub fn info(&self) -> &GenerationInfo {
        &self.info
    }

    /// Notes that the file which it came from has another name now.
    pub fn set_path(&mut self, path: &std::path::Path) {
        if let Some(file) = &mut self.info.file {
            path.clone_into(&mut file.path);
        }
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.info.manifest.name
    }

    /// How much address space its library takes, in bytes; nothing for one that is linked in.
    pub fn mapped_bytes(&self) -> u64 {
        let mapped = self.parts.as_ref().and_then(|parts| parts.mapped.as_ref());
        mapped.map_or(0, MappedLibrary::mapped_bytes)
    }

    /// How many threads its bay has now.
    pub fn threads(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.bay.threads())
    }

    /// Where to spawn what drives its components and runs.
    pub fn handle(&self) -> &tokio::runtime::Handle {
        self.parts().bay.handle()
    }

    fn parts(&self) -> &Parts {
        // Only `close` and `drop` take them, and both end the value.
        self.parts.as_ref().expect("a generation has its parts until it is closed")
    }

    async fn on_bay<T: Send + 'static>(
        &self,
        code: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let ran = self.parts().bay.run(code).await;
        ran.map_err(|error| Refusal::Manifest(format!("a panic: {error}")))
    }

    /// Checks a component's configuration without making the component.
    ///
    /// # Errors
    /// The path below `config`, empty for the whole, and what is wrong there.
    pub async fn check_config(
        &self,
        component: &str,
        config: &serde_json::Value,
    ) -> Result<(), (String, String)> {
        let module = self.parts().module;
        let (component, json) = (RString::from(component), RString::from(config.to_string()));
        let check = move || {
            let problem = module.check_config()(component.as_rstr(), json.as_rstr()).into_option();
            problem.map(|it| (it.path.as_str().to_owned(), it.message.as_str().to_owned()))
        };
        match self.on_bay(check).await {
            Ok(None) => Ok(()),
            Ok(Some(problem)) => Err(problem),
            Err(refusal) => Err((String::new(), refusal.to_string())),
        }
    }

    /// Makes a component. Drive what comes back on [`handle`](Self::handle).
    ///
    /// # Errors
    /// If a channel is not declared, or the plugin refuses or panics.
    pub async fn create_component(
        &self,
        component: &str,
        setup: ComponentSetup,
        services: &Services,
    ) -> Result<PluginComponent, SchedulerError> {
        let Parts { module, bay, .. } = self.parts();
        let mute = Mute::default();
        let host = lent::lend(services, bay.dispatch(), setup, mute.clone())?;
        let (module, component) = (*module, RString::from(component));
        let create = move || module.create_component()(component.as_rstr(), host);
        let created = bay.run(create).await.map_err(SchedulerError::initialization)?;
        Ok(match created.into_result()? {
            ComponentObject::Background(object) => {
                PluginComponent::Turns(PluginTurns { object: Housed::new(bay, object), mute })
            }
            ComponentObject::Event(object) => {
                let channel = ChannelName::new(object.channel().as_str());
                PluginComponent::Events(PluginEvents {
                    object: Housed::new(bay, object),
                    channel,
                    mute,
                })
            }
        })
    }

    /// Gives what makes the runs of a task or task kind, each with a host of its own for
    /// which `setup` is the pattern.
    ///
    /// # Errors
    /// If the plugin has no such task or kind.
    pub fn runs(
        &self,
        target: RunTarget,
        setup: ComponentSetup,
        services: &Services,
    ) -> Result<PluginRuns, SchedulerError> {
        let Manifest { tasks, task_kinds, .. } = &self.info.manifest;
        let (function, name) = match &target {
            RunTarget::Task(name) => {
                (tasks.iter().find(|it| it.name == *name).map(|it| it.function), name)
            }
            RunTarget::TaskKind(name) => {
                (task_kinds.iter().find(|it| it.name == *name).map(|it| it.function), name)
            }
        };
        let function =
            function.ok_or_else(|| SchedulerError::TaskNotFound(name.as_str().into()))?;
        let Parts { module, bay, .. } = self.parts();
        let dispatch = Arc::clone(bay.dispatch());
        let module = Housed::new(bay, *module);
        Ok(PluginRuns::new(module, (target, function), setup, services.clone(), dispatch))
    }

    /// Ends the generation: what the plugin made is dropped, its threads are joined,
    /// its library is unmapped, and the outcome is looked at, not assumed.
    ///
    /// Everything that drives its components must have ended; what has not within
    /// `limit` keeps the library mapped.
    pub async fn close(mut self, limit: Duration) -> Closed {
        let Some(parts) = self.parts.take() else { return Closed::Linked };
        parts.close(limit).await
    }
}

impl Parts {
    fn note_loaded(&self) {
        if let Some(library) = &self.mapped {
            library.mark_loaded();
        }
    }

    async fn close(self, limit: Duration) -> Closed {
        let Self { module, bay, mapped } = self;
        let until = Instant::now() + limit;
        let held = bay.evict_all(limit).await;
        if mapped.is_some() && held == 0 {
            let dispatch = Arc::clone(bay.dispatch());
            let end = move || {
                module.close()();
                dispatch.clear();
            };
            if let Err(error) = bay.run(end).await {
                tracing::error!(%error, "a plugin panicked while it was closed");
            }
        }
        let left = until.saturating_duration_since(Instant::now()).max(LEAST);
        // Joining blocks, which no runtime's thread may do.
        let end = move || {
            let running = bay.join(left).max(held);
            match (mapped, running) {
                (None, 0) => Closed::Linked,
                (Some(library), 0) => library.close().map_or(Closed::Unmapped, Closed::Kept),
                (mapped, threads) => {
                    if let Some(library) = mapped {
                        library.keep();
                    }
                    Closed::StillRunning { threads }
                }
            }
        };
        // A runtime that ends drops what it does not run any more, and the library stays.
        let ended = tokio::task::spawn_blocking(end).await;
        ended.unwrap_or(Closed::StillRunning { threads: held.max(1) })
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        // Somebody forgot to close it, or loading failed half-way. A thread of its own
        // may block, and leaves the library mapped if the plugin's threads don't end.
        let close = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            match runtime {
                Ok(runtime) => match runtime.block_on(parts.close(Duration::from_secs(5))) {
                    Closed::Unmapped | Closed::Linked => {}
                    closed @ (Closed::StillRunning { .. } | Closed::Kept(_)) => {
                        tracing::warn!(?closed, "a dropped plugin stays mapped");
                    }
                },
                Err(error) => {
                    tracing::error!(%error, "a dropped plugin stays loaded");
                    std::mem::forget(parts);
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("hotbay-close".to_owned()).spawn(close)
        {
            tracing::error!(%error, "no thread to close a plugin; it is dropped where it stands");
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("info", &self.info).finish_non_exhaustive()
    }
}

fn open_bay(config: &BayConfig, mark: ThreadMark) -> Result<Bay, Refusal> {
    Bay::open_for(config, mark).map_err(|error| Refusal::Host {
        operation: "no threads for its bay".to_owned(),
        source: error,
    })
}

fn empty(descriptor: &Descriptor) -> Manifest {
    Manifest {
        name: descriptor.name.clone(),
        version: descriptor.version.clone(),
        description: String::new(),
        tasks: Vec::new(),
        task_kinds: Vec::new(),
        components: Vec::new(),
    }
}
