//! Replacing a plugin by another build of it.

use tokio::time::Instant;

use super::{Live, Meaning, Probation, Refused, RefusedFile};
use hotbay_tasks::Prepared;

use crate::{
    pipeline::{Stand, Strictness},
    plugins::{Berth, Closing},
    wiring::Wired,
};
use hotbay_loader::{Inspected, LoadError};
use hotbay_runtime::change::{After, Changed, Limits, Swap, change_over};
use hotbay_store::record::{Build, Handed, Outcome, Replacement, micros, now};

impl Live {
    /// Puts a new build in the place of the one in service, or says why not.
    pub(crate) async fn replace(&mut self, library: Inspected) {
        let name = library.manifest.name.clone();
        let Some(old) = self.plugins.berth(&name) else { return };
        let to = Build {
            version: library.manifest.version.clone(),
            hash: library.hash().to_owned(),
            generation: None,
        };
        let mut record = record(&name, old.build(), to);
        let path = library.path.clone();
        let brought = self.bring(library).await;
        if brought.is_ok() {
            // Whoever brings the next good build is content with this one, unless it failed.
            self.settle(&name).await;
        }
        if let Some(old) = self.plugins.berth(&name) {
            record.from = old.build();
        }
        let replaced = match brought {
            Ok(brought) => self.try_replace(&name, brought, &mut record).await,
            Err(refused) => Err(refused),
        };
        match replaced {
            Ok(probation) => {
                self.refused.remove(&path);
                if let Err(error) = self.start_pipeline(Strictness::Each).await {
                    tracing::error!(%error, "the pipeline does not start");
                }
                self.probation.insert(name.clone(), probation);
                if self.config.reload.probation.is_zero() {
                    self.confirm(&name);
                }
            }
            Err(refused) => {
                self.refused.insert(path, RefusedFile::at_step(&name, &refused));
                self.note_refused(record, refused);
            }
        }
    }

    /// A file that held a plugin in service holds something that can't be loaded.
    pub(crate) fn refuse_replacement(&mut self, name: &str, error: &LoadError) {
        let Some(old) = self.plugins.berth(name) else { return };
        let to = Build { version: String::new(), hash: String::new(), generation: None };
        let record = record(name, old.build(), to);
        let reason = format!("{error}; {}", error.refusal.remedy());
        self.note_refused(record, Refused { step: "inspect", reason });
    }

    fn note_refused(&mut self, mut record: Replacement, refused: Refused) {
        let Refused { step, reason } = refused;
        let version =
            if record.to.version.is_empty() { "its new file" } else { &record.to.version };
        record.alert = Some(format!(
            "plugin {}: {version} does not come into service, {} goes on: {step}: {reason}",
            record.plugin, record.from.version
        ));
        record.outcome = Outcome::Refused { step: step.to_owned(), reason };
        self.journal.add(Replacement { at: now(), ..record });
    }

    async fn try_replace(
        &mut self,
        name: &str,
        (berth, meaning, prepared): (Berth, Meaning, Prepared),
        record: &mut Replacement,
    ) -> Result<Probation, Refused> {
        record.to = berth.build();
        let changed = match self.change(&berth, &meaning.components, record).await {
            Ok(changed) => changed,
            Err(refused) => {
                drop(prepared);
                self.closings.begin(Closing::of(berth));
                return Err(refused);
            }
        };
        let (mut wired, mut ended) = (Vec::new(), Vec::new());
        if let Some(pipeline) = &mut self.pipeline {
            for one in &changed {
                if let Some(member) = pipeline.get_mut(one.id.as_str()) {
                    member.seated = Some(one.new.clone());
                }
            }
            for member in pipeline.members().iter().filter(|member| member.plugin == name) {
                wired.extend(member.wired.clone());
                if let (Stand::Ended | Stand::Failed, Some(seated)) =
                    (pipeline.stand(member), &member.seated)
                {
                    ended.push((member.id.clone(), seated.clone()));
                }
            }
            pipeline.wire(meaning.components);
            pipeline.refresh(name);
        }
        let tasks = self.seat(name, prepared);
        let until = Instant::now() + self.config.reload.probation;
        let Some(before) = self.plugins.put(berth) else {
            return Err(Refused { step: "load", reason: "it was not in service".to_owned() });
        };
        Ok(Probation { until, changed, ended, before, wired, tasks, record: record.clone() })
    }

    async fn change(
        &self,
        to: &Berth,
        wired: &[Wired],
        record: &mut Replacement,
    ) -> Result<Vec<Changed>, Refused> {
        let Some(pipeline) = &self.pipeline else { return Ok(Vec::new()) };
        let Some(core) = pipeline.core() else { return Ok(Vec::new()) };
        let plans = pipeline.plans(wired).into_iter();
        let swaps: Vec<_> =
            plans.map(|(plan, old)| Swap { plan, old, to: &to.generation }).collect();
        let limits = Limits::of(&self.config.reload, After::Probation);
        let (changed, held) = change_over(core, &swaps, &self.services, limits).await;
        record.held_us = micros(held);
        let changed = changed.map_err(|failed| Refused {
            step: failed.step.as_str(),
            reason: format!("{}: {}", failed.component, failed.cause),
        })?;
        let handed = |one: &Changed| Handed {
            component: one.id.to_string(),
            version: one.state.as_ref().map(|state| state.version),
            bytes: one.state.as_ref().map_or(0, |state| state.bytes.len()),
        };
        record.handed = changed.iter().map(handed).collect();
        Ok(changed)
    }
}

/// A record of a replacement that goes well, unless something else is said.
fn record(plugin: &str, from: Build, to: Build) -> Replacement {
    Replacement {
        at: String::new(),
        plugin: plugin.to_owned(),
        from,
        to,
        held_us: 0,
        handed: Vec::new(),
        outcome: Outcome::Replaced,
        alert: None,
        notes: Vec::new(),
    }
}
