//! One loaded build of a plugin.

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use abi_stable::std_types::{RResult, RString};
use hotbay_plugin_api::{
    ChannelName, Manifest, SchedulerError, TaskKind,
    abi::{ComponentObject, PluginRef},
};

use super::{
    Bay, BayConfig, ComponentSetup, Descriptor, PluginComponent, PluginEvents, PluginRun,
    PluginTurns, Refusal, Remains, Services,
    crash::{Mark, Resident},
    elf::entry_symbol,
    lent::{self, Mute},
    library::Library,
    lodger::Housed,
    log, probe, remains,
    staging::Staged,
    texts::received,
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
    mapped: Option<(Library, Staged)>,
    /// Names the plugin if it brings the host down. Ends after the library.
    resident: Option<Resident>,
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
    /// thread-local with a destructor. It goes when they let it, see [`sweep`](super::sweep).
    Kept(Remains),
}

impl Generation {
    /// Loads a staged library into a new bay.
    pub(super) async fn load(
        staged: Staged,
        from: PathBuf,
        descriptor: Descriptor,
        config: &BayConfig,
    ) -> Result<Self, Refusal> {
        let resident = Resident::loading(&descriptor.name, &staged.hash, &from);
        let bay = open_bay(config, resident.as_ref().map_or(Mark::NONE, Resident::mark))?;
        let (path, entry) = (staged.path.clone(), entry_symbol(&descriptor));
        let opened = bay.run(move || Library::open(&path, &entry)).await;
        let (library, module) =
            opened.map_err(|error| Refusal::Linking(format!("a panic: {error}")))??;
        let mut generation = Self {
            info: GenerationInfo { manifest: empty(&descriptor), file: None },
            parts: Some(Parts { module, bay, mapped: None, resident }),
        };
        // From here on, an error closes the bay and unmaps the library.
        let hash = staged.hash.clone();
        if let Some(parts) = &mut generation.parts {
            parts.mapped = Some((library, staged));
        }
        let manifest = generation.on_bay(move || received(module.manifest()())).await??;
        generation.info.manifest = probe::check(&manifest, &descriptor)?;
        generation.info.file = Some(FileInfo { path: from, hash, descriptor });
        let plugin: Arc<str> = generation.name().into();
        generation.on_bay(move || log::connect(module, plugin)).await?;
        generation.parts().note_loaded();
        Ok(generation)
    }

    /// A plugin that this program links, in a bay like any other.
    ///
    /// # Errors
    /// If the system gives no threads, or the manifest makes no sense.
    pub async fn linked(module: PluginRef, config: &BayConfig) -> Result<Self, Refusal> {
        let bay = open_bay(config, Mark::NONE)?;
        let json = module.manifest()().into_string();
        let manifest =
            serde_json::from_str(&json).map_err(|error| Refusal::Manifest(error.to_string()))?;
        let info = GenerationInfo { manifest, file: None };
        let parts = Parts { module, bay, mapped: None, resident: None };
        Ok(Self { info, parts: Some(parts) })
    }

    /// What is known of it.
    pub fn info(&self) -> &GenerationInfo {
        &self.info
    }

    /// Notes that the file which it came from has another name now.
    pub(crate) fn set_path(&mut self, path: &std::path::Path) {
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
        mapped.map_or(0, |(library, _)| library.mapped_bytes())
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

    /// Makes one run of a task.
    ///
    /// # Errors
    /// If the plugin has no such task.
    pub async fn create_run(
        &self,
        task: &str,
        setup: ComponentSetup,
        services: &Services,
    ) -> Result<PluginRun, SchedulerError> {
        let known = self.info.manifest.tasks.iter().find(|known| known.name == task);
        let kind: TaskKind = known.ok_or_else(|| SchedulerError::TaskNotFound(task.into()))?.kind;
        let Parts { module, bay, .. } = self.parts();
        let host = lent::lend(services, bay.dispatch(), setup, Mute::default())?;
        let (module, task) = (*module, RString::from(task));
        let create = move || module.create_task()(task.as_rstr(), host);
        let created: RResult<_, _> = bay.run(create).await.map_err(SchedulerError::execution)?;
        Ok(PluginRun::new(Housed::new(bay, created.into_result()?), kind))
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
        if let (Some(resident), Some((library, _))) = (&self.resident, &self.mapped) {
            resident.loaded(library.code());
        }
    }

    async fn close(self, limit: Duration) -> Closed {
        let Self { module, bay, mapped, resident } = self;
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
                (Some((library, _staged)), 0) => {
                    remains::close(library, resident).map_or(Closed::Unmapped, Closed::Kept)
                }
                (mapped, threads) => {
                    if let Some((library, _staged)) = mapped {
                        library.keep();
                    }
                    Resident::keep(resident);
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

fn open_bay(config: &BayConfig, mark: Mark) -> Result<Bay, Refusal> {
    Bay::open_for(config, mark)
        .map_err(|error| Refusal::Host(format!("no threads for its bay: {error}")))
}

fn empty(descriptor: &Descriptor) -> Manifest {
    Manifest {
        name: descriptor.name.clone(),
        version: descriptor.version.clone(),
        description: String::new(),
        tasks: Vec::new(),
        components: Vec::new(),
    }
}
