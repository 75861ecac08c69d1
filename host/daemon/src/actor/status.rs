//! Collecting the status of a host.

use hotbay_plugin_api::SchedulerError;

use super::Actor;
use crate::{
    BuildState, ComponentStatus, PluginStatus, RefusedStatus, Status, TaskStatus, TrustStatus,
    pipeline::{Member, PluginPipeline},
    plugins::LoadedPlugin,
    report::{by_full_name, word},
};
use hotbay_core::scheduler::ExecutionStatus;
use hotbay_tasks::{ControlError, RunView, TaskAnswer, TaskReport};

impl Status {
    pub(crate) fn of(host: &Actor) -> Self {
        let mut plugins: Vec<_> = host.plugins.values().map(|it| in_service(host, it)).collect();
        let before = host.probations.values().map(|it| &it.before);
        plugins.extend(before.map(|it| plugin(it, BuildState::StandingBy)));
        plugins.extend(host.closing.leaks.iter().map(|leak| leak.status()));
        let refused = host.refused.iter().map(|(file, refused)| RefusedStatus {
            file: file.clone(),
            code: refused.code.clone(),
            reason: hotbay_config::masked(&refused.reason).into_owned(),
            remedy: refused.remedy.clone(),
        });
        let pipeline = host.pipeline.as_ref();
        let board = &host.services.board;
        let members =
            pipeline.into_iter().flat_map(|it| it.members().iter().map(move |one| (it, one)));
        Self {
            pid: std::process::id(),
            configuration: host.config.file().to_owned(),
            watching: host.watching().to_owned(),
            trust: TrustStatus {
                mode: host.config.plugins.trust.mode,
                overrides: host.config.plugins.trust.overridden,
            },
            plugins,
            refused: refused.chain(host.refused_settings.values().cloned()).collect(),
            components: members
                .map(|(pipeline, member)| component(host, pipeline, member))
                .map(|it| ComponentStatus { error: masked(it.error), ..it })
                .collect(),
            tasks: host
                .tasks
                .reports()
                .into_iter()
                .map(|it| task(host, it))
                .map(|it| TaskStatus { last_error: masked(it.last_error), ..it })
                .collect(),
            counters: by_full_name(board.counters()),
            gauges: by_full_name(board.gauges())
                .into_iter()
                .map(|(name, value)| (name, value.is_finite().then_some(value)))
                .collect(),
            replacements: host.journal.total(),
            last_replacements: host.journal.last().cloned().collect(),
            lost_log_lines: (host.lost_log_lines)(),
            configuration_refused: host.configuration_refused.clone(),
        }
    }
}

/// Returns the error of a plugin without the values of variables.
pub(super) fn masked(error: Option<String>) -> Option<String> {
    error.map(|error| hotbay_config::masked(&error).into_owned())
}

/// Returns an answer about tasks without the values of variables.
pub(super) fn masked_answer(
    mut answer: Result<TaskAnswer, ControlError>,
) -> Result<TaskAnswer, ControlError> {
    let mask = |text: &mut String| *text = hotbay_config::masked(text).into_owned();
    let mask_run = |run: &mut RunView| {
        run.reason.as_mut().map(mask);
        if !run.result.is_null() {
            let text = run.result.to_string();
            run.result = serde_json::from_str(&hotbay_config::masked(&text)).unwrap_or_default();
        }
    };
    match &mut answer {
        Ok(TaskAnswer::Tasks(tasks)) => {
            tasks.iter_mut().filter_map(|task| task.last_error.as_mut()).for_each(mask);
        }
        Ok(TaskAnswer::Task(task, runs)) => {
            task.last_error.as_mut().map(mask);
            runs.iter_mut().for_each(mask_run);
        }
        Ok(TaskAnswer::Runs(runs)) => runs.iter_mut().for_each(mask_run),
        Ok(TaskAnswer::Log { lines, .. }) => {
            lines.iter_mut().map(|line| &mut line.message).for_each(mask);
        }
        Ok(TaskAnswer::Times(..) | TaskAnswer::Done) | Err(_) => {}
    }
    answer
}

fn in_service(host: &Actor, loaded: &LoadedPlugin) -> PluginStatus {
    let probation = host.probations.contains_key(loaded.name());
    plugin(loaded, if probation { BuildState::OnProbation } else { BuildState::InService })
}

fn plugin(loaded: &LoadedPlugin, state: BuildState) -> PluginStatus {
    let build = loaded.build();
    PluginStatus {
        name: loaded.generation.name().to_owned(),
        version: build.version,
        generation: loaded.number,
        state,
        hash: build.hash,
        file: loaded.file.clone(),
        trusted_by: loaded.trusted_by.clone(),
        loaded: loaded.loaded.clone(),
        threads: loaded.threads,
        mapped_bytes: loaded.mapped_bytes,
        reason: None,
    }
}

fn component(host: &Actor, pipeline: &PluginPipeline, member: &Member) -> ComponentStatus {
    let info = pipeline.engine().and_then(|engine| {
        engine.scheduler().info(&member.id.as_str().into()).ok().filter(|_| member.build.is_some())
    });
    let status = info.as_ref().map_or(ExecutionStatus::Waiting, |info| info.status.clone());
    let status = word(&status);
    let waits_for = (status == "waiting").then(|| {
        if !host.plugins.contains_key(&member.plugin) {
            format!("plugin {}", member.plugin)
        } else if pipeline.engine().is_none() {
            let missing = pipeline.missing(|plugin| host.plugins.contains_key(plugin));
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

fn task(host: &Actor, report: TaskReport) -> TaskStatus {
    let plugin = report.id.split('/').next().unwrap_or_default();
    let waits_for = match host.plugins.get(plugin) {
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
