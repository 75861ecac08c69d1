//! The task `export_report`, which writes the statistics of `compute_stats` for people and programs.

mod html;

use std::path::PathBuf;

use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{output, stats::Stats};

/// The settings of `export_report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The file with the statistics, which `compute_stats` writes.
    stats: PathBuf,
    /// The file for the report as an HTML page. Only an earlier report is replaced.
    html: PathBuf,
    /// The file for the report as a CSV table. Only an earlier report is replaced.
    csv: PathBuf,
}

/// The result of `export_report`.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Exported {
    folders: usize,
    files: u64,
}

/// Writes the report of the statistics.
pub(crate) fn export_report(context: Context) -> Result<Exported, SchedulerError> {
    let settings: Settings = context.config()?;
    let bytes = output::read(&settings.stats)?;
    let stats: Stats = serde_json::from_slice(&bytes).map_err(|error| {
        SchedulerError::TaskExecution(format!(
            "{} has no statistics of `compute_stats`: {error}",
            settings.stats.display()
        ))
    })?;
    let page = html::page(&stats);
    output::replace(&settings.html, page.as_bytes(), |it| it.starts_with(html::START.as_bytes()))?;
    let (header, table) = table(&stats).map_err(SchedulerError::execution)?;
    output::replace(&settings.csv, &table, |it| it.starts_with(&header))?;
    let files = stats.folders.iter().map(|folder| folder.files).sum();
    Ok(Exported { folders: stats.folders.len(), files })
}

/// The columns of the CSV table.
const COLUMNS: [&str; 8] =
    ["computed_at", "folder", "measure", "of", "files", "bytes", "oldest", "newest"];

/// Returns the header of the CSV table, and the table, in which each line is one measure of a
/// folder.
fn table(stats: &Stats) -> Result<(Vec<u8>, Vec<u8>), csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    table.flush()?;
    let header = table.get_ref().clone();
    for folder in &stats.folders {
        let path = text(&folder.path);
        let mut row = |measure: &str, of: &str, files: u64, bytes: u64, span: [&str; 2]| {
            let (files, bytes) = (files.to_string(), bytes.to_string());
            let [oldest, newest] = span;
            table.write_record([
                &*stats.computed_at,
                &path,
                measure,
                of,
                &files,
                &bytes,
                oldest,
                newest,
            ])
        };
        let span = [&folder.oldest, &folder.newest].map(|it| it.as_deref().unwrap_or_default());
        row("all", "", folder.files, folder.bytes, span)?;
        for (measure, buckets) in [("age", &folder.ages), ("size", &folder.sizes)] {
            for bucket in buckets {
                row(measure, &bucket.label, bucket.files, bucket.bytes, ["", ""])?;
            }
        }
        for file in &folder.largest {
            row("largest", &text(&file.path), 1, file.bytes, ["", ""])?;
        }
    }
    let table = table.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok((header, table))
}

/// Returns a text that a spreadsheet does not take for a formula.
fn text(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
