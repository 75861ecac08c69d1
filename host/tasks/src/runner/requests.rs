//! Answering requests.

use std::sync::Arc;

use hotbay_plugin_api::Durability;
use hotbay_store::store::{Record, TaskChange};
use jiff::Timestamp;
use serde_json::Value;

use super::{Consequence, Runner, now, words};
use crate::{
    ControlError, MOST_IN_ANSWER, RunView, ScheduledTask, TaskAnswer, TaskState, TaskView,
    control::{Answer, EventRequest, TaskRequest},
    installed::InstalledTask,
    plan::{PlanEvent, RunId, WaitsFor},
};

/// A run that somebody asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) arguments: Value,
    pub(super) answer: Answer,
}

/// An answer that is sent when what it says is stored.
#[derive(Debug)]
pub(super) struct Reply {
    answer: Answer,
    says: Result<TaskAnswer, ControlError>,
}

impl Reply {
    pub(super) fn new(answer: Answer, says: Result<TaskAnswer, ControlError>) -> Self {
        Self { answer, says }
    }

    pub(super) fn send(self) {
        // Nobody may wait for the answer any more.
        drop(self.answer.send(self.says));
    }
}

impl Runner {
    /// Does what is asked, or finds out what is asked.
    pub(super) fn request(&mut self, request: TaskRequest, answer: Answer) {
        let says = match request {
            TaskRequest::Run { task, arguments, forced } => {
                return self.run_now(&task, arguments, forced, answer);
            }
            TaskRequest::History { task, before, limit } => {
                return self.history(task.as_deref(), before, limit, answer);
            }
            TaskRequest::Inspect { run } => return self.inspect(run, answer),
            TaskRequest::Log { run, after } => return self.log(run, after, answer),
            TaskRequest::Backup { to } => return self.back_up(to, answer),
            TaskRequest::Pause { task, paused } => {
                let event = self.find(&task).and_then(|task| self.set_paused(&task, paused));
                return self.change(event, answer);
            }
            TaskRequest::Enable { task, enabled } => {
                let event = self.find(&task).and_then(|task| self.set_enabled(&task, enabled));
                return self.change(event, answer);
            }
            TaskRequest::Cancel { run } => {
                let event = self.cancel(RunId(run));
                return self.change(event, answer);
            }
            TaskRequest::List => Ok(TaskAnswer::Tasks(self.tasks())),
            TaskRequest::Show { task } => self.find(&task).and_then(|task| self.show(&task)),
            TaskRequest::Next { task, from, count } => {
                self.find(&task).and_then(|task| self.next_times(&task, from, count))
            }
        };
        self.perform(Consequence::Answer(Reply::new(answer, says)));
    }

    /// Changes something, and answers when it is stored.
    fn change(&mut self, event: Result<PlanEvent, ControlError>, answer: Answer) {
        match event {
            Ok(event) => {
                self.replies.push(Reply::new(answer, Ok(TaskAnswer::Done)));
                self.step(event);
            }
            Err(refusal) => Reply::new(answer, Err(refusal)).send(),
        }
    }

    fn can_be_stored(&self, task: &str) -> Result<(), ControlError> {
        match self.writes.failure() {
            Some(failure) if self.durability(task) != Durability::Memory => {
                Err(ControlError::Store(failure.to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn durability(&self, task: &str) -> Durability {
        let installed = self.installed.lock();
        installed.get(task).map(|it| it.scheduled.spec.durability).unwrap_or_default()
    }

    /// Finds the id of a task by its id or its name.
    pub(super) fn find(&self, name: &str) -> Result<Arc<str>, ControlError> {
        let installed = self.installed.lock();
        if let Some((id, _)) = installed.get_key_value(name) {
            return Ok(Arc::clone(id));
        }
        let found = ScheduledTask::find(name, installed.values().map(|it| &it.scheduled));
        found.map(|task| task.id().into()).map_err(ControlError::Task)
    }

    fn run_now(&mut self, task: &str, arguments: Value, forced: bool, answer: Answer) {
        let task = match self.may_run(task, &arguments) {
            Ok(task) => task,
            Err(refusal) => return Reply::new(answer, Err(refusal)).send(),
        };
        let request = self.next_request;
        self.next_request += 1;
        self.asked.insert(request, Asked { arguments, answer });
        self.step(PlanEvent::Request { task, request, channel: None, forced });
    }

    /// Runs a task for an event of a channel, or takes note of why it does not run.
    pub(super) fn run_for_event(&mut self, request: EventRequest, answer: Answer) {
        let EventRequest { task, channel, arguments } = request;
        match self.may_run(&task, &arguments) {
            Ok(task) => {
                let request = self.next_request;
                self.next_request += 1;
                self.asked.insert(request, Asked { arguments, answer });
                let channel = Some(channel);
                self.step(PlanEvent::Request { task, request, channel, forced: false });
            }
            Err(refusal) => {
                // A task that is not there or is disabled has no schedule.
                if !matches!(refusal, ControlError::Task(_)) {
                    self.event_skipped(task, channel, refusal.to_string(), None, now());
                    self.step(PlanEvent::Tick);
                }
                Reply::new(answer, Err(refusal)).send();
            }
        }
    }

    /// Returns the id of a task that may run now with these arguments.
    fn may_run(&self, task: &str, arguments: &Value) -> Result<Arc<str>, ControlError> {
        let id = self.find(task)?;
        self.can_be_stored(&id)?;
        let installed = self.installed.lock();
        let Some(task) = installed.get(&id) else { return Ok(id) };
        if task.disabled {
            let remedy = format!("`hotbay task enable` {id} first");
            return Err(ControlError::Task(format!("{id} is disabled; {remedy}")));
        }
        let Value::Object(given) = arguments else {
            return Err(ControlError::Arguments("have to be a JSON object".to_owned()));
        };
        let required = task.scheduled.spec.arguments.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        let missing: Vec<_> = names.filter(|name| !given.contains_key(*name)).collect();
        if !missing.is_empty() {
            let missing = hotbay_config::listed(missing);
            return Err(ControlError::Arguments(format!("of {id} have to name {missing}")));
        }
        Ok(id)
    }

    fn set_paused(&mut self, task: &Arc<str>, paused: bool) -> Result<PlanEvent, ControlError> {
        self.can_be_stored(task)?;
        if let Some(task) = self.installed.lock().get_mut(task) {
            task.paused = paused;
        }
        let (durability, task) = (self.durability(task), Arc::clone(task));
        let change = TaskChange::Paused(paused);
        self.batch.add(durability, || Record::Task { task: Arc::clone(&task), change });
        Ok(PlanEvent::Pause { task, paused })
    }

    fn set_enabled(&mut self, id: &Arc<str>, enabled: bool) -> Result<PlanEvent, ControlError> {
        self.can_be_stored(id)?;
        let mut installed = self.installed.lock();
        let Some(task) = installed.get_mut(id).filter(|task| task.disabled == enabled) else {
            // It is so already.
            return Ok(PlanEvent::Tick);
        };
        let definition = task.scheduled.definition(task.anchor);
        let definition =
            definition.map_err(|reason| ControlError::Task(format!("{id} {reason}")))?;
        task.disabled = !enabled;
        let (durability, stored) = (task.scheduled.spec.durability, task.as_it_comes_back());
        drop(installed);
        let change = TaskChange::Enabled((!enabled).then_some(false));
        let task = Arc::clone(id);
        self.batch.add(durability, || Record::Task { task: Arc::clone(&task), change });
        Ok(match enabled {
            true => {
                PlanEvent::Define { task, definition: Box::new(definition), stored: Some(stored) }
            }
            false => PlanEvent::Remove { task },
        })
    }

    fn cancel(&self, run: RunId) -> Result<PlanEvent, ControlError> {
        if !self.plan.runs().contains_key(&run) {
            let number = run.0;
            let reason = format!(
                "there is no run {number}, or it has ended; `hotbay task history` lists the runs"
            );
            return Err(ControlError::Run(reason));
        }
        Ok(PlanEvent::Cancel { run })
    }

    fn tasks(&self) -> Vec<TaskView> {
        self.installed.lock().iter().map(|(id, task)| self.view(id, task)).collect()
    }

    fn view(&self, id: &Arc<str>, task: &InstalledTask) -> TaskView {
        let (running, waiting) = self.plan.live_of(id);
        let state = match () {
            () if task.disabled => TaskState::Disabled,
            () if task.paused => TaskState::Paused,
            () if task.build.is_none() => TaskState::Waits,
            () if self.plan.is_held(id) => TaskState::Held,
            () => TaskState::Active,
        };
        TaskView {
            id: id.to_string(),
            description: task.scheduled.spec.description.clone(),
            schedule: task.schedule.clone(),
            state,
            next: self.plan.next_due(id),
            running,
            waiting,
            counts: task.ended,
            last_error: task.counts.last_error.clone(),
        }
    }

    fn show(&self, id: &Arc<str>) -> Result<TaskAnswer, ControlError> {
        let installed = self.installed.lock();
        let task = installed.get(id).map(|task| self.view(id, task));
        drop(installed);
        let task = task.ok_or_else(|| ControlError::Task(format!("there is no task `{id}`")))?;
        let runs = self.live_runs(Some(id), None);
        Ok(TaskAnswer::Task(Box::new(task), runs.take(MOST_IN_ANSWER as usize).collect()))
    }

    /// Returns the runs of a task or of all that have not ended, the latest first.
    pub(super) fn live_runs<'a>(
        &'a self,
        task: Option<&'a str>,
        before: Option<u64>,
    ) -> impl Iterator<Item = RunView> + 'a {
        let runs = self.plan.runs().range(..RunId(before.unwrap_or(u64::MAX))).rev();
        let is_wanted = move |it: &&Arc<str>| task.is_none_or(|task| ***it == *task);
        let runs = runs.filter(move |(_, live)| is_wanted(&live.task()));
        runs.filter_map(|(run, _)| self.live_view(*run))
    }

    /// Returns a run that has not ended, with what it waits for.
    pub(super) fn live_view(&self, run: RunId) -> Option<RunView> {
        let (active, live) = (self.runs.get(&run)?, self.plan.runs().get(&run)?);
        let waits = self.plan.waits_for(run);
        let reason = waits.as_ref().map(words::waits);
        let mut view = active.view(run, words::state(&live.state), reason);
        if let Some(WaitsFor::Place(_, holders)) = waits {
            view.by = holders.first().map(|run| run.0);
        }
        Some(view)
    }

    fn next_times(
        &self,
        task: &Arc<str>,
        from: Option<Timestamp>,
        count: u32,
    ) -> Result<TaskAnswer, ControlError> {
        let Some(timing) = self.plan.timing(task) else {
            let schedule = self.installed.lock().get(task).map(|it| it.schedule.clone());
            let schedule = schedule.unwrap_or_default();
            return Err(ControlError::Task(format!("{task} has no times: it runs {schedule}")));
        };
        let mut after = from.unwrap_or_else(now);
        let mut times = Vec::new();
        while let Some(due) = timing
            .next_after(after, task)
            .filter(|_| times.len() < count.min(MOST_IN_ANSWER) as usize)
        {
            times.push(due.start);
            after = due.nominal;
        }
        Ok(TaskAnswer::Times(times, timing.zone().to_owned()))
    }
}
