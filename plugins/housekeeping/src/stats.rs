//! The statistics that `compute_stats` writes and `export_report` reads.

use serde::{Deserialize, Serialize};

use crate::histogram::{AGES, Bucket, SIZES, count, empty};

/// How many of the largest files are named.
const LARGEST: usize = 10;

/// The statistics of all folders of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stats {
    /// When they were computed, as RFC 3339 has it.
    pub(crate) computed_at: String,
    pub(crate) folders: Vec<FolderStats>,
}

/// The statistics of one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderStats {
    pub(crate) path: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) folders: u64,
    /// The number of links, sockets, pipes and devices.
    pub(crate) others: u64,
    /// When the file was modified that was not modified for longest, as RFC 3339 has it.
    pub(crate) oldest: Option<String>,
    /// When the file was modified that was modified last.
    pub(crate) newest: Option<String>,
    pub(crate) ages: Vec<Bucket>,
    pub(crate) sizes: Vec<Bucket>,
    /// The largest files, the largest first.
    pub(crate) largest: Vec<LargeFile>,
}

/// One of the largest files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LargeFile {
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

impl FolderStats {
    pub(crate) fn new(path: String) -> Self {
        Self {
            path,
            files: 0,
            bytes: 0,
            folders: 0,
            others: 0,
            oldest: None,
            newest: None,
            ages: empty(AGES),
            sizes: empty(SIZES),
            largest: Vec::new(),
        }
    }

    /// Counts a file of this size and age.
    pub(crate) fn count(&mut self, bytes: u64, age_seconds: u64, path: impl FnOnce() -> String) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        count(&mut self.ages, AGES, age_seconds, bytes);
        count(&mut self.sizes, SIZES, bytes, bytes);
        let place = self.largest.partition_point(|file| file.bytes >= bytes);
        if place < LARGEST {
            self.largest.insert(place, LargeFile { path: path(), bytes });
            self.largest.truncate(LARGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_in_one_bucket_of_each_kind_and_the_largest_come_first() {
        let mut stats = FolderStats::new("a".to_owned());
        let ages = [0, 3_599, 3_600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400, u64::MAX];
        for (number, age) in (0u64..).zip(ages) {
            stats.count(number * 4_096, age, || number.to_string());
        }
        let files = |buckets: &[Bucket]| buckets.iter().map(|it| it.files).collect::<Vec<_>>();
        assert_eq!(files(&stats.ages), [2, 1, 1, 1, 1, 2]);
        assert_eq!(files(&stats.sizes), [1, 0, 7, 0, 0]);
        assert_eq!((stats.files, stats.bytes), (8, 28 * 4_096));
        (8..20u64).for_each(|number| stats.count(number * 4_096, 0, || number.to_string()));
        let largest: Vec<_> = stats.largest.iter().map(|file| &*file.path).collect();
        assert_eq!(largest, ["19", "18", "17", "16", "15", "14", "13", "12", "11", "10"]);
    }
}
