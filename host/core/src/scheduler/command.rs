//! Orders to a driver, and how a driver listens to them.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::sync::watch;

/// Numbers the drivers of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DriverId(pub(super) u64);

/// The command for a driver. For one driver, it only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Command {
    /// Give the task its turns or events.
    Run,
    /// End after this turn, or after the events that are queued.
    Stop,
    /// End at the next await point.
    Abort,
}

/// Decides if a driver is to step aside, with its position in the queue kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// The driver goes on with its events or turns.
    No,
    /// The driver steps aside after this event or turn; a turn that only waits for events is
    /// dropped.
    AtBoundary,
    /// The driver also steps aside at an await point of a turn, if it may be dropped there.
    AtAwait,
}

/// The orders for one driver, derived from the state of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) driver: DriverId,
    pub(super) command: Command,
    pub(super) hold: Hold,
    /// A failure holds the task instead of ending it.
    pub(super) probation: bool,
}

impl Orders {
    pub(super) fn is_held(self) -> bool {
        self.hold != Hold::No
    }
}

/// The orders of one driver, as it hears them.
pub(super) struct Commands {
    driver: DriverId,
    orders: watch::Receiver<Option<Orders>>,
    /// Only awaited, never read: its last seen change is of no interest.
    changes: watch::Receiver<Option<Orders>>,
}

/// The outcome of a call that may be interrupted.
pub(super) enum Ended<T> {
    Done(T),
    Aborted,
    Held,
}

impl Commands {
    pub(super) fn new(driver: DriverId, orders: &watch::Sender<Option<Orders>>) -> Self {
        Self { driver, orders: orders.subscribe(), changes: orders.subscribe() }
    }

    pub(super) fn told(&self) -> Command {
        self.now().command
    }

    pub(super) fn is_on_probation(&self) -> bool {
        self.now().probation
    }

    pub(super) fn now(&self) -> Orders {
        own(self.driver, *self.orders.borrow())
    }

    /// The work's result, or `None` if the order to abort came first and the work was dropped.
    pub(super) async fn unless_aborted<F: Future>(&mut self, work: F) -> Option<F::Output> {
        self.unless_told(|orders| orders.command >= Command::Abort, work).await
    }

    /// The work's result, or `None` if there came an order to stop or to step aside.
    pub(super) async fn unless_called<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let called = |orders: Orders| orders.command >= Command::Stop || orders.hold != Hold::No;
        self.unless_told(called, work).await
    }

    async fn unless_told<F: Future>(
        &mut self,
        told: impl Fn(Orders) -> bool,
        work: F,
    ) -> Option<F::Output> {
        let driver = self.driver;
        tokio::select! {
            biased;
            done = work => Some(done),
            gone = async { self.orders.wait_for(|orders| told(own(driver, *orders))).await.is_err() } => {
                if gone {
                    // Nobody is left who could give a command.
                    pending::<()>().await;
                }
                None
            }
        }
    }

    /// The turn's result, or why it was dropped. `may_drop` is asked where the turn waits,
    /// on the thread that polls it, so that it can't go on between question and drop.
    pub(super) async fn turn<F: Future>(
        &mut self,
        turn: F,
        may_drop: impl Fn(Hold) -> bool,
    ) -> Ended<F::Output> {
        let Self { driver, orders, changes } = self;
        let mut turn = pin!(turn);
        let mut change = pin!(async {
            while changes.changed().await.is_ok() {}
            pending::<()>().await;
        });
        poll_fn(|cx| {
            if let Poll::Ready(done) = turn.as_mut().poll(cx) {
                return Poll::Ready(Ended::Done(done));
            }
            // Never ready: it wakes this task when the orders change.
            if change.as_mut().poll(cx).is_ready() {
                return Poll::Pending;
            }
            let Orders { command, hold, .. } = own(*driver, *orders.borrow());
            if command == Command::Abort {
                Poll::Ready(Ended::Aborted)
            } else if hold != Hold::No && may_drop(hold) {
                Poll::Ready(Ended::Held)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

/// A driver whose task has gone on without it is to end at its next await point.
fn own(driver: DriverId, orders: Option<Orders>) -> Orders {
    let superseded = Orders { driver, command: Command::Abort, hold: Hold::No, probation: false };
    orders.filter(|orders| orders.driver == driver).unwrap_or(superseded)
}
