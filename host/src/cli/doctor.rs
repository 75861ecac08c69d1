//! `hotbay doctor`: what a host needs, and what is wrong with it.

use std::{env, io, path::Path, process::ExitCode};

use hotbay_config::StateFolder;
use hotbay_daemon::{Status, read_status};
use hotbay_store::{
    clock,
    sqlite::SqliteStore,
    store::{CheckReport, DAMAGE_REMEDY},
};
use jiff::{civil, tz::TimeZone};
use rustix::{
    fs::{Access, StatVfsMountFlags, access, statvfs},
    process::{Resource, getrlimit},
};

use super::{FAILED_RUN, output::Page, print, run, state_folder};

/// The free space of a disk below which it is reported, in bytes.
const ROOM: u64 = 64 << 20;

/// A host with a hundred plugins needs about this many descriptors.
const DESCRIPTORS: u64 = 1_024;

/// The findings so far, as a page with a line for each.
#[derive(Debug, Default)]
struct Findings {
    page: Page,
    faults: usize,
}

impl Findings {
    fn sound(&mut self, what: &str, said: impl AsRef<str>) {
        self.page.line(format_args!("ok     {what}: {}", said.as_ref()));
    }

    fn fault(&mut self, what: &str, said: impl AsRef<str>) {
        self.faults += 1;
        self.page.line(format_args!("FAULT  {what}: {}", said.as_ref()));
    }
}

/// Checks what the host of a configuration needs.
pub(super) async fn doctor(config: &Path) -> ExitCode {
    let StateFolder { path: folder, refused } = match state_folder::find(config) {
        Ok(found) => found,
        Err(code) => return code,
    };
    let status = read_status(&folder);
    let is_running = matches!(status, Ok(Some(_)));
    if let (Some(refused), false, false) = (&refused, is_running, config.exists()) {
        return run::refuse_all(refused);
    }
    let mut found = Findings::default();
    match &refused {
        None => found.sound("configuration", config.display().to_string()),
        Some(refused) => found.fault("configuration", refused.to_string()),
    }
    host(&mut found, &folder, &status);
    state(&mut found, &folder);
    store(&mut found, &folder);
    limits(&mut found);
    temporary(&mut found);
    check_clock(&mut found);
    let code = if found.faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED_RUN) };
    let printed = print(found.page, code);
    // A running host has said above what it thinks of its plugins.
    if is_running || refused.is_some() || run::validate(config).await == ExitCode::SUCCESS {
        return printed;
    }
    ExitCode::from(FAILED_RUN)
}

fn host(found: &mut Findings, folder: &Path, status: &io::Result<Option<Status>>) {
    match status {
        Ok(Some(status)) => {
            found.sound("host", format!("it runs, as process {}", status.pid));
            if status.refused.is_empty() {
                let count = status.plugins.len();
                found.sound("plugins", format!("{count} loaded, none refused"));
            }
            for it in &status.refused {
                let (file, reason, remedy) = (it.file.display(), &it.reason, &it.remedy);
                found.fault("plugins", format!("{file}: {reason}; {remedy}"));
            }
        }
        Ok(None) => found.sound("host", "none runs with this configuration"),
        Err(error) => found.fault("host", format!("{}: {error}", folder.display())),
    }
}

fn state(found: &mut Findings, folder: &Path) {
    // What is missing is made below the first folder that is there.
    let mut there = folder.ancestors().filter(|it| !it.as_os_str().is_empty());
    let there = there.find(|it| it.symlink_metadata().is_ok()).unwrap_or(Path::new("."));
    let (what, shown) = ("state folder", there.display());
    if !there.is_dir() {
        return found.fault(
            what,
            format!("{shown} is no folder; name another one as `state_folder`, or remove it"),
        );
    }
    match access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if there == folder => found.sound(what, shown.to_string()),
        Ok(()) => found.sound(what, format!("{} is made at the first start", folder.display())),
        Err(error) => found.fault(
            what,
            format!("{shown} can't be written ({error}); give this user access to it"),
        ),
    }
}

fn store(found: &mut Findings, folder: &Path) {
    if !folder.is_dir() {
        return;
    }
    match SqliteStore::examine(folder) {
        Ok(None) => found.sound("store", "it is made at the first start"),
        Ok(Some(CheckReport { path, library, schema, faults, free_disk_bytes })) => {
            let file = path.display();
            for fault in &faults {
                found.fault("store", format!("{file} is damaged ({fault}); {DAMAGE_REMEDY}"));
            }
            if faults.is_empty() {
                found.sound("store", format!("{file}, version {schema}, SQLite {library}"));
            }
            if free_disk_bytes < ROOM {
                let room = free_disk_bytes >> 20;
                found.fault(
                    "store",
                    format!("{room} MiB are left on the disk of {file}; make room"),
                );
            }
        }
        Err(error) => found.fault("store", error.to_string()),
    }
}

fn limits(found: &mut Findings) {
    let limit = getrlimit(Resource::Nofile);
    match limit.current {
        Some(descriptors) if descriptors < DESCRIPTORS => found.fault(
            "limits",
            format!(
                "{descriptors} open files are allowed; raise it to {DESCRIPTORS} (`ulimit -n`, \
                 `LimitNOFILE=`)"
            ),
        ),
        descriptors => {
            let allowed = descriptors.map_or("any number of".to_owned(), |it| it.to_string());
            found.sound("limits", format!("{allowed} open files are allowed"));
        }
    }
}

/// Checks the folder for the private copies of plugins, from which code is executed.
fn temporary(found: &mut Findings) {
    let folder = env::temp_dir();
    let shown = folder.display().to_string();
    match statvfs(&folder) {
        Ok(it) if it.f_flag.contains(StatVfsMountFlags::NOEXEC) => found.fault(
            "temporary folder",
            format!("{shown} is mounted `noexec`, so no plugin can be loaded; set TMPDIR"),
        ),
        Ok(it) if it.f_bavail.saturating_mul(it.f_frsize) < ROOM => {
            found.fault("temporary folder", format!("{shown} is full; make room, or set TMPDIR"));
        }
        Ok(_) => found.sound("temporary folder", shown),
        Err(error) => found.fault("temporary folder", format!("{shown}: {error}; set TMPDIR")),
    }
}

fn check_clock(found: &mut Findings) {
    let now = clock::now();
    let zone = TimeZone::system();
    let local = now.to_zoned(zone.clone());
    let shown = local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
    let sane = civil::date(2025, 1, 1)..civil::date(2100, 1, 1);
    if sane.contains(&local.date()) {
        let zone = zone.iana_name().unwrap_or("a zone without a name");
        found.sound("clock", format!("{shown} in {zone}"));
    } else {
        found.fault("clock", format!("it is set to {shown}; set it, for schedules follow it"));
    }
}
