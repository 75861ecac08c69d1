//! Random operations of the host and of drivers.

use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::{Command, Hold, Outcome, failure};

#[derive(Debug, Clone)]
pub(super) enum Op {
    Start,
    Resume,
    Report { who: usize, report: Report },
    StepAside { who: usize, fails: bool },
    Finish { who: usize, outcome: Outcome },
    Tell(Told),
    Manage(Manage),
    Probe(Probe),
    TakeHook,
    FailHook,
}

/// What a driver enters while it goes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Report {
    Begin,
    Run,
    Checkpoint(u32),
}

/// What a driver is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    Order(Command),
    Hold(Hold),
    Leave,
    GiveUp,
}

/// What happens to the place of a task.
#[derive(Debug, Clone, Copy)]
pub(super) enum Manage {
    EndIdle,
    Vacate,
    RegisterAgain,
    Install,
}

/// What happens to a probation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Probe {
    Begin,
    End,
    TakeCheckpoint,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let who = || 0_usize..4;
    let outcome = prop_oneof![
        Just(Outcome::Finished),
        Just(Outcome::Stopped),
        Just(Outcome::Failed(failure())),
    ];
    let command = prop_oneof![Just(Command::Run), Just(Command::Stop), Just(Command::Abort)];
    let hold = prop_oneof![Just(Hold::No), Just(Hold::AtBoundary), Just(Hold::AtAwait)];
    let report = prop_oneof![
        2 => Just(Report::Begin),
        2 => Just(Report::Run),
        1 => any::<u32>().prop_map(Report::Checkpoint),
    ];
    let told = prop_oneof![
        3 => command.prop_map(Told::Order),
        8 => hold.prop_map(Told::Hold),
        2 => Just(Told::Leave),
        3 => Just(Told::GiveUp),
    ];
    let manage = prop_oneof![
        3 => Just(Manage::EndIdle),
        5 => Just(Manage::Vacate),
        8 => Just(Manage::RegisterAgain),
        3 => Just(Manage::Install),
    ];
    let probe = prop_oneof![
        6 => Just(Probe::Begin),
        3 => Just(Probe::End),
        4 => Just(Probe::TakeCheckpoint),
    ];
    prop_oneof![
        10 => Just(Op::Start),
        10 => Just(Op::Resume),
        25 => (who(), report).prop_map(|(who, report)| Op::Report { who, report }),
        10 => (who(), any::<bool>()).prop_map(|(who, fails)| Op::StepAside { who, fails }),
        6 => (who(), outcome).prop_map(|(who, outcome)| Op::Finish { who, outcome }),
        16 => told.prop_map(Op::Tell),
        19 => manage.prop_map(Op::Manage),
        13 => probe.prop_map(Op::Probe),
        4 => Just(Op::TakeHook),
        2 => Just(Op::FailHook),
    ]
}
