//! The transitions under random operations of the host and of drivers, against a model.
//!
//! All transitions of a task happen under one lock, so whatever threads do comes down to one
//! sequence of transitions. Sequences are what is tested here, with drivers that come late,
//! twice, or after another one has taken over.

mod model;
mod ops;

use proptest::prelude::{prop, proptest};

use super::*;
use crate::scheduler::command::{Command, Hold};
use ExecutionStatus as Status;
use model::{Model, Place};
use ops::{Manage, Op, Probe, Report, Told, op};

/// The work of a task, recognizable.
type Token = u32;

fn failure() -> SchedulerError {
    SchedulerError::TaskExecution("the feed is gone".to_owned())
}

/// A state with its drivers, beside the model.
struct Test {
    state: State<Token>,
    model: Model,
    /// All drivers that hold work, also those that nobody waits for.
    drivers: Vec<(DriverId, Token)>,
    next_driver: u64,
    next_token: Token,
    /// How often a `shutdown` was due since the task was registered.
    hooks: u32,
}

impl Test {
    fn new() -> Self {
        Self {
            state: State::Registered { work: 0 },
            model: Model::registered(),
            drivers: Vec::new(),
            next_driver: 0,
            next_token: 1,
            hooks: 0,
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Start | Op::Resume => self.take_up(matches!(op, Op::Start)),
            Op::Report { who, report } => self.report(*who, *report),
            Op::StepAside { who, fails } => self.step_aside(*who, *fails),
            Op::Finish { who, outcome } => self.finish(*who, outcome),
            Op::Tell(told) => self.tell(*told),
            Op::Manage(manage) => self.manage(*manage),
            Op::Probe(probe) => self.probation(*probe),
            Op::TakeHook | Op::FailHook => self.hook(op),
        }
        let (state, model) = (&self.state, &self.model);
        assert_eq!(state.status(), model.status(), "after {op:?}");
        assert_eq!(state.fault().is_some(), model.fault, "after {op:?}");
        assert_eq!(state.is_leaving(), model.leaving, "after {op:?}");
        let orders = state.orders().map(|it| (it.driver, it.command, it.hold, it.probation));
        let expected = match model.place {
            Place::With(driver) => Some((driver, model.told, model.hold, model.probation)),
            Place::Registered | Place::Held | Place::Ended | Place::Vacant => None,
        };
        assert_eq!(orders, expected, "after {op:?}");
        assert!(self.hooks <= 1, "a `shutdown` is called once");
    }

    fn take_up(&mut self, first: bool) {
        self.next_driver += 1;
        let driver = DriverId(self.next_driver);
        let from = if first { Place::Registered } else { Place::Held };
        let taken = if first { self.state.start(driver) } else { self.state.resume(driver) };
        assert_eq!(taken.is_ok(), self.model.place == from);
        if let Ok(start) = taken {
            assert_eq!(start.driver, driver);
            assert!(self.drivers.iter().all(|(_, work)| *work != start.work), "it is with one");
            self.drivers.push((driver, start.work));
            self.model.driven(driver);
        }
    }

    /// One of the drivers, current or not, and whether it is the current one.
    fn pick(&self, who: usize) -> Option<(usize, DriverId, bool)> {
        let at = who.checked_rem(self.drivers.len())?;
        let (driver, _) = self.drivers[at];
        Some((at, driver, self.model.place == Place::With(driver)))
    }

    fn report(&mut self, who: usize, report: Report) {
        let Some((_, driver, current)) = self.pick(who) else { return };
        let model = &mut self.model;
        match report {
            Report::Begin => {
                let may = current && !model.begun;
                assert_eq!(self.state.begin(driver).is_ok(), may);
                if may {
                    (model.begun, model.hook_due) = (true, true);
                }
            }
            Report::Run => {
                let may = current && model.begun;
                assert_eq!(self.state.run(driver).is_ok(), may);
                model.initialized |= may;
            }
            Report::Checkpoint(number) => {
                let kept = self.state.keep_checkpoint(driver, saved(number));
                assert_eq!(kept.is_ok(), current && model.probation);
                if kept.is_ok() {
                    model.checkpoint = Some(number);
                }
            }
        }
    }

    fn step_aside(&mut self, who: usize, fails: bool) {
        let Some((at, driver, current)) = self.pick(who) else { return };
        let (_, work) = self.drivers.remove(at);
        let model = &mut self.model;
        let may = current
            && model.initialized
            && !model.given_up
            && model.told == Command::Run
            && (!fails || model.probation);
        match self.state.step_aside(driver, work, fails.then(failure)) {
            Ok(stepped) => {
                assert!(may);
                let wanted = fails || model.hold != Hold::No;
                assert_eq!(stepped == SteppedAside::Wanted, wanted);
                model.place = Place::Held;
                (model.fault, model.leaving) = (fails, false);
            }
            Err((back, refusal)) => {
                assert!(!may);
                assert_eq!(back, work, "the work comes back");
                assert_eq!(refusal == Refusal::Superseded, !current);
                self.drivers.push((driver, back));
            }
        }
    }

    fn finish(&mut self, who: usize, outcome: &Outcome) {
        let Some((at, driver, current)) = self.pick(who) else { return };
        self.drivers.remove(at);
        let finished = self.state.finish(driver, outcome.clone());
        assert_eq!(finished.is_ok(), current, "only the current driver ends the task");
        if current {
            let never = matches!(outcome, Outcome::Failed(_)) && !self.model.initialized;
            self.model.end(outcome.clone());
            assert_eq!(self.state.failed_to_initialize().is_some(), never);
        }
    }

    fn tell(&mut self, told: Told) {
        let model = &mut self.model;
        let heard = match told {
            Told::Order(command) => self.state.order(command),
            Told::Hold(hold) => self.state.hold(hold),
            Told::Leave => self.state.leave(),
            Told::GiveUp => self.state.give_up(),
        };
        assert_eq!(heard.is_ok(), model.has_driver());
        match told {
            _ if heard.is_err() => {}
            Told::Order(command) => model.told = model.told.max(command),
            Told::Hold(hold) => model.hold = hold,
            Told::Leave => model.leaving = true,
            Told::GiveUp => model.given_up = true,
        }
    }

    fn manage(&mut self, manage: Manage) {
        let model = &mut self.model;
        match manage {
            Manage::EndIdle => {
                let idle = matches!(model.place, Place::Registered | Place::Held);
                assert_eq!(self.state.end_idle(Outcome::Stopped).is_ok(), idle);
                if idle {
                    model.end(Outcome::Stopped);
                }
            }
            Manage::Vacate => {
                let empty = matches!(model.place, Place::Ended | Place::Vacant)
                    || (model.has_driver() && model.given_up);
                assert_eq!(self.state.vacate().is_ok(), empty);
                if empty {
                    model.end(Outcome::Stopped);
                    (model.place, model.hook_due) = (Place::Vacant, false);
                }
            }
            Manage::RegisterAgain => {
                let empty = matches!(model.place, Place::Ended | Place::Vacant);
                self.next_token += 1;
                assert_eq!(self.state.register_again(self.next_token).is_ok(), empty);
                if empty {
                    self.model = Model::registered();
                    self.hooks = 0;
                }
            }
            Manage::Install => {
                self.next_token += 1;
                let held = self.state.held_work();
                assert_eq!(held.is_ok(), model.place == Place::Held);
                if let Ok(work) = held {
                    *work = self.next_token;
                }
            }
        }
    }

    fn probation(&mut self, probe: Probe) {
        let model = &mut self.model;
        match probe {
            Probe::Begin => {
                let held = model.place == Place::Held;
                assert_eq!(self.state.begin_probation().is_ok(), held);
                if held {
                    (model.probation, model.checkpoint) = (true, None);
                }
            }
            Probe::End => {
                let alive = model.has_driver() || model.place == Place::Held;
                assert_eq!(self.state.end_probation().is_ok(), alive);
                (model.probation, model.checkpoint) = (false, None);
            }
            Probe::TakeCheckpoint => {
                let taken = self.state.take_checkpoint();
                assert_eq!(taken, model.checkpoint.take().map(saved));
            }
        }
    }

    fn hook(&mut self, op: &Op) {
        let model = &mut self.model;
        if matches!(op, Op::TakeHook) {
            let over = model.place == Place::Ended || (model.has_driver() && model.given_up);
            let due = over && model.hook_due;
            assert_eq!(self.state.take_hook(), due);
            if due {
                model.hook_due = false;
                self.hooks += 1;
            }
        } else {
            let error = SchedulerError::TaskShutdown("disk full".to_owned());
            let ended = model.place == Place::Ended;
            assert_eq!(self.state.fail_hook(error.clone()).is_ok(), ended);
            if ended && !matches!(model.outcome, Some(Outcome::Failed(_))) {
                model.outcome = Some(Outcome::Failed(error));
            }
        }
    }
}

fn saved(number: u32) -> SavedState {
    SavedState { version: 1, bytes: number.to_le_bytes().to_vec() }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(5_000))]
    #[test]
    fn the_state_of_a_task_is_what_the_model_says_after_any_operations(
        operations in prop::collection::vec(op(), 1..80),
    ) {
        let mut test = Test::new();
        operations.iter().for_each(|op| test.apply(op));
    }
}

#[test]
fn a_driver_that_was_given_up_cannot_end_its_successor() {
    let mut state = State::Registered { work: "first" };
    let [stuck, next] = [1, 2].map(DriverId);
    state.start(stuck).unwrap();
    state.begin(stuck).unwrap();
    state.run(stuck).unwrap();
    state.order(Command::Abort).unwrap();
    state.give_up().unwrap();
    assert!(state.take_hook());
    state.vacate().unwrap();
    state.register_again("second").unwrap();
    state.start(next).unwrap();
    assert_eq!(state.finish(stuck, Outcome::Stopped), Err(Refusal::Superseded));
    assert_eq!(state.orders().unwrap().command, Command::Run, "nobody told the next one");
    state.begin(next).unwrap();
    state.run(next).unwrap();
    assert_eq!(state.status(), Status::Running);
}

#[test]
fn a_failure_after_the_end_of_the_probation_is_refused_to_hold_the_task() {
    let mut state = State::Registered { work: () };
    let [first, second] = [1, 2].map(DriverId);
    state.start(first).unwrap();
    state.begin(first).unwrap();
    state.run(first).unwrap();
    state.hold(Hold::AtBoundary).unwrap();
    state.step_aside(first, (), None).unwrap();
    state.begin_probation().unwrap();
    state.resume(second).unwrap();
    state.end_probation().unwrap();
    let (_work, refusal) = state.step_aside(second, (), Some(failure())).unwrap_err();
    assert_eq!(refusal, Refusal::NotOnProbation);
}
