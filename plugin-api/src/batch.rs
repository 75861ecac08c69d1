//! Batches, which hold many events in one allocation that the host owns.

use abi_stable::{
    StableAbi,
    std_types::{RArc, RVec},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Event, Kind};

/// The header of an event, which is stored beside its payload.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, StableAbi, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct EventHeader {
    /// The event's time in nanoseconds since 1970, UTC.
    pub time_ns: i64,
    /// The event's number in its source, from 0.
    pub seq: u64,
    /// The number that the host gave the publishing component, which is the event's source.
    pub source: u32,
    /// The [`Kind`], as its code.
    pub kind: u32,
    /// The offset of the payload in the batch's bytes.
    pub offset: u32,
    /// The length of the payload in bytes.
    pub len: u32,
}

/// Events that were published together, shared by all their readers.
///
/// A clone is a reference to the same events. The memory belongs to the host:
/// it stays valid however long a plugin keeps it.
#[derive(Clone, StableAbi)]
#[repr(transparent)]
pub struct Batch(RArc<Parts>);

// Public only because the derived ABI of `Batch` names it; the module is private.
#[doc(hidden)]
#[derive(StableAbi, Debug)]
#[repr(C)]
pub struct Parts {
    headers: RVec<EventHeader>,
    bytes: RVec<u8>,
}

impl Batch {
    /// Copies events into a new batch. For hosts; a plugin publishes through its
    /// [`Publisher`](crate::Publisher).
    pub fn copy_from(headers: &[EventHeader], bytes: &[u8]) -> Self {
        Self(RArc::new(Parts { headers: headers.to_vec().into(), bytes: bytes.to_vec().into() }))
    }

    /// Returns the number of events in the batch.
    pub fn len(&self) -> usize {
        self.0.headers.len()
    }

    /// Returns `true` if the batch has no events.
    pub fn is_empty(&self) -> bool {
        self.0.headers.is_empty()
    }

    /// Returns the number of bytes that the headers and payloads take.
    pub(crate) fn size(&self) -> usize {
        self.0.bytes.len() + self.0.headers.len() * size_of::<EventHeader>()
    }

    /// Returns the event at `index`, in the order of publishing.
    pub fn get(&self, index: usize) -> Option<EventRef<'_>> {
        self.0.headers.get(index).map(|header| EventRef { header, bytes: &self.0.bytes })
    }

    /// Returns the events in the order of publishing.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EventRef<'_>> + DoubleEndedIterator {
        let bytes = self.0.bytes.as_slice();
        self.0.headers.iter().map(move |header| EventRef { header, bytes })
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("events", &self.len())
            .field("bytes", &self.0.bytes.len())
            .finish()
    }
}

/// One event inside a batch.
#[derive(Debug, Clone, Copy)]
pub struct EventRef<'a> {
    header: &'a EventHeader,
    bytes: &'a [u8],
}

impl<'a> EventRef<'a> {
    /// Time, source and number of the event.
    pub fn header(&self) -> &'a EventHeader {
        self.header
    }

    /// Returns the event's time in nanoseconds since 1970, UTC.
    pub fn time_ns(&self) -> i64 {
        self.header.time_ns
    }

    /// Returns the kind of the payload.
    pub fn kind(&self) -> Kind {
        Kind::from_code(self.header.kind)
    }

    /// The payload's bytes; empty if the header is damaged.
    pub fn payload(&self) -> &'a [u8] {
        let start = self.header.offset as usize;
        self.bytes.get(start..start.saturating_add(self.header.len as usize)).unwrap_or_default()
    }

    /// The payload as a `T`, if it is of that kind and not damaged.
    pub fn read<T: Event>(&self) -> Option<T> {
        if self.kind() != T::KIND {
            return None;
        }
        T::decode(self.payload())
    }

    /// The payload as text, if it is of the kind [`Kind::TEXT`] and valid UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        if self.kind() != Kind::TEXT {
            return None;
        }
        std::str::from_utf8(self.payload()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_points_outside_the_batch_reads_as_empty() {
        let header = EventHeader {
            time_ns: 1,
            seq: 0,
            source: 0,
            kind: Kind::TEXT.code(),
            offset: 2,
            len: u32::MAX,
        };
        let batch = Batch::copy_from(&[header], b"abc");
        assert_eq!(batch.get(0).unwrap().payload(), b"");
    }
}
