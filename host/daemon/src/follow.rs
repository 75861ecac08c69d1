//! The loop of a running host: it waits for whatever comes next, and deals with it.

mod folder;

use std::{fmt, future::Future, path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::Notify, time::Interval};

use super::{
    live::{Live, Verdict, verdict},
    state_folder::StateFolder,
    status::Status,
};
use crate::watch::{Backend, Snapshot, Watch, WatchConfig};
use hotbay_config::{Config, Diagnostics};
use hotbay_store::quarantine::Quarantine;

use folder::Seen;

/// Where the configuration comes from.
#[derive(Clone)]
pub(super) struct Source {
    /// Watched.
    pub(super) file: PathBuf,
    pub(super) read: Arc<dyn Fn() -> Result<Config, Diagnostics> + Send + Sync>,
}

/// What asks a host to look at its configuration again.
#[derive(Default)]
pub(super) struct Reloads {
    pub(super) source: Option<Source>,
    asked: Arc<Notify>,
}

/// Asks a running host to read its configuration again and to look at its plugins folder:
/// what SIGHUP does for the `hotbay` program. Clones ask the same host.
#[derive(Debug, Clone)]
pub struct Reloader(Arc<Notify>);

impl Reloader {
    /// Asks. What changed takes effect soon after; what is wrong is logged, and the host
    /// goes on as before.
    pub fn reload(&self) {
        self.0.notify_one();
    }
}

impl Reloads {
    pub(super) fn reloader(&self) -> Reloader {
        Reloader(Arc::clone(&self.asked))
    }
}

impl fmt::Debug for Reloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloads")
            .field("file", &self.source.as_ref().map(|it| &it.file))
            .finish_non_exhaustive()
    }
}

/// How old the written status may be.
const TICK: Duration = Duration::from_secs(1);

/// What a running host waits for.
enum Next {
    Ended,
    Stop,
    Changed(Snapshot),
    Asked,
    Verdict(String, Verdict),
    Closed,
    /// It may be time to write the status again.
    Tick,
}

/// Runs until the sources end or `stop` comes; whether it was `stop`.
pub(super) async fn follow(
    live: &mut Live,
    reloads: Reloads,
    mut state: Option<&mut StateFolder>,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut watch = start_watch(live, reloads.source.as_ref());
    let mut files = beside(live, reloads.source.as_ref());
    let mut seen = Seen::of(live);
    let mut stop = std::pin::pin!(stop);
    let mut tick = tokio::time::interval(TICK);
    loop {
        if let Some(state) = &mut state {
            let watching = watch.as_ref().map_or("off", |watch| match watch.backend() {
                Backend::Inotify => "inotify",
                Backend::Polling { .. } => "polling",
            });
            state.write(Status::of(live, watching));
        }
        match next(live, watch.as_mut(), &reloads, &mut tick, stop.as_mut()).await {
            Next::Ended => return false,
            Next::Stop => return true,
            Next::Changed(snapshot) => seen.follow(live, snapshot, reloads.source.as_ref()).await,
            Next::Asked => {
                tracing::info!("asked to read the configuration again");
                let configured = folder::reread(live, reloads.source.as_ref()).await;
                live.renew_trust();
                if live.plugins.take_trust_change() || configured {
                    seen.try_again(live).await;
                }
                if let Some(watch) = &watch {
                    watch.nudge();
                }
            }
            Next::Verdict(name, Verdict::Stood) => live.confirm(&name),
            Next::Verdict(name, Verdict::Failed { reason }) => live.roll_back(&name, reason).await,
            Next::Tick => {
                live.closings.look_again();
                seen.look_again(live).await;
            }
            Next::Closed => {}
        }
        // Another configuration may name other files.
        let now = beside(live, reloads.source.as_ref());
        if let Some(watch) = watch.as_ref().filter(|_| now != files) {
            watch.set_files(now.clone());
            files = now;
        }
    }
}

async fn next(
    live: &mut Live,
    watch: Option<&mut Watch>,
    reloads: &Reloads,
    tick: &mut Interval,
    stop: impl Future<Output = ()>,
) -> Next {
    let Live { pipeline, probation, tasks, closings, .. } = live;
    let pipeline = pipeline.as_ref();
    let core = pipeline.and_then(|pipeline| pipeline.core());
    let of_plugin = |name: &str| tasks.of_plugin(name);
    tokio::select! {
        biased;
        () = stop => Next::Stop,
        (name, verdict) = verdict(probation, core, &of_plugin) => Next::Verdict(name, verdict),
        () = async {
            match pipeline {
                Some(pipeline) => pipeline.wait().await,
                // Without a pipeline there is no end to wait for.
                None => std::future::pending().await,
            }
        } => Next::Ended,
        () = reloads.asked.notified() => Next::Asked,
        snapshot = async {
            match watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        } => Next::Changed(snapshot),
        () = closings.next() => Next::Closed,
        _ = tick.tick() => Next::Tick,
    }
}

/// What is watched beside the plugins folder.
fn beside(live: &Live, source: Option<&Source>) -> Vec<PathBuf> {
    let mut files: Vec<_> = source.map(|source| source.file.clone()).into_iter().collect();
    // It changes when somebody releases a build.
    files.push(Quarantine::open(&live.config.state_folder).file());
    files.extend(folder::trust_files(live));
    files
}

fn start_watch(live: &Live, source: Option<&Source>) -> Option<Watch> {
    if !live.config.follows_changes() {
        return None;
    }
    let config = WatchConfig {
        files: beside(live, source),
        settle: live.config.reload.settle,
        ..WatchConfig::new(live.config.plugins.folder.clone())
    };
    match Watch::start(config) {
        Ok(watch) => {
            if let Backend::Polling { reason } = watch.backend() {
                tracing::warn!(reason, "no events from the system; the folder is polled");
            }
            Some(watch)
        }
        Err(error) => {
            tracing::error!(%error, "changes are not followed");
            None
        }
    }
}
