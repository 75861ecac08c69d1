//! Splitting published events into batches that fit into a channel.

use hotbay_plugin_api::{Batch, EventHeader};

/// Copies events into batches of at most `capacity` events each, in order.
///
/// A header whose payload lies outside of `bytes` gets an empty payload.
pub(crate) fn batches<'a>(
    headers: &'a [EventHeader],
    bytes: &'a [u8],
    capacity: usize,
) -> impl Iterator<Item = Batch> + 'a {
    headers.chunks(capacity).map(move |chunk| {
        if chunk.len() == headers.len() {
            return Batch::copy_from(chunk, bytes);
        }
        let payload = |header: &EventHeader| {
            let start = header.offset as usize;
            bytes.get(start..start.saturating_add(header.len as usize)).unwrap_or_default()
        };
        let mut payloads = Vec::new();
        let rebase = |header: &EventHeader| {
            let payload = payload(header);
            // Offsets and lengths only shrink here, so they fit into 32 bits as before.
            let offset = u32::try_from(payloads.len()).unwrap_or(u32::MAX);
            payloads.extend_from_slice(payload);
            EventHeader { offset, len: u32::try_from(payload.len()).unwrap_or(0), ..*header }
        };
        let headers: Vec<EventHeader> = chunk.iter().map(rebase).collect();
        Batch::copy_from(&headers, &payloads)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(offset: u32, len: u32) -> EventHeader {
        EventHeader { time_ns: 0, seq: 0, source: 0, kind: 0, offset, len }
    }

    #[test]
    fn what_does_not_fit_into_a_channel_at_once_is_split_in_order() {
        let headers = [header(0, 1), header(1, 2), header(3, 1)];
        let split: Vec<_> = batches(&headers, b"abcd", 2).collect();
        let payloads =
            |batch: &Batch| batch.iter().map(|it| it.payload().to_vec()).collect::<Vec<_>>();
        assert_eq!(payloads(&split[0]), [b"a".to_vec(), b"bc".to_vec()]);
        assert_eq!(payloads(&split[1]), [b"d".to_vec()]);
        assert_eq!(split.len(), 2);
    }

    #[test]
    fn a_header_that_points_outside_loses_its_payload_only() {
        let headers = [header(9, 9), header(0, 1), header(1, 1)];
        let split: Vec<_> = batches(&headers, b"ab", 2).collect();
        assert_eq!(split[0].get(0).unwrap().payload(), b"");
        assert_eq!(split[0].get(1).unwrap().payload(), b"a");
    }
}
