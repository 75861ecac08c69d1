//! What a run came to, for people as tables and for machines as JSON.

use std::{collections::BTreeMap, time::Duration};

use hotbay_core::{bus::ChannelStats, scheduler::ExecutionStatus};
use hotbay_plugin_api::SchedulerError;
use hotbay_runtime::Services;
use hotbay_tasks::TaskReport;
use serde::Serialize;

use crate::pipeline::PluginPipeline;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostOutcome {
    /// The sources ended and everything flowed through.
    Finished,
    /// It was asked to stop, and did.
    Stopped,
    /// Something failed: a component, a run of a task, or the shutdown.
    Failed,
}

/// The report of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How it ended.
    pub outcome: HostOutcome,
    /// How long it took, from the start to the unloading of the last plugin.
    #[serde(rename = "elapsed_ms", serialize_with = "millis")]
    pub elapsed: Duration,
    /// The components, in the direction of the data.
    pub components: Vec<ComponentReport>,
    /// The channels, by name.
    pub channels: Vec<ChannelReport>,
    /// The tasks, by name.
    pub tasks: Vec<TaskReport>,
    /// What the components themselves report: section → rows.
    pub sections: BTreeMap<String, Vec<serde_json::Value>>,
    /// The components' counters, as `component.name`.
    pub counters: BTreeMap<String, u64>,
    /// What went wrong in stopping, one sentence each.
    pub problems: Vec<String>,
}

/// One component's part of the report.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentReport {
    /// Its id.
    pub id: String,
    /// Its place.
    pub role: &'static str,
    /// Its plugin.
    pub plugin: String,
    /// How it ended.
    pub status: String,
    /// Turns, for a connector or aggregator.
    pub turns: u64,
    /// Events handled, for a strategy or executor.
    pub events: u64,
    /// Its last error.
    pub error: Option<String>,
}

/// One channel's part of the report.
#[derive(Debug, Clone, Serialize)]
pub struct ChannelReport {
    /// Its name.
    pub name: String,
    /// Events published on it.
    pub published: u64,
    /// Events delivered, summed over its subscribers.
    pub delivered: u64,
    /// Events dropped, summed over its subscribers, for whatever reason.
    pub dropped: u64,
    /// Events that it refused.
    pub rejected: u64,
    /// Events still queued.
    pub queued: u64,
}

impl Report {
    /// Whether everything went well.
    pub fn is_success(&self) -> bool {
        self.outcome != HostOutcome::Failed
    }
}

/// What a report is collected from.
pub(crate) struct ReportInput<'a> {
    pub(crate) pipeline: Option<&'a PluginPipeline>,
    pub(crate) tasks: Vec<TaskReport>,
    pub(crate) services: &'a Services,
    pub(crate) stopped: bool,
    pub(crate) problems: Vec<String>,
}

pub(crate) fn collect(from: ReportInput<'_>) -> Report {
    let ReportInput { pipeline, tasks, services, stopped, problems } = from;
    let mut failed = !problems.is_empty() || tasks.iter().any(|task| task.failed > 0);
    let mut reports = Vec::new();
    for member in pipeline.into_iter().flat_map(PluginPipeline::members) {
        let (id, plugin) = (member.id.clone(), member.plugin.clone());
        let role = member.role.name();
        let engine = pipeline.and_then(PluginPipeline::engine);
        let info = engine.and_then(|it| it.scheduler().info(&id.as_str().into()).ok());
        let Some(info) = info else {
            let status = "waiting".to_owned();
            reports.push(ComponentReport {
                id,
                role,
                plugin,
                status,
                turns: 0,
                events: 0,
                error: None,
            });
            continue;
        };
        failed |=
            matches!(info.status, ExecutionStatus::Failed { .. } | ExecutionStatus::DidNotStop)
                || info.last_error.is_some();
        reports.push(ComponentReport {
            id,
            role,
            plugin,
            status: word(&info.status),
            turns: info.turns,
            events: info.events,
            error: info.last_error.as_ref().map(SchedulerError::to_string),
        });
    }
    let mut sections: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for row in services.board.rows() {
        sections.entry(row.section).or_default().push(row.row);
    }
    let counters = services.board.counters().into_iter();
    Report {
        outcome: match (failed, stopped) {
            (true, _) => HostOutcome::Failed,
            (false, true) => HostOutcome::Stopped,
            (false, false) => HostOutcome::Finished,
        },
        elapsed: Duration::ZERO,
        components: reports,
        channels: channels(services),
        tasks,
        sections,
        counters: counters.map(|((of, name), count)| (format!("{of}.{name}"), count)).collect(),
        problems,
    }
}

fn channels(services: &Services) -> Vec<ChannelReport> {
    let all = services.bus.channels().into_iter();
    let report = |(name, _)| {
        let stats: ChannelStats = services.bus.stats(&name).ok()?;
        Some(ChannelReport {
            name: name.to_string(),
            published: stats.published,
            delivered: stats.delivered,
            dropped: stats.dropped(),
            rejected: stats.rejected,
            queued: stats.queued,
        })
    };
    all.filter_map(report).collect()
}

/// A status in one word; the error stands beside it.
pub(crate) fn word(status: &ExecutionStatus) -> String {
    if matches!(status, ExecutionStatus::Failed { .. }) {
        return "failed".to_owned();
    }
    status.to_string()
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
