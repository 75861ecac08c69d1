//! The services that the host shares among all plugins: the bus, the clock, and the board with
//! what components report.

mod clock;
mod descriptors;

use std::sync::Arc;

use hotbay_plugin_api::{Batch, ChannelName, Mode};

use hotbay_core::bus::EventBus;

pub use clock::{Clock, SystemClock};
pub use descriptors::Descriptors;

use crate::Board;

/// The services that all plugins share. Clones are cheap and share everything.
#[derive(Debug, Clone)]
pub struct Services {
    /// The channels between components.
    pub bus: EventBus<ChannelName, Batch>,
    /// The clock that plugins see.
    pub clock: Arc<dyn Clock>,
    /// Live operation, or a replay whose time comes from a recording.
    pub mode: Mode,
    /// The board with what components report.
    pub board: Arc<Board>,
    /// The descriptors that components keep over the change of their builds.
    pub descriptors: Descriptors,
}

impl Services {
    /// Makes services with the system's clock, in live mode, with an empty board.
    pub fn new(bus: EventBus<ChannelName, Batch>) -> Self {
        Self {
            bus,
            clock: Arc::new(SystemClock::new()),
            mode: Mode::Live,
            board: Arc::default(),
            descriptors: Descriptors::default(),
        }
    }

    /// Returns the same services in another mode.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}
