//! Order book updates and snapshots, with any number of levels.

use hotbay_plugin_api::{Event, EventRef, JsonSchema, Kind};
use serde::Serialize;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Fixed, Instrument};

/// One price level of a book; quantity zero removes it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Serialize,
    JsonSchema,
)]
#[repr(C)]
pub struct Level {
    /// The price of the level.
    pub price: Fixed,
    /// The quantity that now stands at the price.
    pub quantity: Fixed,
}

/// The fixed part of a depth event; the levels follow it in the payload.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Serialize,
    JsonSchema,
)]
#[repr(C)]
pub struct DepthHeader {
    /// The instrument whose book this is.
    pub instrument: Instrument,
    /// The first update number in this event; for a snapshot, its last.
    pub first_update: u64,
    /// The last update number in this event.
    pub last_update: u64,
    /// The last number of the event before, where the venue gives it (futures), else 0.
    pub previous_update: u64,
    /// How many of the levels are bids; they stand before the asks.
    pub bids: u64,
}

/// A change of the book, or a whole book, with its levels.
#[derive(Debug, Clone, Copy)]
pub struct Depth<'a> {
    /// The header, which names the instrument and the updates.
    pub header: DepthHeader,
    /// The bids, as the bytes of their [`Level`]s.
    pub bids: &'a [u8],
    /// The asks, as the bytes of their [`Level`]s.
    pub asks: &'a [u8],
}

impl<'a> Depth<'a> {
    /// The kind of a change to the book.
    pub const UPDATE: Kind = DepthUpdate::KIND;
    /// The kind of a whole book.
    pub const SNAPSHOT: Kind = DepthSnapshot::KIND;

    /// Reads a depth event; returns `None` for another kind or a damaged payload.
    pub fn read(event: &EventRef<'a>) -> Option<Self> {
        if event.kind() != Self::UPDATE && event.kind() != Self::SNAPSHOT {
            return None;
        }
        Self::from_payload(event.payload())
    }

    fn from_payload(payload: &'a [u8]) -> Option<Self> {
        let (header, levels) = DepthHeader::read_from_prefix(payload).ok()?;
        let split = usize::try_from(header.bids).ok()?.checked_mul(size_of::<Level>())?;
        let (bids, asks) = levels.split_at_checked(split)?;
        (asks.len() % size_of::<Level>() == 0).then_some(Self { header, bids, asks })
    }

    /// Writes the payload of a depth event into `buffer`, replacing what it held.
    pub fn write(buffer: &mut Vec<u8>, header: DepthHeader, bids: &[Level], asks: &[Level]) {
        buffer.clear();
        let header = DepthHeader { bids: bids.len() as u64, ..header };
        buffer.extend_from_slice(header.as_bytes());
        buffer.extend_from_slice(bids.as_bytes());
        buffer.extend_from_slice(asks.as_bytes());
    }

    /// Returns the levels of one side, given as [`Depth::bids`] or [`Depth::asks`].
    pub fn levels(side: &'a [u8]) -> impl Iterator<Item = Level> + 'a {
        side.chunks_exact(size_of::<Level>()).filter_map(|level| Level::read_from_bytes(level).ok())
    }
}

/// A depth event with its levels in memory: what the ports of a plugin name as the type
/// of such events. Who reads many uses [`Depth`], which copies nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Book {
    header: DepthHeader,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

macro_rules! book {
    ($(#[$doc:meta])* $name:ident = $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Book);

        impl Event for $name {
            const NAME: &'static str = $text;
            const VERSION: u32 = 2;

            fn encode(&self, payload: &mut Vec<u8>) {
                let Book { header, bids, asks } = &self.0;
                let mut buffer = Vec::new();
                Depth::write(&mut buffer, *header, bids, asks);
                payload.append(&mut buffer);
            }

            fn decode(payload: &[u8]) -> Option<Self> {
                let Depth { header, bids, asks } = Depth::from_payload(payload)?;
                let levels = |side| Depth::levels(side).collect();
                Some(Self(Book { header, bids: levels(bids), asks: levels(asks) }))
            }
        }
    };
}

book! {
    /// The type of events that change a book.
    DepthUpdate = "hotbay.market/depth-update"
}
book! {
    /// The type of events that replace a whole book.
    DepthSnapshot = "hotbay.market/depth-snapshot"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depth_event_is_described_by_what_it_holds() {
        let header = DepthHeader {
            instrument: Instrument::new("BTCUSDT").unwrap(),
            first_update: 1,
            last_update: 2,
            previous_update: 0,
            bids: 1,
        };
        let level = |price| Level { price: Fixed::new(price, 0), quantity: Fixed::new(1, 0) };
        let mut payload = Vec::new();
        Depth::write(&mut payload, header, &[level(9)], &[level(10), level(11)]);
        let update = DepthUpdate::decode(&payload).unwrap();
        let json = serde_json::to_value(&update).unwrap();
        assert_eq!(json["bids"].as_array().unwrap().len(), 1);
        assert_eq!(json["asks"][1]["price"], "11");
        let mut again = Vec::new();
        update.encode(&mut again);
        assert_eq!(again, payload);
        assert_eq!(Depth::UPDATE, Kind::of("hotbay.market/depth-update/2"));
    }
}
