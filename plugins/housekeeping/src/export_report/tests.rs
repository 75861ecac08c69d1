use std::{fs, path::Path};

use hotbay_plugin_api::testing::TestHost;
use serde_json::json;

use super::*;
use crate::stats::FolderStats;

fn stats(path: &str) -> Stats {
    let mut folder = FolderStats::new("/data".to_owned());
    folder.count(2_048, 0, || path.to_owned());
    Stats { computed_at: "2026-11-27T02:00:00Z".to_owned(), folders: vec![folder] }
}

fn export(root: &Path, [stats, html, csv]: [&str; 3]) -> Result<Exported, SchedulerError> {
    let (stats, html, csv) = (root.join(stats), root.join(html), root.join(csv));
    let config = json!({ "stats": stats, "html": html, "csv": csv });
    export_report(TestHost::new().with_config(config).context())
}

#[test]
fn names_of_files_are_escaped_in_both_forms() {
    let root = tempfile::tempdir().unwrap();
    let name = "/data/<script>alert(1)</script>, \"quoted\"\nand & more";
    let json = serde_json::to_vec(&stats(name)).unwrap();
    fs::write(root.path().join("stats.json"), json).unwrap();
    let files = ["stats.json", "report.html", "report.csv"];
    assert_eq!(export(root.path(), files).unwrap(), Exported { folders: 1, files: 1 });

    let page = fs::read_to_string(root.path().join("report.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("and &amp; more") && !page.contains("<script"), "{page}");
    let mut table = csv::Reader::from_path(root.path().join("report.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let largest = rows.last().unwrap();
    assert_eq!((&largest[2], &largest[3], &largest[5]), ("largest", name, "2048"));
    // The report is replaced by the next one.
    export(root.path(), files).unwrap();
}

#[test]
fn a_spreadsheet_finds_no_formula_in_a_name() {
    let (_, table) = table(&stats("=HYPERLINK(\"http://evil\")")).unwrap();
    let table = String::from_utf8(table).unwrap();
    assert!(table.contains("largest,\"'=HYPERLINK("), "{table}");
}

#[test]
fn an_input_is_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let json = serde_json::to_vec(&stats("/data/a")).unwrap();
    fs::write(root.path().join("stats.json"), &json).unwrap();
    fs::write(root.path().join("letter.html"), "<!DOCTYPE html><p>Dear all").unwrap();
    std::os::unix::fs::symlink("stats.json", root.path().join("link")).unwrap();
    fs::hard_link(root.path().join("stats.json"), root.path().join("same")).unwrap();
    for wrong in ["stats.json", "letter.html", "link", "same", "."] {
        for files in [["stats.json", wrong, "r.csv"], ["stats.json", "r.html", wrong]] {
            let error = export(root.path(), files).unwrap_err().to_string();
            assert!(error.contains("was not written by this task"), "{files:?}: {error}");
        }
    }
    let one_file_for_both = export(root.path(), ["stats.json", "both", "both"]).unwrap_err();
    assert!(one_file_for_both.to_string().contains("was not written by this task"));
    assert_eq!(fs::read(root.path().join("stats.json")).unwrap(), json);
    let left = fs::read_dir(root.path())
        .unwrap()
        .filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().starts_with(".hotbay"));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_file_without_statistics_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("stats.json"), "{}").unwrap();
    let error = export(root.path(), ["stats.json", "r.html", "r.csv"]).unwrap_err().to_string();
    assert!(error.contains("stats.json has no statistics of `compute_stats`"), "{error}");
}

#[test]
fn a_pipe_or_a_device_in_the_place_of_the_statistics_is_refused_and_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let pipe = root.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    for stats in ["pipe", "/dev/zero"] {
        let error = export(root.path(), [stats, "r.html", "r.csv"]).unwrap_err().to_string();
        assert!(error.contains(stats) && error.contains("not a regular file"), "{error}");
    }
}
