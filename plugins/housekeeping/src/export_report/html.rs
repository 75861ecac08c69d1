//! The report as an HTML page, which loads nothing from elsewhere.

use std::fmt::Display;

use crate::{
    histogram::Bucket,
    stats::{FolderStats, Stats},
};

/// The beginning of each report, by which the task knows its own.
pub(super) const START: &str = "<!DOCTYPE html><!-- a report of hotbay's housekeeping -->";

const HEAD: &str = "
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Files</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
body { color: #222; background: #fff }
table { border-collapse: collapse; margin: 0 0 1.5rem }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top }
h2, td { overflow-wrap: anywhere }
meter { width: 10rem }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } }
</style>
</head>
<body>
<h1>Files</h1>
";

/// A page in the making.
///
/// What is not written in this program can only be added as [`text`](Self::text), which is escaped.
#[derive(Debug, Default)]
struct Html(String);

impl Html {
    fn tags(&mut self, tags: &'static str) -> &mut Self {
        self.0.push_str(tags);
        self
    }

    fn text(&mut self, text: impl Display) -> &mut Self {
        html_escape::encode_double_quoted_attribute_to_string(text.to_string(), &mut self.0);
        self
    }
}

/// Returns the report of the statistics as an HTML page.
pub(super) fn page(stats: &Stats) -> String {
    let mut page = Html::default();
    page.tags(START).tags(HEAD);
    page.tags("<p>As of ").text(&stats.computed_at).tags("</p>\n");
    stats.folders.iter().for_each(|folder| section(&mut page, folder));
    page.tags("</body>\n</html>\n");
    page.0
}

fn section(page: &mut Html, folder: &FolderStats) {
    page.tags("<h2>").text(&folder.path).tags("</h2>\n<p>");
    page.tags("Files: ").text(folder.files).tags(", ").text(size(folder.bytes));
    page.tags(". Folders: ").text(folder.folders);
    page.tags(". Links and special files: ").text(folder.others).tags(".");
    if let (Some(oldest), Some(newest)) = (&folder.oldest, &folder.newest) {
        page.tags(" Modified from ").text(oldest).tags(" to ").text(newest).tags(".");
    }
    page.tags("</p>\n<table>\n<tr><th>Age<th>Files<th>Size<th>\n");
    histogram(page, &folder.ages);
    page.tags("</table>\n<table>\n<tr><th>Size<th>Files<th>Size<th>\n");
    histogram(page, &folder.sizes);
    page.tags("</table>\n<table>\n<tr><th>Size<th>Largest files\n");
    for file in &folder.largest {
        page.tags("<tr><td>").text(size(file.bytes)).tags("<td>").text(&file.path).tags("\n");
    }
    page.tags("</table>\n");
}

fn histogram(page: &mut Html, buckets: &[Bucket]) {
    let most = buckets.iter().map(|bucket| bucket.files).max().unwrap_or(0).max(1);
    for bucket in buckets {
        page.tags("<tr><td>").text(&bucket.label).tags("<td>").text(bucket.files);
        page.tags("<td>").text(size(bucket.bytes));
        page.tags("<td><meter max=\"").text(most).tags("\" value=\"").text(bucket.files);
        page.tags("\"></meter>\n");
    }
}

/// Returns a number of bytes for people, to three digits or so.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "it is rounded to a digit anyway")]
    let mut number = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while number >= 1023.95 {
        let Some(larger) = units.next() else { break };
        unit = Some(larger);
        number /= 1024.0;
    }
    format!("{number:.1} {}", unit.unwrap_or(&""))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_for_people() {
        let sizes = [0, 1023, 1024, 1_048_575, 5 << 20, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "5.0 MiB", "16384.0 PiB"]);
    }
}
