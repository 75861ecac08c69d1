//! The end of a host.

use std::time::{Duration, Instant};

use super::{Actor, ActorEvent, StopReason, reported};
use crate::{
    HostError,
    plugins::ClosingPlugin,
    reconcile::PluginActivity,
    report::{Report, ReportInput, collect},
};

/// How long operations that are under way get to come to their end.
const FINISH: Duration = Duration::from_millis(100);

/// How long a roll-back that is under way gets: while it is, the build that goes on belongs to
/// it, and would be closed with it.
const ROLL_BACK: Duration = Duration::from_secs(5);

/// How long all plugins together get to end when the host ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

impl Actor {
    /// Stops everything in good order, closes the plugins, and reports.
    ///
    /// # Errors
    /// The reason why the pipeline did not start, if that is why the host ends.
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
        // Whoever asks for the status from now on gets the last one.
        self.endpoint.commands.close();
        while self.endpoint.commands.try_recv().is_ok() {}
        self.end_operations().await;
        let names: Vec<_> = self.probations.keys().cloned().collect();
        for plugin in names {
            self.settle(plugin).await;
        }
        let mut problems = self.tasks.stop(self.config.shutdown.drain).await;
        if let Some(pipeline) = &self.pipeline {
            problems.extend(pipeline.stop(&self.config).await);
        }
        let report = collect(ReportInput {
            pipeline: self.pipeline.as_ref(),
            tasks: self.tasks.reports(),
            services: &self.services,
            stopped: matches!(end, StopReason::Requested),
            problems,
        });
        self.close_all().await;
        self.journal.flush();
        if let StopReason::Failed(error) = end {
            report.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
            return Err(error);
        }
        let mut report = report;
        // No failure of the run: everything was done by then.
        report.problems.extend(self.closing.leaks.iter().map(|leak| leak.text()));
        report.elapsed = began.elapsed();
        Ok(report)
    }

    /// Lets operations come to their end for a moment, and aborts the others. What one of
    /// them had begun is undone as it is dropped: held components go on.
    async fn end_operations(&mut self) {
        let began = tokio::time::Instant::now();
        while self.has_under_way(|_| true)
            && let rolls_back = self.has_under_way(|it| it == PluginActivity::RollingBack)
            && let until = began + if rolls_back { ROLL_BACK } else { FINISH }
            && let Ok(Some(joined)) =
                tokio::time::timeout_at(until, self.operations.join_next()).await
        {
            self.note_last(reported(joined));
        }
        self.operations.abort_all();
        while let Some(joined) = self.operations.join_next().await {
            if let Ok(event) = joined {
                self.note_last(event);
            }
            // What came to its end just now may have begun another one.
            self.operations.abort_all();
        }
        for (_, build) in std::mem::take(&mut self.loaded_builds) {
            self.closing.begin(ClosingPlugin::of(build.into_plugin()));
        }
    }

    fn has_under_way(&self, which: impl Fn(PluginActivity) -> bool) -> bool {
        self.observed.plugins.values().any(|it| it.activity.is_some_and(&which))
    }

    fn note_last(&mut self, event: ActorEvent) {
        if let Some(StopReason::Failed(error)) = self.turn(event) {
            tracing::error!(%error, "an operation failed while the host stops");
        }
    }

    /// Ends a probation before its time: well, unless the new build has failed by now.
    async fn settle(&mut self, plugin: String) {
        if self.failure(&plugin).is_none() {
            return self.confirm(&plugin);
        }
        self.roll_back(plugin);
        if let Some(joined) = self.operations.join_next().await {
            self.note_last(reported(joined));
        }
    }

    /// Closes every plugin, within a limit.
    async fn close_all(&mut self) {
        self.examined.clear();
        self.pipeline = None;
        for (_, plugin) in std::mem::take(&mut self.plugins) {
            self.closing.begin(ClosingPlugin::of(plugin));
        }
        self.closing.finish(CLOSE_LIMIT).await;
    }
}
