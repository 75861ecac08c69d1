//! Collecting the state of a host.

use hotbay_plugin_api::SchedulerError;

use super::{
    BuildState, ComponentStatus, PluginStatus, RefusedStatus, Status, TaskStatus, TrustStatus,
};
use crate::{
    live::Live,
    pipeline::{Member, Pipeline},
    plugins::Berth,
    report::word,
};
use hotbay_core::scheduler::ExecutionStatus;
use hotbay_tasks::TaskReport;

impl Status {
    pub(crate) fn of(live: &Live, watching: &str) -> Self {
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
            trust: TrustStatus {
                mode: live.config.plugins.trust.mode,
                overrides: live.config.plugins.trust.overridden,
            },
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
        trusted_by: berth.trusted_by.clone(),
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
    let status = word(&status);
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
