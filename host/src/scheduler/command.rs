//! Orders to a driver.

use std::future::{Future, pending};

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

/// Tells one driver.
pub(super) struct Commander(watch::Sender<Command>);

/// A driver's ear.
pub(super) struct Commands(watch::Receiver<Command>);

impl Commander {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Command::Run))
    }

    /// Tells the driver, unless it was told more already.
    pub(super) fn tell(&self, command: Command) {
        self.0.send_if_modified(|told| {
            let more = *told < command;
            *told = command.max(*told);
            more
        });
    }

    pub(super) fn told(&self) -> Command {
        *self.0.borrow()
    }

    pub(super) fn listen(&self) -> Commands {
        Commands(self.0.subscribe())
    }
}

impl Commands {
    pub(super) fn told(&self) -> Command {
        *self.0.borrow()
    }

    /// The work's result, or `None` if the command came first and the work was dropped.
    pub(super) async fn unless<F: Future>(
        &mut self,
        command: Command,
        work: F,
    ) -> Option<F::Output> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.reach(command) => None,
        }
    }

    async fn reach(&mut self, command: Command) {
        if self.0.wait_for(|told| *told >= command).await.is_err() {
            // Nobody is left who could give a command.
            pending::<()>().await;
        }
    }
}
