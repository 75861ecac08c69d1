//! Counts of files by a number that each of them has: an age or a size.

use serde::{Deserialize, Serialize};

/// The files whose number is below a bound, and not below the bound before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bucket {
    pub(crate) label: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// The label of a bucket, and the number below which files belong to it.
pub(crate) type Bound = (&'static str, u64);

/// The bounds of the ages by which files are counted, in seconds.
pub(crate) const AGES: &[Bound] = &[
    ("under 1 hour", 3_600),
    ("under 1 day", 86_400),
    ("under 1 week", 7 * 86_400),
    ("under 30 days", 30 * 86_400),
    ("under 1 year", 365 * 86_400),
    ("1 year or more", u64::MAX),
];

/// The bounds of the sizes by which files are counted, in bytes.
pub(crate) const SIZES: &[Bound] = &[
    ("empty", 1),
    ("under 4 KiB", 4 << 10),
    ("under 1 MiB", 1 << 20),
    ("under 1 GiB", 1 << 30),
    ("1 GiB or more", u64::MAX),
];

/// Returns buckets without any files.
pub(crate) fn empty(bounds: &[Bound]) -> Vec<Bucket> {
    let bucket = |(label, _): &Bound| Bucket { label: (*label).to_owned(), files: 0, bytes: 0 };
    bounds.iter().map(bucket).collect()
}

/// Counts a file with this number, in buckets with these bounds.
pub(crate) fn count(buckets: &mut [Bucket], bounds: &[Bound], number: u64, bytes: u64) {
    let found = bounds.iter().position(|(_, below)| number < *below);
    // The last bound is that of all others.
    let place = found.unwrap_or(bounds.len().saturating_sub(1));
    if let Some(bucket) = buckets.get_mut(place) {
        bucket.files += 1;
        bucket.bytes = bucket.bytes.saturating_add(bytes);
    }
}
