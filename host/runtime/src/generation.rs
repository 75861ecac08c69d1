//! Generations, which are the loaded builds of plugins.

use std::{
    fmt,
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_core::FOREVER;
use hotbay_plugin_api::{
    ChannelName, Manifest, SchedulerError,
    abi::PluginRef,
    limits::{self, cut},
    spec::RunTarget,
};
use tokio::{runtime::Handle, time::timeout};

use hotbay_loader::{
    BayThreads, Descriptor, Inspected, LoadError, Loader, MappedLibrary, Module, PluginObject,
    ReadyLibrary, Refusal, RetainedLibrary, RunLog,
};

use super::{
    Bay, BayConfig, ComponentSetup, PluginBackgroundTask, PluginComponent, PluginEventTask,
    RunFactory, Services, host_port, object_handle::ObjectHandle, report_gate::ReportGate,
};

/// The manifest of a generation, and the file that it was loaded from.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationInfo {
    /// The plugin's description of itself.
    pub manifest: Manifest,
    /// The file that the generation was loaded from. `None` for a plugin that is linked in.
    pub file: Option<FileInfo>,
}

/// The file that a generation was loaded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// The file in the plugins folder.
    pub path: PathBuf,
    /// The SHA-256 of the bytes that were loaded, in hexadecimal.
    pub hash: String,
    /// The descriptor in the file's ELF section.
    pub descriptor: Descriptor,
}

/// A loaded build of a plugin, with its module, the bay that its code runs in, and its library.
pub struct Generation {
    info: GenerationInfo,
    parts: Option<Parts>,
}

struct Parts {
    module: Module,
    bay: Bay,
    mapped: Option<MappedLibrary>,
}

/// The time that threads get to end even if nothing is left of the limit.
const MIN_JOIN_LIMIT: Duration = Duration::from_millis(250);

/// The outcome of closing a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnloadOutcome {
    /// The threads ended, and the library is not mapped any more.
    Unmapped,
    /// The threads ended. The plugin was linked in, so there was nothing to unmap.
    Linked,
    /// Some threads of the bay, or calls into the plugin, did not end, so the library stays
    /// mapped until the process ends.
    StillRunning {
        /// The number of these threads or calls.
        threads: usize,
    },
    /// The bay ended, but other threads run code of the library, or keep it mapped with a
    /// thread-local that has a destructor. The library is unmapped once they have ended, see
    /// [`sweep`](hotbay_loader::sweep).
    Retained(RetainedLibrary),
}

impl Generation {
    /// Maps an inspected library and gives it a new bay with `threads` threads.
    ///
    /// # Errors
    /// If the library can't be loaded. The error names the file, the reason and the remedy.
    /// Nothing of the library stays mapped then.
    pub async fn load(
        loader: &Loader,
        inspected: Inspected,
        threads: NonZeroUsize,
    ) -> Result<Self, LoadError> {
        let ready = loader.ready(inspected).await?;
        let path = ready.path().to_owned();
        Self::map(ready, threads, loader.run_log()).await.map_err(|refusal| refusal.of(path))
    }

    async fn map(
        ready: ReadyLibrary,
        threads: NonZeroUsize,
        run_log: Option<RunLog>,
    ) -> Result<Self, Refusal> {
        let config = BayConfig { name: ready.name().to_owned(), threads };
        let bay = open_bay(&config, ready.threads())?;
        let mapped = bay.run(move || ready.map()).await;
        let (library, module) =
            mapped.map_err(|error| Refusal::Linking(format!("a panic: {error}")))??;
        bay.dispatcher().hold(module.clone());
        let descriptor = library.descriptor().clone();
        let file = FileInfo {
            path: library.path().to_owned(),
            hash: library.hash().to_owned(),
            descriptor: descriptor.clone(),
        };
        // From here on, an error closes the bay and unmaps the library.
        let mut generation = Self {
            info: GenerationInfo { manifest: empty_manifest(&descriptor), file: Some(file) },
            parts: Some(Parts { module, bay, mapped: Some(library) }),
        };
        let read = move |module: &Module| module.manifest_of(&descriptor);
        generation.info.manifest = generation.on_bay(read).await??;
        let plugin: Arc<str> = generation.name().into();
        // A plugin without runs need not format what the host's log does not show.
        let manifest = &generation.info.manifest;
        let has_runs = !manifest.tasks.is_empty() || !manifest.task_kinds.is_empty();
        let run_log = run_log.filter(|_| has_runs);
        generation.on_bay(move |module| module.connect_log(plugin, run_log)).await?;
        generation.parts().note_loaded();
        Ok(generation)
    }

    /// Makes a generation of a plugin that is linked into this program, with a bay of its own.
    ///
    /// # Errors
    /// If the system does not start a thread, or the manifest is not valid.
    pub async fn linked(module: PluginRef, config: &BayConfig) -> Result<Self, Refusal> {
        let bay = open_bay(config, BayThreads::default())?;
        let module = Module::linked(module);
        let json = module.manifest()?;
        let manifest =
            serde_json::from_str(&json).map_err(|error| Refusal::Manifest(error.to_string()))?;
        let info = GenerationInfo { manifest, file: None };
        let parts = Parts { module, bay, mapped: None };
        Ok(Self { info, parts: Some(parts) })
    }

    /// Returns the description of this generation.
    pub fn info(&self) -> &GenerationInfo {
        &self.info
    }

    /// Returns the plugin's name.
    pub fn name(&self) -> &str {
        &self.info.manifest.name
    }

    /// Returns the size of the library's mappings in bytes, or 0 for a plugin that is linked in.
    pub fn mapped_bytes(&self) -> u64 {
        let mapped = self.parts.as_ref().and_then(|parts| parts.mapped.as_ref());
        mapped.map_or(0, MappedLibrary::mapped_bytes)
    }

    /// Returns the number of threads that the bay has at the moment.
    pub fn threads(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.bay.threads())
    }

    /// Returns the runtime on which components and runs of this generation are to be driven.
    pub fn handle(&self) -> &Handle {
        self.parts().bay.handle()
    }

    fn parts(&self) -> &Parts {
        // Only `close` and `drop` take the parts, and both end the value.
        self.parts.as_ref().expect("a generation has its parts until it is closed")
    }

    async fn on_bay<T: Send + 'static>(
        &self,
        code: impl FnOnce(&Module) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let Parts { module, bay, .. } = self.parts();
        let module = module.clone();
        let ran = bay.run(move || code(&module)).await;
        ran.map_err(|error| Refusal::Manifest(format!("a panic: {error}")))
    }

    /// Checks a component's configuration without making the component.
    ///
    /// # Errors
    /// If the configuration is wrong: the path below `config`, which is empty for the whole
    /// configuration, and the problem.
    pub async fn check_config(
        &self,
        component: &str,
        config: &serde_json::Value,
    ) -> Result<(), (String, String)> {
        let (component, json) = (component.to_owned(), config.to_string());
        let check = move |module: &Module| module.check_config(&component, &json);
        let checked = self.on_bay(check).await;
        checked.unwrap_or_else(|refusal| Err((String::new(), refusal.to_string())))
    }

    /// Makes a component, which is to be driven on [`handle`](Self::handle).
    ///
    /// # Errors
    /// If a channel is not declared, or the plugin refuses or panics.
    pub async fn create_component(
        &self,
        setup: ComponentSetup,
        services: &Services,
    ) -> Result<PluginComponent, SchedulerError> {
        let Parts { module, bay, .. } = self.parts();
        let report_gate = ReportGate::default();
        let (module, component) = (module.clone(), setup.spec.name.clone());
        let host = host_port::open(services, bay.dispatcher(), setup, report_gate.clone())?;
        let create = move || module.create_component(&component, host);
        let created = bay.run(create).await.map_err(SchedulerError::initialization)?;
        Ok(match created? {
            PluginObject::Background(object) => PluginComponent::Background(PluginBackgroundTask {
                object: ObjectHandle::new(bay, object),
                report_gate,
            }),
            PluginObject::Event(object) => {
                let channel = ChannelName::new(cut(&object.channel(), limits::TEXT));
                PluginComponent::Event(PluginEventTask {
                    object: ObjectHandle::new(bay, object),
                    channel,
                    report_gate,
                })
            }
        })
    }

    /// Returns the factory for the runs of a task or a task kind. Each run is set up with a copy
    /// of `setup`.
    ///
    /// # Errors
    /// If the plugin has no such task or task kind.
    pub fn runs(
        &self,
        target: RunTarget,
        setup: ComponentSetup,
        services: &Services,
    ) -> Result<RunFactory, SchedulerError> {
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
        let dispatcher = Arc::clone(bay.dispatcher());
        let module = ObjectHandle::new(bay, module.clone());
        Ok(RunFactory::new(module, (target, function), setup, services.clone(), dispatcher))
    }

    /// Closes the generation: drops the plugin's objects, joins the threads of the bay, unmaps
    /// the library, and then checks that the library is gone.
    ///
    /// The drivers of its components must have ended. A call into the plugin that does not
    /// return within `limit` keeps the library mapped.
    pub async fn close(mut self, limit: Duration) -> UnloadOutcome {
        let Some(parts) = self.parts.take() else { return UnloadOutcome::Linked };
        // Joining blocks, which a thread of a runtime must not do. The thread for it is started
        // before the threads of the bay end: one that is started later may get the stack of
        // theirs, and the words that are left there delay the unmapping of the library.
        let close = move || parts.close(limit);
        // A runtime that is being shut down drops this closure unrun; then the library stays
        // mapped.
        let closed = tokio::task::spawn_blocking(close).await;
        closed.unwrap_or(UnloadOutcome::StillRunning { threads: 1 })
    }
}

impl Parts {
    fn note_loaded(&self) {
        if let Some(library) = &self.mapped {
            library.mark_loaded();
        }
    }

    /// Closes the generation. Blocks the calling thread, which must not be one of a runtime's
    /// workers.
    fn close(self, limit: Duration) -> UnloadOutcome {
        let until = Instant::now() + limit.min(FOREVER);
        // A runtime for the timers alone: the host's may be shut down meanwhile.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let held = match runtime {
            Ok(runtime) => runtime.block_on(self.end_code(until)),
            Err(error) => {
                tracing::error!(%error, "a plugin can't be closed and stays loaded");
                std::mem::forget(self);
                return UnloadOutcome::StillRunning { threads: 1 };
            }
        };
        let Self { module, bay, mapped } = self;
        let left = until.saturating_duration_since(Instant::now()).max(MIN_JOIN_LIMIT);
        let running = bay.join(left).max(held);
        drop(module);
        match (mapped, running) {
            (None, 0) => UnloadOutcome::Linked,
            (Some(library), 0) => {
                library.close().map_or(UnloadOutcome::Unmapped, UnloadOutcome::Retained)
            }
            (mapped, threads) => {
                if let Some(library) = mapped {
                    library.keep();
                }
                UnloadOutcome::StillRunning { threads }
            }
        }
    }

    /// Drops the plugin's objects, ends its own runtime and clears its wakers. Returns the number
    /// of calls that did not end in time.
    async fn end_code(&self, until: Instant) -> usize {
        let held = self.bay.drop_objects(until.saturating_duration_since(Instant::now())).await;
        if self.mapped.is_none() || held > 0 {
            return held;
        }
        let (module, dispatcher) = (self.module.clone(), Arc::clone(self.bay.dispatcher()));
        let end = move || {
            module.close();
            dispatcher.clear();
        };
        let left = until.saturating_duration_since(Instant::now()).max(MIN_JOIN_LIMIT);
        match timeout(left, self.bay.run(end)).await {
            Ok(Ok(())) => 0,
            Ok(Err(error)) => {
                tracing::error!(%error, "a plugin panicked while it was closed");
                0
            }
            // A call that made or checked something, and had no object yet, has the thread.
            Err(_) => 1,
        }
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        // The generation was not closed, or loading failed half-way. Closing it blocks, so it
        // gets a thread of its own. The library stays mapped if the plugin's threads don't end.
        let close = move || match parts.close(Duration::from_secs(5)) {
            UnloadOutcome::Unmapped | UnloadOutcome::Linked => {}
            closed @ (UnloadOutcome::StillRunning { .. } | UnloadOutcome::Retained(_)) => {
                tracing::warn!(?closed, "a plugin that was dropped stays mapped");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("hotbay-close".to_owned()).spawn(close)
        {
            tracing::error!(
                %error,
                "no thread could be started to close a plugin; it is dropped on this thread"
            );
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("info", &self.info).finish_non_exhaustive()
    }
}

fn open_bay(config: &BayConfig, threads: BayThreads) -> Result<Bay, Refusal> {
    Bay::open_for(config, threads)
        .map_err(|error| Refusal::host("starting the threads of its bay", error))
}

fn empty_manifest(descriptor: &Descriptor) -> Manifest {
    Manifest {
        name: descriptor.name.clone(),
        version: descriptor.version.clone(),
        description: String::new(),
        tasks: Vec::new(),
        task_kinds: Vec::new(),
        components: Vec::new(),
    }
}
