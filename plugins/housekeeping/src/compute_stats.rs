//! The task `compute_stats`, which computes the sizes, counts and ages of files.

use std::{
    ffi::OsStr,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use hotbay_plugin_api::prelude::*;
use serde::Deserialize;

use crate::{
    check_cancelled,
    folder::{Folder, FolderError, Kind},
    output,
    problems::Problems,
    settings::Folders,
    stats::{FolderStats, Stats},
};

/// The settings of `compute_stats`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The folders whose files are counted, at any depth. None of them may be a symbolic link, and
    /// links in them are not followed.
    folders: Folders,
    /// The file for the statistics, as JSON, which `export_report` reads.
    stats: PathBuf,
}

/// Computes the statistics of the folders, which are the run's result and are written to a file.
///
/// What can't be read fails the run, after all else was counted. The file has what was counted.
pub(crate) fn compute_stats(context: Context) -> Result<Stats, SchedulerError> {
    let Settings { folders, stats: file } = context.config()?;
    let now_ns = context.now_ns();
    let mut problems = Problems::default();
    let mut stats = Stats { computed_at: rfc3339(now_ns), folders: Vec::new() };
    for path in &folders.0 {
        let mut counting = Counting::new(path.display().to_string(), now_ns, &context);
        if let Some(folder) = problems.noted(Folder::open(path)) {
            counting.count(&folder, &mut problems)?;
        }
        stats.folders.push(counting.done());
    }
    let sum = |number: fn(&FolderStats) -> u64| {
        stats.folders.iter().map(number).fold(0, u64::saturating_add)
    };
    #[expect(clippy::cast_precision_loss, reason = "a gauge is for people")]
    for (name, value) in [("files", sum(|it| it.files)), ("bytes", sum(|it| it.bytes))] {
        context.gauge(name).set(value as f64);
    }
    let json = serde_json::to_vec_pretty(&stats).map_err(SchedulerError::execution)?;
    output::replace(&file, &json, |there| serde_json::from_slice::<Stats>(there).is_ok())?;
    problems.result(stats)
}

struct Counting<'a> {
    stats: FolderStats,
    context: &'a Context,
    now_ns: i64,
    /// When the oldest and the newest file were modified.
    span_ns: Option<(i64, i64)>,
}

impl<'a> Counting<'a> {
    fn new(path: String, now_ns: i64, context: &'a Context) -> Self {
        Self { stats: FolderStats::new(path), context, now_ns, span_ns: None }
    }

    /// Counts what is in a folder.
    ///
    /// # Errors
    /// If the run was asked to stop. Other problems are noted.
    fn count(&mut self, folder: &Folder, problems: &mut Problems) -> Result<(), SchedulerError> {
        for name in problems.noted(folder.names()).into_iter().flatten() {
            check_cancelled(self.context)?;
            if let Some(inner) = problems.noted(self.count_entry(folder, &name)).flatten() {
                self.count(&inner, problems)?;
            }
        }
        Ok(())
    }

    /// Counts an entry. Returns the folder if it is one to go into.
    fn count_entry(
        &mut self,
        folder: &Folder,
        name: &OsStr,
    ) -> Result<Option<Folder>, FolderError> {
        let Some(entry) = folder.entry(name)? else { return Ok(None) };
        match entry.kind {
            Kind::Folder => {
                self.stats.folders += 1;
                return folder.folder(name);
            }
            Kind::Link | Kind::Special => self.stats.others += 1,
            Kind::File => {
                let age = self.now_ns.saturating_sub(entry.modified_ns).max(0).unsigned_abs();
                let path = || folder.path_of(name).display().to_string();
                self.stats.count(entry.bytes, age / 1_000_000_000, path);
                let (oldest, newest) =
                    self.span_ns.unwrap_or((entry.modified_ns, entry.modified_ns));
                let at = entry.modified_ns;
                self.span_ns = Some((oldest.min(at), newest.max(at)));
            }
        }
        Ok(None)
    }

    fn done(self) -> FolderStats {
        let (oldest, newest) = self.span_ns.unzip();
        let (oldest, newest) = (oldest.map(rfc3339), newest.map(rfc3339));
        FolderStats { oldest, newest, ..self.stats }
    }
}

/// Returns a time in the form of RFC 3339, to the second. A time before 1970 becomes 1970.
fn rfc3339(ns: i64) -> String {
    let since = Duration::from_nanos(u64::try_from(ns).unwrap_or(0));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use hotbay_plugin_api::testing::TestHost;
    use serde_json::json;

    use super::*;

    fn host(root: &Path) -> TestHost {
        let config = json!({ "folders": [root.join("data")], "stats": root.join("stats.json") });
        TestHost::new().with_config(config)
    }

    #[test]
    fn files_are_counted_by_age_and_size_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("data/inner")).unwrap();
        for (name, bytes, second) in [("a", 10, 1_000), ("inner/b", 5_000, 90_000)] {
            let path = root.path().join("data").join(name);
            fs::write(&path, vec![0; bytes]).unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        }
        symlink(root.path(), root.path().join("data/link")).unwrap();
        let host = host(root.path());
        host.advance(Duration::from_secs(93_000));
        let stats = compute_stats(host.context()).unwrap();
        let [folder] = &stats.folders[..] else { panic!("{stats:?}") };
        assert_eq!((folder.files, folder.bytes, folder.folders, folder.others), (2, 5_010, 1, 1));
        assert_eq!((folder.ages[0].files, folder.ages[2].files), (1, 1));
        assert_eq!(folder.oldest.as_deref(), Some("1970-01-01T00:16:40Z"));
        assert_eq!(folder.newest.as_deref(), Some("1970-01-02T01:00:00Z"));
        assert!(folder.largest[0].path.ends_with("data/inner/b"));
        assert_eq!((host.gauge("files"), host.gauge("bytes")), (Some(2.0), Some(5_010.0)));
        // The next run replaces what this one has written.
        let written = fs::read(root.path().join("stats.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Stats>(&written).unwrap(), stats);
        drop(compute_stats(host.context()).unwrap());
    }

    #[test]
    fn a_file_of_somebody_else_is_not_overwritten() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("data")).unwrap();
        let file = root.path().join("stats.json");
        fs::write(&file, "{\"precious\": 1}").unwrap();
        let error = compute_stats(host(root.path()).context()).unwrap_err().to_string();
        assert!(error.contains("was not written by this task"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "{\"precious\": 1}");
    }

    #[test]
    fn a_run_that_is_cancelled_ends() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("data/a")).unwrap();
        let host = host(root.path());
        host.cancel();
        assert!(compute_stats(host.context()).unwrap_err().to_string().contains("cancelled"));
    }
}
