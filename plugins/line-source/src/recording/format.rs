//! Recognizes files that are no text by their first bytes, so that an error can name them.

/// The first bytes of formats that can't be read, and what to call them.
const FORMATS: [(&[u8], &str); 27] = [
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"BZh", "bzip2 data"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"\x02\x21\x4c\x18", "lz4 data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"LZIP", "lzip data"),
    (b"\x5d\0\0", "lzma data"),
    (b"\x89LZO\0", "lzop data"),
    (b"\x1f\x9d", "data of `compress`"),
    (b"\xff\x06\0\0sNaPpY", "snappy data"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"Obj\x01", "an Avro file"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"\x7fELF", "a program or library"),
    (b"%PDF-", "a PDF document"),
    (b"\xff\xfe\0\0", "UTF-32 text"),
    (b"\0\0\xfe\xff", "UTF-32 text"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture"),
];

/// Where a tar archive has its mark, and the mark.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// Returns the format of a file with this start, if it is known and can't be read as text.
pub(super) fn unreadable(start: &[u8]) -> Option<&'static str> {
    if let Some((_, format)) = FORMATS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(format);
    }
    if start.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
        return Some("a tar archive");
    }
    match start {
        // Without a mark, the zeros beside ASCII letters show it.
        [first, 0, third, 0, ..] | [0, first, 0, third, ..] if *first > 0 && *third > 0 => {
            Some("UTF-16 text")
        }
        _ => None,
    }
}
