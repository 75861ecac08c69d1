//! Builds what the tests load and run, and takes the paths from cargo's messages.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// The profile with which cargo builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The profile of `cargo test`.
    Dev,
    /// The profile of `cargo run --release`.
    Release,
}

impl Profile {
    /// Returns the profile of the running program.
    fn own() -> Self {
        if cfg!(debug_assertions) { Self::Dev } else { Self::Release }
    }
}

/// An error that is returned if cargo can't be run or a build fails.
#[derive(Debug)]
pub struct BuildError(String);

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// Returns the library of a package of `plugins/` or `tests/fixtures/`.
///
/// All of these libraries are built once for each process, in the profile of the process.
///
/// # Panics
/// If the libraries do not build, or if there is no such package.
pub fn library(package: &str) -> &'static Path {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let folders = [Path::new("plugins"), Path::new("tests/fixtures")];
    let libraries = BUILT.get_or_init(|| {
        build_plugins(Profile::own(), &folders).unwrap_or_else(|error| panic!("{error}"))
    });
    libraries.get(package).unwrap_or_else(|| {
        let known: Vec<_> = libraries.keys().map(String::as_str).collect();
        panic!("no package {package} builds a library; there are {}", known.join(", "))
    })
}

/// Returns the `hotbay` program, built once for each process, in the profile of the process.
///
/// # Panics
/// If the program does not build.
pub fn hotbay() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_host(Profile::own()).unwrap_or_else(|error| panic!("{error}")))
}

/// Returns the folder of the workspace.
///
/// The folder is looked for when the program runs, because a program that was copied together
/// with its checkout and its target folder must build and read the copy: cargo does not compile
/// it again there, so a path from compile time would name the old checkout.
///
/// # Panics
/// If the program runs outside of a workspace.
pub fn workspace() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        // Cargo sets the variable for what it runs; by hand, the current folder counts.
        let start = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let start = start.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        let mut folders = start.ancestors();
        let found = folders.find(|folder| folder.join("Cargo.lock").is_file());
        found.unwrap_or_else(|| panic!("no workspace around {}", start.display())).to_owned()
    })
}

/// Builds the `hotbay` program.
///
/// # Errors
/// If cargo can't be run or the build fails; the compiler's messages go to standard error.
pub fn build_host(profile: Profile) -> Result<PathBuf, BuildError> {
    let mut command = cargo_build(profile, &own_target_folder());
    command.args(["-p", "hotbay"]);
    let artifacts = artifacts(command)?;
    let program = artifacts
        .iter()
        .filter(|artifact| artifact["target"]["name"] == "hotbay")
        .find_map(|artifact| artifact["executable"].as_str());
    let program =
        program.ok_or_else(|| BuildError("cargo built no program `hotbay`".to_owned()))?;
    Ok(program.into())
}

/// Builds all packages with a plugin's library in these folders of the workspace.
///
/// Returns the libraries by package. Plugins are built without the host, because cargo gives
/// all packages of one build the same features of their dependencies, and the host's features of
/// tokio leak descriptors in a library that is unloaded. They have a target folder of their own,
/// because cargo gives the two builds of a library one name, and each build would replace the
/// other one's.
///
/// # Errors
/// If cargo can't be run or the build fails; the compiler's messages go to standard error.
pub fn build_plugins(
    profile: Profile,
    folders: &[&Path],
) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let packages = packages(folders)?;
    let mut command = cargo_build(profile, &own_target_folder().join("plugins"));
    for name in packages.values() {
        command.args(["-p", name]);
    }
    let mut libraries = BTreeMap::new();
    for artifact in artifacts(command)? {
        let package = artifact["package_id"].as_str().and_then(|id| packages.get(id));
        let mut files = artifact["filenames"].as_array().into_iter().flatten();
        let library = files.find_map(|file| file.as_str().filter(|it| it.ends_with(".so")));
        if let (Some(package), Some(library)) = (package, library) {
            libraries.insert(package.clone(), PathBuf::from(library));
        }
    }
    Ok(libraries)
}

/// Returns a `cargo build` of this profile into this target folder.
fn cargo_build(profile: Profile, target: &Path) -> Command {
    let mut command = cargo();
    command.args(["build", "--message-format=json-render-diagnostics", "--target-dir"]).arg(target);
    if profile == Profile::Release {
        command.arg("--release");
    }
    command
}

/// Runs a build and returns cargo's message for each artifact.
fn artifacts(build: Command) -> Result<Vec<Value>, BuildError> {
    let mut messages = json_lines(build)?;
    messages.retain(|message| message["reason"] == "compiler-artifact");
    Ok(messages)
}

/// The packages in these folders that make a `cdylib`: cargo's id → name.
fn packages(folders: &[&Path]) -> Result<BTreeMap<String, String>, BuildError> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version=1"]);
    let metadata = json_lines(command)?.pop().unwrap_or_default();
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let manifest = Path::new(text("manifest_path"));
        let mut kinds = package["targets"].as_array().into_iter().flatten();
        let is_plugin = kinds.any(|target| {
            target["kind"].as_array().into_iter().flatten().any(|kind| kind == "cdylib")
        });
        if is_plugin && folders.iter().any(|folder| manifest.starts_with(workspace().join(folder)))
        {
            packages.insert(text("id").to_owned(), text("name").to_owned());
        }
    }
    Ok(packages)
}

/// Cargo, in the environment that its caller had: what an outer cargo sets for the
/// program that it runs would make build scripts run again.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let of_outer_cargo = |name: &OsString| {
        let Some(name) = name.to_str() else { return false };
        let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        let names = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH", "OUT_DIR"];
        prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name)
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| of_outer_cargo(name)) {
        command.env_remove(name);
    }
    command
}

fn json_lines(mut command: Command) -> Result<Vec<Value>, BuildError> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .map_err(|error| BuildError(format!("cannot run {shown}: {error}; is cargo there?")))?;
    if !output.status.success() {
        return Err(BuildError(format!("failed with {}: {shown}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Returns the target folder in which the running program was built: cargo tags it.
fn own_target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let mut folders = program.ancestors();
    let tagged = folders.find(|folder| folder.join("CACHEDIR.TAG").is_file());
    tagged.map_or_else(|| workspace().join("target"), Path::to_owned)
}
