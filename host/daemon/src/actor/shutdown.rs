//! Shutting a host down.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hotbay_core::bus::ChannelStats;

use super::{Actor, ActorEvent, StopReason, reported, status::masked};
use crate::{
    HostError,
    event_triggers::EventTriggers,
    plugins::ClosingPlugin,
    reconcile::PluginActivity,
    report::{Report, ReportInput, channel_stats, collect},
};

/// The time that operations under way get to end.
const FINISH: Duration = Duration::from_millis(100);

/// The time that a roll-back under way gets. Until it ends, the build that goes on belongs to it
/// and would be closed with it.
const ROLL_BACK: Duration = Duration::from_secs(5);

impl Actor {
    /// Stops everything in order, closes the plugins, and returns the report.
    ///
    /// # Errors
    /// If the host stops because the pipeline did not start: the reason for that.
    pub(crate) async fn shut_down(
        mut self,
        end: StopReason,
        began: Instant,
    ) -> Result<Report, HostError> {
        match &end {
            StopReason::Requested => tracing::info!(reason = "asked to", "stopping"),
            StopReason::SourcesEnded => tracing::info!(reason = "the sources ended", "stopping"),
            StopReason::Failed(_) => {}
        }
        // From now on, a request for the status gets the last one.
        self.endpoint.commands.close();
        while self.endpoint.commands.try_recv().is_ok() {}
        self.end_operations().await;
        let names: Vec<_> = self.probations.keys().cloned().collect();
        for plugin in names {
            self.settle(plugin).await;
        }
        self.event_triggers = EventTriggers::default();
        let mut problems = self.tasks.stop(self.config.shutdown.drain).await;
        if let Some(pipeline) = &self.pipeline {
            let before = channel_stats(&self.services).collect();
            problems.extend(pipeline.stop(&self.config).await);
            problems.extend(self.lost(&before));
        }
        let mut report = collect(ReportInput {
            pipeline: self.pipeline.as_ref(),
            tasks: self.tasks.reports(),
            services: &self.services,
            stopped: matches!(end, StopReason::Requested),
            problems,
        });
        for component in &mut report.components {
            component.error = masked(component.error.take());
        }
        for task in &mut report.tasks {
            task.last_error = masked(task.last_error.take());
        }
        self.close_all().await;
        self.journal.flush();
        if let StopReason::Failed(error) = end {
            report.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
            return Err(error);
        }
        // A library that stays mapped is not a failure of the run: its work was done by then.
        report.problems.extend(self.closing.leaks.iter().map(|leak| leak.text()));
        report.elapsed = began.elapsed();
        Ok(report)
    }

    /// Returns a sentence for each channel of which the stop of the pipeline has lost events. `before`
    /// has the accounts of the channels from before the stop.
    fn lost(&self, before: &BTreeMap<String, ChannelStats>) -> Vec<String> {
        let drain = humantime::format_duration(self.config.shutdown.drain);
        let lost = channel_stats(&self.services).filter_map(|(channel, now)| {
            let before = before.get(&channel).map_or(0, |before| before.dropped_unsubscribed);
            let lost = now.dropped_unsubscribed.saturating_sub(before) + now.queued;
            (lost > 0).then(|| {
                format!(
                    "{lost} events of channel {channel} were queued and not handled within {drain}; a \
                     longer `shutdown.drain` gives them more time"
                )
            })
        });
        lost.collect()
    }

    /// Gives the operations under way a moment to end, and aborts the others.
    ///
    /// An operation that is aborted undoes what it has begun: held components are released.
    async fn end_operations(&mut self) {
        let began = tokio::time::Instant::now();
        while self.has_under_way(|_| true)
            && let rolls_back = self.has_under_way(|it| it == PluginActivity::RollingBack)
            && let until = began + if rolls_back { ROLL_BACK } else { FINISH }
            && let Ok(Some(joined)) =
                tokio::time::timeout_at(until, self.operations.join_next()).await
        {
            self.on_last_event(reported(joined));
        }
        self.operations.abort_all();
        while let Some(joined) = self.operations.join_next().await {
            if let Ok(event) = joined {
                self.on_last_event(event);
            }
            // The event that was handled just now may have begun another operation.
            self.operations.abort_all();
        }
        for (_, build) in std::mem::take(&mut self.loaded_builds) {
            self.closing.begin(ClosingPlugin::of(build.into_plugin()));
        }
    }

    fn has_under_way(&self, which: impl Fn(PluginActivity) -> bool) -> bool {
        self.observed.plugins.values().any(|it| it.activity.is_some_and(&which))
    }

    /// Handles an event while the host shuts down.
    fn on_last_event(&mut self, event: ActorEvent) {
        if let Some(StopReason::Failed(error)) = self.turn(event) {
            tracing::error!(%error, "an operation failed while the host stops");
        }
    }

    /// Ends a probation early: confirms the new build, or rolls back if it has failed.
    async fn settle(&mut self, plugin: String) {
        if self.failure(&plugin).is_none() {
            return self.confirm(&plugin);
        }
        self.roll_back(plugin);
        if let Some(joined) = self.operations.join_next().await {
            self.on_last_event(reported(joined));
        }
    }

    /// Closes all plugins, within a limit.
    async fn close_all(&mut self) {
        self.examined.clear();
        self.pipeline = None;
        for (_, plugin) in std::mem::take(&mut self.plugins) {
            self.closing.begin(ClosingPlugin::of(plugin));
        }
        self.closing.finish().await;
    }
}
