//! Building what the tests load and run; where it lies is what cargo says.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As `cargo test` does.
    Dev,
    /// As `cargo run --release` does.
    Release,
}

impl Profile {
    /// That of the running program.
    fn own() -> Self {
        if cfg!(debug_assertions) { Self::Dev } else { Self::Release }
    }
}

/// What a build gave.
#[derive(Debug, Clone)]
pub struct Artifacts {
    /// The `hotbay` program.
    pub hotbay: PathBuf,
    /// The plugins' and fixtures' libraries, by package.
    pub libraries: BTreeMap<String, PathBuf>,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub struct BuildError(String);

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// The library of a package of `plugins/` or `tests/fixtures/`.
///
/// # Panics
/// If it does not build or there is no such package.
pub fn library(package: &str) -> &'static Path {
    let libraries = &artifacts().libraries;
    libraries.get(package).unwrap_or_else(|| {
        let known: Vec<_> = libraries.keys().map(String::as_str).collect();
        panic!("no package {package} builds a library; there are {}", known.join(", "))
    })
}

/// The `hotbay` program.
///
/// # Panics
/// If it does not build.
pub fn hotbay() -> &'static Path {
    &artifacts().hotbay
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// Everything, built once for this process, in the profile of this process.
fn artifacts() -> &'static Artifacts {
    static BUILT: OnceLock<Artifacts> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(Profile::own(), &[Path::new("plugins"), Path::new("tests/fixtures")])
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Builds `hotbay` and all packages with a plugin's library in these folders of the workspace.
///
/// # Errors
/// If cargo can't be run or the build fails; what the compiler said went to standard error.
pub fn build(profile: Profile, folders: &[&Path]) -> Result<Artifacts, BuildError> {
    let packages = packages(folders)?;
    let mut command = cargo();
    command.args(["build", "--message-format=json-render-diagnostics", "-p", "hotbay"]);
    for name in packages.values() {
        command.args(["-p", name]);
    }
    if profile == Profile::Release {
        command.arg("--release");
    }
    if let Some(target) = own_target_folder() {
        command.arg("--target-dir").arg(target);
    }
    let (mut hotbay, mut libraries) = (None, BTreeMap::new());
    for message in json_lines(command)? {
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        if let Some(program) = message["executable"].as_str()
            && message["target"]["name"] == "hotbay"
        {
            hotbay = Some(PathBuf::from(program));
        }
        let Some(name) = message["package_id"].as_str().and_then(|id| packages.get(id)) else {
            continue;
        };
        let mut files = message["filenames"].as_array().into_iter().flatten();
        if let Some(file) = files.find_map(|file| file.as_str().filter(|it| it.ends_with(".so"))) {
            libraries.insert(name.clone(), PathBuf::from(file));
        }
    }
    let hotbay = hotbay.ok_or_else(|| BuildError("cargo built no program `hotbay`".to_owned()))?;
    Ok(Artifacts { hotbay, libraries })
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

/// Where the running program was built: the folder that cargo tagged.
fn own_target_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let mut folders = program.ancestors();
    folders.find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(Path::to_owned)
}
