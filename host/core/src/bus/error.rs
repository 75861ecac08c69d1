//! Why a receiver has nothing to give.

/// Why [`EventReceiver::try_recv`](super::EventReceiver::try_recv) returned no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// No payload is queued at the moment, but the channel has not ended.
    #[error("nothing is queued")]
    Empty,
    /// The channel is closed and everything was received.
    #[error("the channel has ended")]
    Ended,
}
