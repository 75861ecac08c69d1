//! Where an unfinished call stands.

/// What an unfinished call of a task waits for, as far as the bus knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// Something to receive: dropping the call loses nothing.
    Events,
    /// Room for what it publishes: dropping the call would lose it.
    Room,
    SomethingElse,
}
