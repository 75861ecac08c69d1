//! Handles, with which a running host is controlled and observed from outside of its loop.

use std::sync::Arc;

use hotbay_store::record::Replacement;
use hotbay_tasks::{ControlError, TaskAnswer, TaskRequest};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{HostError, Status};

/// The number of events that a slow receiver may be behind before it misses some.
const EVENT_CAPACITY: usize = 256;

/// The commands that a handle sends to its host.
#[derive(Debug)]
pub(crate) enum HostCommand {
    /// Read the configuration again and check the plugins folder.
    Reload,
    /// Stop everything in order.
    Stop,
    /// Send the host's present status through the channel.
    Status(oneshot::Sender<Arc<Status>>),
    /// Do what is asked of the tasks, and send the answer through the channel.
    Tasks(TaskRequest, oneshot::Sender<Result<TaskAnswer, ControlError>>),
}

/// An event in the life of a host's plugins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HostEvent {
    /// A build without a predecessor came into service.
    Entered {
        /// The plugin's name.
        plugin: String,
        /// The number of the build in this host, from 1.
        generation: u64,
    },
    /// A replacement ended, successfully or not.
    Replacement(Arc<Replacement>),
    /// A plugin went out of service.
    Retired {
        /// The plugin's name.
        plugin: String,
    },
    /// A configuration was applied, or refused.
    Configuration {
        /// `true` if the configuration was applied, and `false` if it was refused.
        accepted: bool,
    },
}

/// Controls and observes one host. Clones are handles to the same host.
///
/// After the host has ended, commands have no effect and the last status stays.
#[derive(Debug, Clone)]
pub struct HostHandle {
    commands: mpsc::UnboundedSender<HostCommand>,
    status: watch::Receiver<Option<Arc<Status>>>,
    events: broadcast::Sender<HostEvent>,
}

/// The host's side of its handles.
#[derive(Debug)]
pub(crate) struct HostEndpoint {
    pub(crate) commands: mpsc::UnboundedReceiver<HostCommand>,
    pub(crate) status: watch::Sender<Option<Arc<Status>>>,
    pub(crate) events: broadcast::Sender<HostEvent>,
}

impl HostHandle {
    pub(crate) fn new() -> (Self, HostEndpoint) {
        let (commands, received) = mpsc::unbounded_channel();
        let (publish, status) = watch::channel(None);
        let events = broadcast::Sender::new(EVENT_CAPACITY);
        let handle = Self { commands, status, events: events.clone() };
        (handle, HostEndpoint { commands: received, status: publish, events })
    }

    /// Asks the host to read its configuration again and to check its plugins folder, as SIGHUP does
    /// for the `hotbay` program. Changes take effect soon after; problems are logged, and the host
    /// continues as before.
    pub fn reload(&self) {
        self.send(HostCommand::Reload);
    }

    /// Asks the host to stop everything in order.
    pub fn stop(&self) {
        self.send(HostCommand::Stop);
    }

    /// Returns the present status of the host.
    ///
    /// # Errors
    /// If the host has not started to run, or has ended.
    pub async fn status(&self) -> Result<Arc<Status>, HostError> {
        let (answer, answered) = oneshot::channel();
        self.send(HostCommand::Status(answer));
        answered.await.map_err(|_| HostError::System("the host is not running".to_owned()))
    }

    /// Steers the tasks of the host, or looks at them.
    ///
    /// # Errors
    /// If the request is refused, or the host has not started to run or has ended.
    pub async fn tasks(&self, request: TaskRequest) -> Result<TaskAnswer, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.send(HostCommand::Tasks(request, answer));
        answered.await.map_err(|_| ControlError::Stopping)?
    }

    /// Returns a receiver of the status after each turn of the host's loop. The status is `None`
    /// until the host runs.
    pub fn watch_status(&self) -> watch::Receiver<Option<Arc<Status>>> {
        self.status.clone()
    }

    /// Returns a receiver of the host's events from now on.
    pub fn events(&self) -> broadcast::Receiver<HostEvent> {
        self.events.subscribe()
    }

    fn send(&self, command: HostCommand) {
        if self.commands.send(command).is_err() {
            tracing::debug!("a command came after the host's end");
        }
    }
}
