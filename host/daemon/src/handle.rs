//! How a running host is steered and watched from outside of its loop.

use std::sync::Arc;

use hotbay_store::record::Replacement;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{HostError, Status};

/// How many events a slow receiver may be behind before it misses some.
const EVENTS: usize = 256;

/// What a host can be asked to do.
#[derive(Debug)]
pub(crate) enum HostCommand {
    /// Read the configuration again and look at the plugins folder.
    Reload,
    /// Stop in good order.
    Stop,
    /// Give the status of this moment.
    Status(oneshot::Sender<Arc<Status>>),
}

/// Something that happened in a host.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HostEvent {
    /// A build came into service that has no predecessor.
    Entered {
        /// The plugin.
        plugin: String,
        /// The number of the build in this host, from 1.
        generation: u64,
    },
    /// A replacement is over, however it ended.
    Replacement(Arc<Replacement>),
    /// A plugin went out of service.
    Retired {
        /// The plugin.
        plugin: String,
    },
    /// A configuration was taken over, or refused.
    Configuration {
        /// Whether it was taken over.
        accepted: bool,
    },
}

/// Steers and watches one host. Clones are handles to the same host.
///
/// A handle outlives its host: then commands have no effect, and the last status stays.
#[derive(Debug, Clone)]
pub struct HostHandle {
    commands: mpsc::UnboundedSender<HostCommand>,
    status: watch::Receiver<Option<Arc<Status>>>,
    events: broadcast::Sender<HostEvent>,
}

/// The host's ends of its handles.
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
        let events = broadcast::Sender::new(EVENTS);
        let handle = Self { commands, status, events: events.clone() };
        (handle, HostEndpoint { commands: received, status: publish, events })
    }

    /// Asks the host to read its configuration again and to look at its plugins folder: what
    /// SIGHUP does for the `hotbay` program. What changed takes effect soon after; what is
    /// wrong is logged, and the host goes on as before.
    pub fn reload(&self) {
        self.send(HostCommand::Reload);
    }

    /// Asks the host to stop in good order.
    pub fn stop(&self) {
        self.send(HostCommand::Stop);
    }

    /// Gives the status of this moment.
    ///
    /// # Errors
    /// If the host has not started to run, or has ended.
    pub async fn status(&self) -> Result<Arc<Status>, HostError> {
        let (answer, answered) = oneshot::channel();
        self.send(HostCommand::Status(answer));
        answered.await.map_err(|_| HostError::System("the host does not run".to_owned()))
    }

    /// The status as it was after the host's last turn, to await its changes. `None` until
    /// the host runs.
    pub fn watch_status(&self) -> watch::Receiver<Option<Arc<Status>>> {
        self.status.clone()
    }

    /// What happens in the host from now on.
    pub fn events(&self) -> broadcast::Receiver<HostEvent> {
        self.events.subscribe()
    }

    fn send(&self, command: HostCommand) {
        if self.commands.send(command).is_err() {
            tracing::debug!("a command came after the host's end");
        }
    }
}
