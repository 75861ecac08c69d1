//! The command `hotbay schema`.

use std::process::ExitCode;

use clap::ValueEnum;
use hotbay_config::FileKind;

use super::{output::Page, print};

/// The file whose schema is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum File {
    /// The configuration of `hotbay run`
    Configuration,
    /// The settings beside a plugin's library, `NAME.yaml`
    Settings,
}

/// The format of the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A JSON Schema, for editors
    Json,
    /// The reference of all files, a page in Markdown
    Markdown,
}

pub(super) fn schema(file: File, format: Format) -> ExitCode {
    let kind = match file {
        File::Configuration => FileKind::Configuration,
        File::Settings => FileKind::Settings,
    };
    let mut page = Page::default();
    match format {
        Format::Markdown => hotbay_config::reference().lines().for_each(|line| page.line(line)),
        Format::Json => page.json(&hotbay_config::schema(kind)),
    }
    print(page, ExitCode::SUCCESS)
}
