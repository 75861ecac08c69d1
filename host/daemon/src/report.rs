//! The report of a host's run, which is shown as tables or as JSON.

use std::{collections::BTreeMap, time::Duration};

use hotbay_core::{bus::ChannelStats, scheduler::ExecutionStatus};
use hotbay_plugin_api::SchedulerError;
use hotbay_runtime::{LeftOut, Services};
use hotbay_tasks::TaskReport;
use serde::Serialize;

use crate::pipeline::PluginPipeline;

/// The outcome of a host's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostOutcome {
    /// The sources ended, and all their events were handled.
    Finished,
    /// The host was asked to stop, and did.
    Stopped,
    /// Something failed: a component, a task that runs once, or the shutdown. A failed run of a task
    /// that runs again is counted and is not a failure of the host.
    Failed,
}

/// The report of a host's run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The outcome of the run.
    pub outcome: HostOutcome,
    /// The time from the start to the unloading of the last plugin.
    #[serde(rename = "elapsed_ms", serialize_with = "millis")]
    pub elapsed: Duration,
    /// The components, in the direction of the data.
    pub components: Vec<ComponentReport>,
    /// The channels, by name.
    pub channels: Vec<ChannelReport>,
    /// The tasks, by name.
    pub tasks: Vec<TaskReport>,
    /// The rows that the components report, by section.
    pub sections: BTreeMap<String, Vec<serde_json::Value>>,
    /// The counters of the components and tasks, as `component.name`.
    pub counters: BTreeMap<String, u64>,
    /// The gauges of the components and tasks that were set, as `component.name`; `null` for a value that is
    /// no finite number.
    pub gauges: BTreeMap<String, f64>,
    /// What components and tasks reported beyond the limits of a host, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The problems in stopping, one sentence each.
    pub problems: Vec<String>,
}

/// The report of one component.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentReport {
    /// The component's id.
    pub id: String,
    /// The component's role in the pipeline.
    pub role: &'static str,
    /// The name of its plugin.
    pub plugin: String,
    /// The component's status at the end.
    pub status: String,
    /// The number of turns of a connector or aggregator.
    pub turns: u64,
    /// The number of events that a strategy or executor has handled.
    pub events: u64,
    /// The component's last error.
    pub error: Option<String>,
}

/// The report of one channel.
#[derive(Debug, Clone, Serialize)]
pub struct ChannelReport {
    /// The channel's name.
    pub name: String,
    /// The number of events that were published.
    pub published: u64,
    /// The number of events that were delivered, summed over the subscribers.
    pub delivered: u64,
    /// The number of events that were dropped for any reason, summed over the subscribers.
    pub dropped: u64,
    /// The number of events that the channel rejected.
    pub rejected: u64,
    /// The number of events that are still queued.
    pub queued: u64,
}

impl Report {
    /// Returns `true` if nothing failed.
    pub fn is_success(&self) -> bool {
        self.outcome != HostOutcome::Failed
    }
}

/// The input of [`collect`].
pub(crate) struct ReportInput<'a> {
    pub(crate) pipeline: Option<&'a PluginPipeline>,
    pub(crate) tasks: Vec<TaskReport>,
    pub(crate) services: &'a Services,
    pub(crate) stopped: bool,
    pub(crate) problems: Vec<String>,
}

/// Collects the report of a run.
pub(crate) fn collect(from: ReportInput<'_>) -> Report {
    let ReportInput { pipeline, tasks, services, stopped, problems } = from;
    // A task that runs again had its failed run counted, and may have succeeded since.
    let has_failed = |task: &TaskReport| task.failed > 0 && !task.repeats;
    let mut failed = !problems.is_empty() || tasks.iter().any(has_failed);
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
        counters: by_full_name(services.board.counters()),
        gauges: by_full_name(services.board.gauges()),
        left_out: services.board.left_out().iter().map(|(of, it)| left_out(of, it)).collect(),
        problems,
    }
}

/// Names each value as `component.name`.
pub(crate) fn by_full_name<V>(values: BTreeMap<(String, String), V>) -> BTreeMap<String, V> {
    values.into_iter().map(|((of, name), value)| (format!("{of}.{name}"), value)).collect()
}

fn left_out(component: &str, LeftOut { rows, counters, gauges }: &LeftOut) -> String {
    let kinds = [(rows, "rows"), (counters, "counters"), (gauges, "gauges")];
    let counts = kinds.iter().filter(|(count, _)| **count > 0);
    let counts: Vec<_> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    format!("{component} reported {} more than there is room for", counts.join(", "))
}

fn channels(services: &Services) -> Vec<ChannelReport> {
    let report = |(name, stats): (String, ChannelStats)| ChannelReport {
        name,
        published: stats.published,
        delivered: stats.delivered,
        dropped: stats.dropped(),
        rejected: stats.rejected,
        queued: stats.queued,
    };
    channel_stats(services).map(report).collect()
}

/// Returns the account of each channel, with its name.
pub(crate) fn channel_stats(services: &Services) -> impl Iterator<Item = (String, ChannelStats)> {
    let all = services.bus.channels().into_iter();
    all.filter_map(|(name, _)| Some((name.to_string(), services.bus.stats(&name).ok()?)))
}

/// Returns a status in one word, without the error.
pub(crate) fn word(status: &ExecutionStatus) -> String {
    if matches!(status, ExecutionStatus::Failed { .. }) {
        return "failed".to_owned();
    }
    status.to_string()
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
