//! `hotbay plugin quarantine` and `hotbay plugin release`.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use hotbay_config::{StateFolder, closest};
use hotbay_store::{
    quarantine::{Quarantine, ReleaseError},
    rfc3339, short_hash,
};
use serde_json::json;

use super::{Output, fail, output::Page, print, run::refuse_all, state_folder, table::Table};

/// The folder that holds the state folders of configurations by default.
const STATE_FOLDERS: &str = ".hotbay";

pub(super) fn list(config: Option<&Path>, output: Output) -> ExitCode {
    let quarantines = match quarantines(config) {
        Ok(quarantines) => quarantines,
        Err(code) => return code,
    };
    let held: Vec<_> = quarantines.iter().flat_map(Quarantine::entries).collect();
    let mut page = Page::default();
    match output {
        Output::Json => page.json(&json!({ "quarantine": held })),
        Output::Table if held.is_empty() => page.line("no build is in quarantine"),
        Output::Table => {
            let mut table = Table::new(["plugin", "sha256", "since", "it", "file"]);
            for held in &held {
                table.row([
                    held.plugin.clone(),
                    short_hash(&held.hash).to_owned(),
                    rfc3339::seconds(held.since),
                    held.reason.clone(),
                    held.file.display().to_string(),
                ]);
            }
            page.table(&table);
        }
    }
    print(page, ExitCode::SUCCESS)
}

pub(super) fn release(what: &[String], config: Option<&Path>) -> ExitCode {
    let quarantines = match quarantines(config) {
        Ok(quarantines) => quarantines,
        Err(code) => return code,
    };
    let mut code = ExitCode::SUCCESS;
    let mut page = Page::default();
    for what in what {
        let mut released = Vec::new();
        let mut problem = None;
        for quarantine in &quarantines {
            match quarantine.release(what) {
                Ok(held) => released.extend(held),
                // The build may be in another quarantine.
                Err(ReleaseError::Unknown(_)) => {}
                Err(error) => problem = Some(describe(&error)),
            }
        }
        released.iter().for_each(|held| page.line(format_args!("released {held}")));
        if released.is_empty() && problem.is_none() {
            problem = Some(nothing_to_release(what, &quarantines));
        }
        if let Some(problem) = problem {
            code = fail(&problem);
        }
    }
    print(page, code)
}

/// Returns what to do if no quarantine has what is to be released.
fn nothing_to_release(what: &str, quarantines: &[Quarantine]) -> String {
    let held: Vec<_> = quarantines.iter().flat_map(Quarantine::entries).collect();
    let names = held.iter().map(|held| held.plugin.as_str());
    let none = ReleaseError::Unknown(what.to_owned());
    match closest(what, names) {
        Some(likely) => format!("{none}; did you mean `{likely}`?"),
        None => format!("{none}; `hotbay plugin quarantine` lists them"),
    }
}

/// Returns the quarantine of a configuration, or those of all configurations of the current folder.
fn quarantines(config: Option<&Path>) -> Result<Vec<Quarantine>, ExitCode> {
    if let Some(path) = config {
        let StateFolder { path: folder, refused } = state_folder::find(path)?;
        if let Some(refused) = &refused {
            // Without a folder there was never a host, so the path is most likely mistyped.
            if !folder.exists() {
                return Err(refuse_all(refused));
            }
            state_folder::warn(refused);
        }
        return Ok(vec![Quarantine::open(folder)]);
    }
    let folders = match state_folders() {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(fail(&format!("{STATE_FOLDERS}: {error}"))),
    };
    Ok(folders.into_iter().map(Quarantine::open).collect())
}

fn state_folders() -> io::Result<Vec<PathBuf>> {
    let entries = Path::new(STATE_FOLDERS).read_dir()?;
    let mut folders: Vec<_> = entries.map(|it| Ok(it?.path())).collect::<io::Result<_>>()?;
    folders.sort();
    Ok(folders)
}

/// Returns the text of an error with its cause.
fn describe(error: &ReleaseError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
