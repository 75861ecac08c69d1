//! Lines of files that are plain, packed, long, or cut.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use hotbay_line_source::{LineReader, OpenError, ReadError, Recording};
use proptest::prelude::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

fn reader(bytes: &[u8]) -> LineReader {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    LineReader::new(Recording::open(file.path()).unwrap())
}

/// All lines up to the end or the error.
fn lines(reader: &mut LineReader) -> (Vec<(u64, Vec<u8>)>, Option<ReadError>) {
    let mut lines = Vec::new();
    loop {
        match reader.peek() {
            Ok(Some(line)) => lines.push((line.number, line.bytes.to_vec())),
            Ok(None) => return (lines, None),
            Err(error) => return (lines, Some(error)),
        }
        reader.advance();
    }
}

#[test]
fn a_line_is_shown_until_it_is_left() {
    let mut reader = reader(b"one\r\ntwo");
    for _ in 0..3 {
        let line = reader.peek().unwrap().unwrap();
        assert_eq!((line.number, line.bytes), (1, b"one".as_slice()));
    }
    reader.advance();
    reader.advance();
    assert_eq!(reader.passed(), 1, "what was not shown can't be left");
    assert_eq!(reader.peek().unwrap().unwrap().bytes, b"two");
    reader.advance();
    assert_eq!(reader.peek().unwrap(), None);
    assert_eq!(reader.passed(), 2);
}

#[test]
fn a_line_longer_than_the_buffer_comes_whole() {
    let long = "x".repeat(300_000);
    let (lines, error) = lines(&mut reader(&gzip(format!("a\n{long}\nb\n").as_bytes())));
    assert!(error.is_none());
    assert_eq!(lines.iter().map(|(_, line)| line.len()).collect::<Vec<_>>(), [1, 300_000, 1]);
}

#[test]
fn packed_pieces_one_after_the_other_are_one_recording() {
    let bytes = [gzip(b"one\ntw"), gzip(b"o\nthree\n")].concat();
    let mut reader = reader(&bytes);
    let (lines, error) = lines(&mut reader);
    assert!(error.is_none());
    assert_eq!(lines, [(1, b"one".to_vec()), (2, b"two".to_vec()), (3, b"three".to_vec())]);
    let recording = reader.recording();
    assert_eq!(
        (recording.bytes_done(), recording.bytes_total()),
        (bytes.len() as u64, bytes.len() as u64)
    );
}

#[test]
fn a_file_without_any_line_end_is_refused_before_it_fills_the_memory() {
    let (lines, error) = lines(&mut reader(&gzip(&vec![b' '; 40 << 20])));
    assert!(lines.is_empty());
    assert!(matches!(error, Some(ReadError::LineTooLong { lines: 0, .. })), "{error:?}");
}

#[test]
fn the_rest_of_a_recording_can_be_had_as_one_text() {
    let mut reader = reader(b"one\ntwo\nthree\n");
    reader.peek().unwrap();
    reader.advance();
    reader.peek().unwrap();
    let mut text = Vec::new();
    reader.read_rest(&mut text).unwrap();
    assert_eq!(text, b"two\nthree\n");
    assert_eq!(reader.peek().unwrap(), None);
}

#[test]
fn a_folder_and_a_missing_file_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Recording::open(path).unwrap_err();
    assert!(matches!(open(folder.path()), OpenError::NotAFile { .. }));
    assert!(matches!(open(&folder.path().join("none")), OpenError::Missing { .. }));
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400)
}

proptest! {
    #[test]
    fn the_lines_are_those_between_the_line_ends(text in text(), packed in any::<bool>()) {
        // Two bytes of any text may look like gzip; then it is not this text.
        prop_assume!(packed || !text.starts_with(&[0x1f, 0x8b]));
        let mut expected: Vec<Vec<u8>> = text
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect();
        if text.last().is_none_or(|&byte| byte == b'\n') {
            expected.pop();
        }
        let (found, error) = lines(&mut reader(&if packed { gzip(&text) } else { text }));
        prop_assert!(error.is_none());
        let numbers: Vec<_> = found.iter().map(|(number, _)| *number).collect();
        prop_assert_eq!(numbers, (1..=expected.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(found.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_cut_never_gives_half_a_line(keep in any::<prop::sample::Index>()) {
        let text: String = (0..500).map(|number| format!("line {number:07}\n")).collect();
        let whole = gzip(text.as_bytes());
        let keep = 2 + keep.index(whole.len() - 2);
        let (found, error) = lines(&mut reader(&whole[..keep]));
        prop_assert!(matches!(&error, Some(ReadError::Truncated { lines, .. }) if *lines == found.len() as u64), "{error:?}");
        let whole = |(number, line): &(u64, Vec<u8>)| *line == format!("line {:07}", number - 1).into_bytes();
        prop_assert!(found.iter().all(whole));
    }
}
