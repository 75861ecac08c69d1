//! Orders to a driver.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::sync::watch;

/// What a driver is to do; it only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Command {
    Run,
    /// End after this turn, or after what is queued.
    Stop,
    /// End at the next await point.
    Abort,
}

/// Whether a driver is to step aside, with its place kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    No,
    /// After this event or turn; a turn that only waits for events is dropped.
    AtBoundary,
    /// Also at an await point of a turn, if it may be dropped there.
    AtAwait,
}

#[derive(Debug, Clone, Copy)]
struct Orders {
    command: Command,
    hold: Hold,
}

/// Tells one driver.
pub(super) struct Commander(watch::Sender<Orders>);

/// A driver's ear.
pub(super) struct Commands {
    orders: watch::Receiver<Orders>,
    /// Only awaited, never read: its last seen change is of no interest.
    changes: watch::Receiver<Orders>,
}

/// How a call ended that may be interrupted.
pub(super) enum Ended<T> {
    Done(T),
    Aborted,
    Held,
}

impl Commander {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Orders { command: Command::Run, hold: Hold::No }))
    }

    /// Tells the driver, unless it was told more already.
    pub(super) fn tell(&self, command: Command) {
        self.0.send_if_modified(|orders| {
            let more = orders.command < command;
            orders.command = command.max(orders.command);
            more
        });
    }

    pub(super) fn hold(&self, hold: Hold) {
        self.0.send_modify(|orders| orders.hold = hold);
    }

    pub(super) fn is_held(&self) -> bool {
        self.0.borrow().hold != Hold::No
    }

    /// For the next driver of a task that has ended.
    pub(super) fn reset(&self) {
        self.0.send_replace(Orders { command: Command::Run, hold: Hold::No });
    }

    pub(super) fn told(&self) -> Command {
        self.0.borrow().command
    }

    pub(super) fn listen(&self) -> Commands {
        Commands { orders: self.0.subscribe(), changes: self.0.subscribe() }
    }
}

impl Commands {
    pub(super) fn told(&self) -> Command {
        self.orders.borrow().command
    }

    pub(super) fn is_held(&self) -> bool {
        self.orders.borrow().hold != Hold::No
    }

    /// The work's result, or `None` if the command came first and the work was dropped.
    pub(super) async fn unless<F: Future>(
        &mut self,
        command: Command,
        work: F,
    ) -> Option<F::Output> {
        self.unless_told(|orders| orders.command >= command, work).await
    }

    /// The work's result, or `None` if there came an order to stop or to step aside.
    pub(super) async fn unless_called<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let called = |orders: &Orders| orders.command >= Command::Stop || orders.hold != Hold::No;
        self.unless_told(called, work).await
    }

    async fn unless_told<F: Future>(
        &mut self,
        told: impl FnMut(&Orders) -> bool,
        work: F,
    ) -> Option<F::Output> {
        tokio::select! {
            biased;
            done = work => Some(done),
            gone = async { self.orders.wait_for(told).await.is_err() } => {
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
        let Self { orders, changes } = self;
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
            let Orders { command, hold } = *orders.borrow();
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
