//! The command line.

#![expect(clippy::print_stdout, reason = "printing results is what a command line does")]

mod crash;
mod inspect;
mod progress;
mod quarantine;
mod report;
mod run;
mod status;
mod trust;

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use hotbay_loader::TrustMode;
use tracing_subscriber::EnvFilter;

/// What went wrong was found before anything ran.
const WRONG_CONFIGURATION: u8 = 2;
/// There is no host to ask.
const NOT_RUNNING: u8 = 3;
/// Something ran and failed.
const FAILED_RUN: u8 = 1;

/// Runs tasks and pipelines from compiled plugins.
///
/// Put plugins (.so files) into a folder, describe in a YAML file which of their
/// components work together, and run it:
///
///     hotbay plugin list plugins/        what the plugins bring
///     hotbay validate pipeline.yaml      find mistakes without running
///     hotbay run pipeline.yaml           run it, and print a report at the end
///     hotbay status pipeline.yaml        see what it does, from another terminal
///
/// While it runs, put a newer build of a plugin in the place of the old one: it takes
/// over, with the state of the old one, and without losing an event.
#[derive(Debug, Parser)]
#[command(name = "hotbay", version, verbatim_doc_comment, arg_required_else_help = true)]
struct Arguments {
    /// What to log on standard error: off, error, warn, info, debug, trace, or a
    /// filter such as `warn,hotbay=debug`
    #[arg(long, global = true, env = "HOTBAY_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a configuration until its sources end, or until Ctrl-C or SIGTERM
    ///
    /// Relative paths in the configuration start at the folder that it lies in.
    ///
    /// Loads every plugin of the configured folder, runs the plugins' tasks and the
    /// pipeline, and prints a report. A host without a pipeline runs until it is
    /// told to stop; a second Ctrl-C ends it at once.
    ///
    /// Unless it replays a recording, it follows changes: plugins that are added,
    /// replaced or removed, their settings (NAME.yaml beside the library), and its own
    /// configuration; SIGHUP makes it look again. What is wrong is refused, and what
    /// was there before goes on. If a plugin brings it down, the next run says which one,
    /// and after three times in five minutes leaves that build out (`hotbay plugin release`).
    ///
    /// Exit code: 0 if all went well, 1 if something failed while it ran, 2 if the
    /// configuration is wrong.
    Run {
        /// The configuration
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
        /// Whose plugins to load, whatever the configuration says: for development.
        ///
        /// off: anybody's; warn: with a warning if nobody vouches for one; enforce: only
        /// those that are pinned (`hotbay plugin trust`) or signed with a listed key.
        #[arg(long, value_name = "MODE", value_parser = trust_mode)]
        trust: Option<TrustMode>,
        /// How to print the report
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Check a configuration and the plugins that it names, without running anything
    ///
    /// Prints each problem as FILE:LINE:COLUMN with what was expected there.
    ///
    /// Exit code: 0 if it can be run, 2 if not.
    Validate {
        /// The configuration
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
    },
    /// Show what a running host does: components, tasks, plugins, and what waits for what
    ///
    /// Reads what the host wrote to its state folder within the last second; a host
    /// that does not follow changes, such as one that replays a recording, writes nothing.
    ///
    /// Exit code: 0, or 3 if no host runs with this configuration.
    Status {
        /// The configuration that the host runs with
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Look at plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// List the plugins of a folder, with their tasks and components; or, with --config,
    /// the builds that a running host has loaded
    ///
    /// Of a running host it shows every build that is mapped: the one in service, the one
    /// that stands by while its successor is on probation, and those that could not be
    /// unloaded, with the reason.
    List {
        /// The plugins folder
        #[arg(value_name = "FOLDER", required_unless_present = "config")]
        path: Option<PathBuf>,
        /// The configuration that a host runs with
        #[arg(long, value_name = "CONFIG.yaml", conflicts_with = "path")]
        config: Option<PathBuf>,
        /// How to print the list
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Show all about one plugin: ports, configuration, build
    Inspect {
        /// The plugin's library
        #[arg(value_name = "FILE.so")]
        path: PathBuf,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Pin a plugin's build: a host that enforces trust loads it from then on
    ///
    /// Writes the SHA-256 of the file into the file of pins, `hotbay.pins` beside the
    /// configuration unless that names another one. A pin of an older build of the same
    /// file is replaced; all other lines stay as they are. Nothing of the plugin is run.
    ///
    /// A host that runs notices the pin and loads a build that it refused before.
    ///
    /// Exit code: 0 if the build is pinned now, 2 if not.
    Trust {
        /// The plugin's library
        #[arg(value_name = "FILE.so")]
        file: PathBuf,
        /// Whose pins; by default those of `hotbay.yaml` in the current folder, or without
        /// such a file those of every configuration there
        #[arg(long, value_name = "CONFIG.yaml")]
        config: Option<PathBuf>,
    },
    /// List the builds that did harm and are not tried again
    ///
    /// A build that crashes or hangs while it is looked at, or that brings the host down
    /// three times in five minutes, is kept in quarantine, also across restarts. Another
    /// build of the same plugin is free to come.
    Quarantine {
        /// Whose quarantine; by default that of every configuration in the current folder
        #[arg(long, value_name = "CONFIG.yaml")]
        config: Option<PathBuf>,
        /// How to print the list
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Let builds out of quarantine, to be tried again
    ///
    /// A host that runs tries them again at once.
    ///
    /// Exit code: 0 if each name released something, 2 if not.
    Release {
        /// A hash or its beginning, a file, or the name of a plugin
        #[arg(value_name = "HASH|FILE|NAME", required = true)]
        what: Vec<String>,
        /// Whose quarantine; by default that of every configuration in the current folder
        #[arg(long, value_name = "CONFIG.yaml")]
        config: Option<PathBuf>,
    },
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Tables, for people
    Table,
    /// One JSON document, for programs
    Json,
}

/// Runs the command of this process's arguments.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = match EnvFilter::try_new(&arguments.log) {
        Ok(filter) => filter,
        Err(error) => return fail(&format!("--log {}: {error}", arguments.log)),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start the host's threads: {error}")),
    };
    runtime.block_on(async {
        match arguments.command {
            Command::Run { config, trust, output } => run::run(&config, trust, output).await,
            Command::Validate { config } => run::validate(&config).await,
            Command::Status { config, output } => status::status(&config, output),
            Command::Plugin(PluginCommand::List { config: Some(config), output, .. }) => {
                status::list(&config, output)
            }
            Command::Plugin(PluginCommand::List { path, output, .. }) => {
                inspect::list(&path.unwrap_or_default(), output).await
            }
            Command::Plugin(PluginCommand::Inspect { path, output }) => {
                inspect::inspect(&path, output).await
            }
            Command::Plugin(PluginCommand::Trust { file, config }) => {
                trust::trust(&file, config).await
            }
            Command::Plugin(PluginCommand::Quarantine { config, output }) => {
                quarantine::list(config.as_deref(), output)
            }
            Command::Plugin(PluginCommand::Release { what, config }) => {
                quarantine::release(&what, config.as_deref())
            }
        }
    })
}

/// Reads a trust mode.
fn trust_mode(text: &str) -> Result<TrustMode, &'static str> {
    match text {
        "off" => Ok(TrustMode::Off),
        "warn" => Ok(TrustMode::Warn),
        "enforce" => Ok(TrustMode::Enforce),
        _ => Err("expected `off`, `warn` or `enforce`"),
    }
}

/// Says what is wrong with what was asked for.
fn fail(problem: &str) -> ExitCode {
    eprintln!("hotbay: {problem}");
    ExitCode::from(WRONG_CONFIGURATION)
}
