//! Lines of files that are plain, packed, long, or cut, and files that are none.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use hotbay_line_source::{
    Damage, LineReader, OpenError, ReadError, Recording, Unknown, check_usable, excerpt,
};
use proptest::prelude::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).unwrap();
    zstd.include_checksum(true).unwrap();
    zstd.write_all(text).unwrap();
    zstd.finish().unwrap()
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
fn zeros_between_packed_pieces_and_at_the_end_are_skipped_and_other_bytes_are_not() {
    let zeros = vec![0; 100_000];
    let padded = [gzip(b"one\n"), zeros.clone(), gzip(b"two\n"), zeros].concat();
    let (found, error) = lines(&mut reader(&padded));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found, [(1, b"one".to_vec()), (2, b"two".to_vec())]);
    let (found, error) = lines(&mut reader(&[gzip(b"one\n"), b"rest".to_vec()].concat()));
    assert_eq!(found.len(), 1);
    assert!(matches!(error, Some(ReadError::Corrupt { lines: 1, .. })), "{error:?}");
}

#[test]
fn zstd_is_read_and_its_damage_is_told() {
    let text: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    let (one, two) = text.as_bytes().split_at(70_001);
    let packed = [one, two].map(zstd).concat();
    let mut whole = reader(&packed);
    let (found, error) = lines(&mut whole);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found.len(), 20_000);
    assert_eq!(whole.recording().bytes_done(), packed.len() as u64);

    let (_, error) = lines(&mut reader(&packed[..packed.len() - 10]));
    let error = error.unwrap();
    assert!(matches!(error, ReadError::Truncated { .. }), "{error:?}");
    assert!(error.to_string().contains("`zstd -t`"), "{error}");
    let mut damaged = packed;
    damaged[2_000..2_100].fill(0xff);
    let (_, error) = lines(&mut reader(&damaged));
    assert!(matches!(error, Some(ReadError::Corrupt { .. })), "{error:?}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let marked = b"\xef\xbb\xbfone\ntwo";
    for bytes in [marked.to_vec(), gzip(marked), zstd(marked)] {
        let (found, _) = lines(&mut reader(&bytes));
        assert_eq!(found, [(1, b"one".to_vec()), (2, b"two".to_vec())]);
    }
    assert_eq!(lines(&mut reader(b"\xef\xbb\xbf")).0, []);
}

#[test]
fn a_file_that_is_no_text_is_named_by_its_format() {
    let utf16: Vec<u8> = "17 {}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<u8> = "17 {}\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, name) in [
        (b"PK\x03\x04rest".to_vec(), "is a zip archive;"),
        (b"\xfd7zXZ\0\0".to_vec(), "is xz data;"),
        (b"BZh91AY".to_vec(), "is bzip2 data;"),
        (b"\x04\x22\x4d\x18".to_vec(), "is lz4 data;"),
        ([b"\xff\xfe", utf16.as_slice()].concat(), "is UTF-16 text;"),
        (utf16, "is UTF-16 text;"),
        (utf16_be, "is UTF-16 text;"),
        (tar.clone(), "is a tar archive;"),
        (gzip(&tar), "is a tar archive inside of its gzip;"),
        (gzip(&gzip(b"one")), "is gzip data inside of its gzip;"),
        (zstd(&gzip(b"one")), "is gzip data inside of its zstd;"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let error = Recording::open(file.path()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("unpack or convert it"), "{name}: {error}");
    }
}

#[test]
fn a_recording_without_anything_of_use_is_told_from_one_with_something() {
    let path = Path::new("x.txt");
    let (mut damage, mut unknown) = (Damage::default(), Unknown::default());
    let check = |lines, damage: &Damage, unknown: &Unknown| {
        check_usable(path, lines, damage, unknown).map_err(|error| error.to_string())
    };
    assert!(check(0, &damage, &unknown).unwrap_err().contains("x.txt is empty"));
    damage.note("x", 1, &"what\u{1b}[2J is this");
    unknown.note("x", 2, "aggTrade");
    assert_eq!(check(3, &damage, &unknown), Ok(()));
    let error = check(2, &damage, &unknown).unwrap_err();
    assert!(error.contains(r"line 1: what\u{1b}[2J is this; unknown kinds: aggTrade 1"), "{error}");
}

#[test]
fn foreign_text_is_shown_escaped_and_cut() {
    assert_eq!(excerpt("a\n\u{202e}b\"'"), r#"a\n\u{202e}b"'"#);
    let long = excerpt(&"ü".repeat(300));
    assert_eq!(long, format!("{}…", "ü".repeat(200)));
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
    let text = prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400);
    // Bytes of any kind may look like another format; this start does not.
    text.prop_map(|text| [b"x?", text.as_slice()].concat())
}

proptest! {
    #[test]
    fn the_lines_are_those_between_the_line_ends(text in text(), packed in any::<bool>()) {
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
