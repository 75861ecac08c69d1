//! The program of `cargo demo`, which builds the host and its plugins and runs a pipeline on
//! recorded data.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it talks to the person who typed `cargo demo`"
)]

use std::{
    fs, io,
    path::Path,
    process::{Command, ExitCode},
};

use hotbay_tests::{Profile, build_host, build_plugins, workspace};

fn main() -> ExitCode {
    match demo() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<ExitCode, Box<dyn std::error::Error>> {
    eprintln!("Building the host and its plugins; the first time takes a few minutes …");
    let hotbay = build_host(Profile::Release)?;
    let libraries = build_plugins(Profile::Release, &[Path::new("plugins")])?;
    let folder = workspace().join("target/demo/plugins");
    fs::create_dir_all(&folder)?;
    for library in libraries.values() {
        replace(library, &folder.join(library.file_name().unwrap_or_default()))?;
    }
    let config = Path::new("examples/ema-cross.yaml");
    eprintln!("{} run {}\n", shown(&hotbay), config.display());
    let status = Command::new(&hotbay)
        .arg("run")
        .arg(config)
        .current_dir(workspace())
        .env_remove("HOTBAY_PLUGINS")
        .status()?;
    if !status.success() {
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "\nThe compiled plugins in target/demo/plugins were loaded; four of them replayed 50,000 \
         recorded\nevents, made bars of them, traded on crossing averages, and were unloaded \
         again.\n\nNext:\n  {0} plugin list target/demo/plugins\n  {0} validate {1}\n  \
         BAR_TRADES=100 FILLS=/tmp/fills.csv {0} run {1}\n  cargo new --lib ../my-plugin   # \
         outside of this workspace,\n                                 # with plugins/hello as \
         the pattern",
        shown(&hotbay),
        config.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Puts a new file under the name, because a file that is mapped somewhere must not change.
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh)?;
    fs::rename(fresh, to)
}

fn shown(program: &Path) -> String {
    program.strip_prefix(workspace()).unwrap_or(program).display().to_string()
}
