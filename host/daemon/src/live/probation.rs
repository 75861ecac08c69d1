//! The first time of a new build: what fails in it brings the build before back.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, task::Poll};

use tokio::time::{Instant, sleep_until};

use super::{Live, Refused, RefusedFile};
use hotbay_tasks::Prepared;

use crate::{
    pipeline::Strictness,
    plugins::{Berth, Closing},
    wiring::Wired,
};
use hotbay_runtime::change::{After, Changed, Limits, PluginCore, Seated, change_back};
use hotbay_store::record::{Outcome, Replacement, micros, now};

/// A replacement that can still be taken back.
pub(crate) struct Probation {
    pub(super) until: Instant,
    pub(super) changed: Vec<Changed>,
    /// Components that had ended by themselves in the build before.
    pub(super) ended: Vec<(String, Seated)>,
    /// The build before, which still has its threads and its objects.
    pub(crate) before: Berth,
    /// What the components were.
    pub(super) wired: Vec<Wired>,
    /// What the tasks were.
    pub(super) tasks: Prepared,
    pub(super) record: Replacement,
}

/// What became of a new build.
pub(crate) enum Verdict {
    Stood,
    Failed { reason: String },
}

/// Waits until a new build fails, or stands its probation; forever if there is none.
pub(crate) async fn verdict(
    probation: &BTreeMap<String, Probation>,
    core: Option<&PluginCore>,
    tasks: &dyn Fn(&str) -> Prepared,
) -> (String, Verdict) {
    type Watched<'a> = Pin<Box<dyn Future<Output = (String, Verdict)> + Send + 'a>>;
    let mut watched: Vec<Watched<'_>> = Vec::new();
    for (name, one) in probation {
        let until = one.until;
        watched.push(Box::pin(async move {
            sleep_until(until).await;
            (name.clone(), Verdict::Stood)
        }));
        for (changed, core) in one.changed.iter().filter_map(|it| Some((it, core?))) {
            watched.push(Box::pin(async move {
                let error = core.faulted(&changed.id).await;
                let reason = format!("{}: {error}", changed.id);
                (name.clone(), Verdict::Failed { reason })
            }));
        }
        for (scheduled, build) in tasks(name) {
            watched.push(Box::pin(async move {
                let error = Arc::clone(&build).failed().await;
                let reason = format!("task {}: {error}", scheduled.id());
                (name.clone(), Verdict::Failed { reason })
            }));
        }
    }
    std::future::poll_fn(|context| {
        for one in &mut watched {
            if let Poll::Ready(verdict) = one.as_mut().poll(context) {
                return Poll::Ready(verdict);
            }
        }
        Poll::Pending
    })
    .await
}

impl Live {
    /// Ends a probation before its time: well, unless the new build has failed by now and
    /// nobody has looked yet.
    pub(crate) async fn settle(&mut self, name: &str) {
        match self.failure(name) {
            Some(reason) => self.roll_back(name, reason).await,
            None => self.confirm(name),
        }
    }

    pub(super) fn failure(&self, name: &str) -> Option<String> {
        let probation = self.probation.get(name)?;
        let core = self.pipeline.as_ref().and_then(|it| it.core());
        let mut changed = probation.changed.iter();
        let of_component =
            changed.find_map(|one| Some(format!("{}: {}", one.id, core?.fault(&one.id)?)));
        of_component.or_else(|| {
            let mut tasks = self.tasks.of_plugin(name).into_iter();
            tasks.find_map(|(it, build)| Some(format!("task {}: {}", it.id(), build.failure()?)))
        })
    }

    /// Ends a probation well: the build before is closed.
    pub(crate) fn confirm(&mut self, name: &str) {
        let Some(probation) = self.probation.remove(name) else { return };
        let Probation { changed, before, ended, tasks, record, .. } = probation;
        let mut hooks = Vec::new();
        if let Some(pipeline) = &self.pipeline
            && let Some(core) = pipeline.core()
        {
            changed.iter().for_each(|one| core.confirm(&one.id));
            // What ended by itself goes with its build, so its hook can't wait.
            let left = ended.into_iter().filter(|(id, seated)| {
                let member = pipeline.members().iter().find(|it| it.id == *id);
                let there = member.and_then(|it| it.seated.as_ref());
                there.is_some_and(|it| it.voice.is(&seated.voice))
                    && core.take_hook(&id.as_str().into())
            });
            hooks.extend(left.map(|(_, seated)| seated));
        }
        changed.iter().for_each(|one| one.seat.stop_keeping());
        hooks.extend(changed.into_iter().map(|one| one.old));
        self.closings.begin(Closing {
            tasks: tasks.into_iter().map(|(_, build)| build).collect(),
            drain: self.config.shutdown.drain,
            hooks,
            ..Closing::of(before)
        });
        self.journal.add(Replacement { at: now(), ..record });
    }

    /// Puts the build before back into service.
    pub(crate) async fn roll_back(&mut self, name: &str, reason: String) {
        let Some(probation) = self.probation.remove(name) else { return };
        let Probation { changed, before, wired, tasks, mut record, .. } = probation;
        let drain = self.config.shutdown.drain;
        if let Some(pipeline) = &mut self.pipeline {
            if let Some(core) = pipeline.core() {
                let olds: Vec<_> =
                    changed.iter().map(|it| (it.id.clone(), it.old.clone())).collect();
                let limits = Limits::of(&self.config.reload, After::Service);
                let (notes, held) = change_back(core, changed, limits).await;
                record.notes.extend(notes);
                record.held_us += micros(held);
                for (id, old) in olds {
                    if let Some(member) = pipeline.get_mut(id.as_str()) {
                        member.seated = Some(old);
                    }
                }
            }
            // Components that only the new build had brought into service.
            let went_on = |id: &str| record.handed.iter().any(|handed| handed.component == id);
            pipeline.take_out(|it| it.plugin == name && !went_on(&it.id), drain).await;
            pipeline.wire(wired);
            pipeline.refresh(name);
        }
        let new = self.seat(name, tasks);
        if let Some(failed) = self.plugins.put(before) {
            let refused = Refused { step: "probation", reason: reason.clone() };
            let path = failed.path().to_owned();
            self.refused.insert(path, RefusedFile::at_step(name, &refused));
            let tasks = new.into_iter().map(|(_, build)| build).collect();
            self.closings.begin(Closing { tasks, drain, ..Closing::of(failed) });
        }
        if let Err(error) = self.start_pipeline(Strictness::Each).await {
            record.notes.push(error.to_string());
        }
        record.alert = Some(format!(
            "plugin {name} {} failed on probation and {} is back in service: {reason}; bring \
             another build, for a restart would load this one",
            record.to.version, record.from.version
        ));
        record.outcome = Outcome::RolledBack { reason };
        self.journal.add(Replacement { at: now(), ..record });
    }
}
