//! Publishing on an output port.

use crate::{Context, Event, Kind, SchedulerError, batch::EventHeader};

/// The number of events of a batch from which [`Publisher::is_full`] returns `true`.
const BATCH: usize = 256;

/// Publishes events on one output port, in batches.
///
/// [`push`](Self::push) adds to the open batch and costs a copy of the payload;
/// [`flush`](Self::flush) hands the batch to the host. Push many and flush once
/// where there is much to say, [`send`](Self::send) where each event matters by
/// itself.
#[derive(Debug)]
pub struct Publisher {
    context: Context,
    output: u32,
    source: u32,
    next_seq: u64,
    headers: Vec<EventHeader>,
    bytes: Vec<u8>,
}

impl Publisher {
    pub(crate) fn new(context: Context, output: u32) -> Self {
        let (source, next_seq) = (context.source(), context.next_seq(output));
        Self { context, output, source, next_seq, headers: Vec::new(), bytes: Vec::new() }
    }

    /// Adds an event to the open batch. Its number is one more than the last one's.
    ///
    /// # Panics
    /// If the open batch would pass 4 GiB, or if the event's `Serialize` fails.
    pub fn push<T: Event>(&mut self, time_ns: i64, event: &T) {
        self.push_with(time_ns, T::KIND, |payload| event.encode(payload));
    }

    /// Adds an event with a payload of bytes.
    ///
    /// # Panics
    /// If the open batch would pass 4 GiB.
    pub fn push_bytes(&mut self, time_ns: i64, kind: Kind, payload: &[u8]) {
        self.push_with(time_ns, kind, |bytes| bytes.extend_from_slice(payload));
    }

    fn push_with(&mut self, time_ns: i64, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        if self.headers.is_empty() {
            // Another build may have published on this port since: numbers belong to the port.
            self.next_seq = self.next_seq.max(self.context.next_seq(self.output));
        }
        let offset = u32::try_from(self.bytes.len()).expect("an open batch holds less than 4 GiB");
        write(&mut self.bytes);
        let end = u32::try_from(self.bytes.len()).expect("an open batch holds less than 4 GiB");
        self.headers.push(EventHeader {
            time_ns,
            seq: self.next_seq,
            source: self.source,
            kind: kind.code(),
            offset,
            // What is written is appended.
            len: end - offset,
        });
        self.next_seq = self.next_seq.saturating_add(1);
    }

    /// Returns the number of events in the open batch.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Returns `true` if the open batch is empty.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Returns `true` if the open batch is large enough to be flushed.
    pub fn is_full(&self) -> bool {
        self.headers.len() >= BATCH
    }

    /// Publishes the open batch; waits for room if the channel's policy is `block`.
    ///
    /// The host publishes a large batch in pieces, and each piece to one channel of the port after
    /// the other. If the future is dropped while it waits, the rest of the batch is dropped; the
    /// pieces that had room are published already.
    ///
    /// # Errors
    /// [`SchedulerError::EventSend`] if a channel is closed, or full under `reject`. The rest of
    /// the batch is dropped, and the pieces before it are published already. Also if the payload of
    /// an event is larger than [`limits::EVENT`](crate::limits::EVENT): nothing is published then.
    pub async fn flush(&mut self) -> Result<(), SchedulerError> {
        if self.headers.is_empty() {
            return Ok(());
        }
        let published = self.context.publish(self.output, &self.headers, &self.bytes);
        self.headers.clear();
        self.bytes.clear();
        match published?.into_option() {
            None => Ok(()),
            Some(wait) => wait.await.into_result().map_err(Into::into),
        }
    }

    /// Publishes one event now, after the events in the open batch.
    ///
    /// # Errors
    /// The same as those of [`flush`](Self::flush).
    pub async fn send<T: Event>(&mut self, time_ns: i64, event: &T) -> Result<(), SchedulerError> {
        self.push(time_ns, event);
        self.flush().await
    }

    /// Publishes one event with a payload of bytes now, after the events in the open batch.
    ///
    /// # Errors
    /// The same as those of [`flush`](Self::flush).
    pub async fn send_bytes(
        &mut self,
        time_ns: i64,
        kind: Kind,
        payload: &[u8],
    ) -> Result<(), SchedulerError> {
        self.push_bytes(time_ns, kind, payload);
        self.flush().await
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if !self.headers.is_empty() {
            tracing::warn!(
                events = self.len(),
                "a publisher was dropped before its last flush; these events are lost"
            );
        }
    }
}
