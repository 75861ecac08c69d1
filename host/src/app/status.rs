//! What a running host says about itself, for who asks from outside.

use std::path::PathBuf;

use hotbay_plugin_api::SchedulerError;
use serde::{Deserialize, Serialize};

use super::{
    live::Live,
    pipeline::{Member, Pipeline},
    plugins::Berth,
    report::TaskReport,
};
use crate::{reload::record::Replacement, scheduler::ExecutionStatus};

/// The state of a host at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The host's process.
    pub pid: u32,
    /// Its configuration.
    pub configuration: PathBuf,
    /// How it follows changes: `inotify`, `polling` or `off`.
    pub watching: String,
    /// The builds of plugins that are mapped.
    pub plugins: Vec<PluginStatus>,
    /// The files in its plugins folder that are not loaded.
    pub refused: Vec<RefusedStatus>,
    /// The components, in the direction of the data.
    pub components: Vec<ComponentStatus>,
    /// The tasks, by name.
    pub tasks: Vec<TaskStatus>,
    /// How many replacements there were.
    pub replacements: u64,
    /// The last of them, the latest at the end.
    pub last_replacements: Vec<Replacement>,
    /// Why the configuration on disk is not the one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_refused: Option<String>,
}

/// One build of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginStatus {
    /// The plugin.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The number of the build in this host, from 1.
    pub generation: u64,
    /// What it does.
    pub state: BuildState,
    /// The SHA-256 of its library, in hexadecimal.
    pub hash: String,
    /// Where it came from.
    pub file: PathBuf,
    /// When it was loaded, RFC 3339, UTC.
    pub loaded: String,
    /// The threads of its bay.
    pub threads: usize,
    /// The address space of its library, in bytes.
    pub mapped_bytes: u64,
    /// Why it could not be unloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a build does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildState {
    /// It is the one that runs.
    InService,
    /// It is the one that runs, and the one before may come back.
    OnProbation,
    /// It comes back if the one on probation fails.
    StandingBy,
    /// It could not be unloaded.
    Leaked,
}

/// A file that is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedStatus {
    /// The file.
    pub file: PathBuf,
    /// A word for programs.
    pub code: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// Its id.
    pub id: String,
    /// Its place.
    pub role: String,
    /// Its plugin.
    pub plugin: String,
    /// `waiting`, `running`, `failed` and so on.
    pub status: String,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Turns, for a connector or aggregator.
    pub turns: u64,
    /// Events handled, for a strategy or executor.
    pub events: u64,
    /// Its last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// `plugin/task`.
    pub id: String,
    /// When it runs.
    pub schedule: String,
    /// What it waits for, if it is not scheduled now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// How often it ran.
    pub runs: u64,
    /// How many of these runs failed.
    pub failed: u64,
    /// Why the last of them failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl Status {
    pub(super) fn of(live: &Live, watching: &str) -> Self {
        let mut plugins: Vec<_> =
            live.plugins.berths().map(|berth| in_service(live, berth)).collect();
        let before = live.probation.values().map(|it| &it.before);
        plugins.extend(before.map(|berth| plugin(berth, BuildState::StandingBy)));
        plugins.extend(live.closings.leaks.iter().map(|leak| leak.status()));
        let refused = live.refused.iter().map(|(file, refused)| RefusedStatus {
            file: file.clone(),
            code: refused.code.clone(),
            reason: refused.reason.clone(),
            remedy: refused.remedy.clone(),
        });
        let pipeline = live.pipeline.as_ref();
        let members =
            pipeline.into_iter().flat_map(|it| it.members().iter().map(move |one| (it, one)));
        let last: Vec<_> = live.journal.last().cloned().collect();
        Self {
            pid: std::process::id(),
            configuration: live.config.file().to_owned(),
            watching: watching.to_owned(),
            plugins,
            refused: refused.collect(),
            components: members
                .map(|(pipeline, member)| component(live, pipeline, member))
                .collect(),
            tasks: live.tasks.reports().into_iter().map(|it| task(live, it)).collect(),
            replacements: live.journal.total(),
            last_replacements: last.iter().rev().take(SHOWN).rev().cloned().collect(),
            configuration_refused: live.configuration_refused.clone(),
        }
    }
}

/// How many records of replacements a status has.
const SHOWN: usize = 10;

fn in_service(live: &Live, berth: &Berth) -> PluginStatus {
    let probation = live.probation.contains_key(berth.generation.name());
    plugin(berth, if probation { BuildState::OnProbation } else { BuildState::InService })
}

fn plugin(berth: &Berth, state: BuildState) -> PluginStatus {
    let build = berth.build();
    PluginStatus {
        name: berth.generation.name().to_owned(),
        version: build.version,
        generation: berth.number,
        state,
        hash: build.hash,
        file: berth.path().to_owned(),
        loaded: berth.loaded.clone(),
        threads: berth.generation.threads(),
        mapped_bytes: berth.generation.mapped_bytes(),
        reason: None,
    }
}

fn component(live: &Live, pipeline: &Pipeline, member: &Member) -> ComponentStatus {
    let info = pipeline.engine().and_then(|engine| {
        engine.scheduler().info(&member.id.as_str().into()).ok().filter(|_| member.seated.is_some())
    });
    let status = info.as_ref().map_or(ExecutionStatus::Waiting, |info| info.status.clone());
    let status = super::report::word(&status);
    let waits_for = (status == "waiting").then(|| {
        if live.plugins.get(&member.plugin).is_none() {
            format!("plugin {}", member.plugin)
        } else if pipeline.engine().is_none() {
            let missing = pipeline.missing(|plugin| live.plugins.get(plugin).is_some());
            format!("the rest of the pipeline: {missing}")
        } else {
            format!("a build of plugin {} that can be started", member.plugin)
        }
    });
    ComponentStatus {
        id: member.id.clone(),
        role: member.role.name().to_owned(),
        plugin: member.plugin.clone(),
        status,
        waits_for,
        turns: info.as_ref().map_or(0, |info| info.turns),
        events: info.as_ref().map_or(0, |info| info.events),
        error: info.and_then(|info| info.last_error).as_ref().map(SchedulerError::to_string),
    }
}

fn task(live: &Live, report: TaskReport) -> TaskStatus {
    let plugin = report.id.split('/').next().unwrap_or_default();
    let waits_for = match live.plugins.get(plugin) {
        None => format!("plugin {plugin}"),
        Some(_) => format!("a build of {plugin} that has it, or `enabled: true`"),
    };
    TaskStatus {
        waits_for: report.waits.then_some(waits_for),
        id: report.id,
        schedule: report.schedule,
        runs: report.runs,
        failed: report.failed,
        last_error: report.last_error,
    }
}
