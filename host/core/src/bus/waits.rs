//! What an unfinished call of a task waits for.

/// What an unfinished call of a task waits for, as far as the bus knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// The call waits for something to receive: dropping it loses nothing.
    Events,
    /// The call waits for room for what it publishes: dropping it would lose that.
    Room,
    /// The call waits for something that the bus does not know.
    SomethingElse,
}
