//! The command `hotbay schema`.

use std::process::ExitCode;

use clap::ValueEnum;
use hotbay_config::FileKind;

use super::fail;

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
    match format {
        Format::Markdown => print!("{}", hotbay_config::reference()),
        Format::Json => match serde_json::to_string_pretty(&hotbay_config::schema(kind)) {
            Ok(json) => println!("{json}"),
            Err(error) => return fail(&format!("the schema can't be written: {error}")),
        },
    }
    ExitCode::SUCCESS
}
