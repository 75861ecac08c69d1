//! The command line of the program `hotbay`.

mod crash;
mod doctor;
mod inspect;
mod log;
mod output;
mod progress;
mod quarantine;
mod report;
mod run;
mod schema;
mod signals;
mod state_folder;
mod status;
mod table;
mod task;
mod task_spec;
mod trust;
mod wording;

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use hotbay_config::{closest, text::escaped};
use hotbay_loader::TrustMode;

use output::{Page, err};

/// The exit code if something wrong was found before anything ran.
const WRONG_CONFIGURATION: u8 = 2;
/// The exit code if there is no host to ask.
const NOT_RUNNING: u8 = 3;
/// The exit code if something ran and failed.
const FAILED_RUN: u8 = 1;

/// Runs tasks and pipelines from compiled plugins.
///
/// Put plugins (.so files) into a folder, write a YAML file that connects their
/// components, and run it:
///
///     hotbay plugin list plugins/        list the plugins and what they contain
///     hotbay validate pipeline.yaml      find mistakes without running anything
///     hotbay run pipeline.yaml           run it, and print a report at the end
///     hotbay status pipeline.yaml        show what runs, from another terminal
///     hotbay task list pipeline.yaml     show its tasks, and run or pause them
///
/// To replace a plugin while the host runs, copy a new build over the old file. The new
/// build takes over the state of the old one, and no event is lost.
#[derive(Debug, Parser)]
#[command(
    name = "hotbay",
    version,
    verbatim_doc_comment,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Arguments {
    /// What is logged on standard error: off, error, warn, info, debug, trace, or a
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
    /// Loads every plugin in the configured folder, runs the tasks of the plugins and
    /// the pipeline, and prints a report at the end. Without a pipeline, the host runs
    /// until it is told to stop by SIGINT (Ctrl-C) or SIGTERM. A second one ends it at
    /// once; the same one within 100 ms counts once. Relative paths in the configuration
    /// are resolved against the folder of the configuration.
    ///
    /// The exit code is 0 if everything succeeded, 1 if something failed or the report
    /// could not be written, 2 if the configuration is wrong, 130 after a second signal.
    /// A failed run of a task that runs again and again is no failure of the host.
    ///
    /// Unless it replays a recording, the host follows changes: plugins that are added,
    /// replaced or removed, their settings (NAME.yaml or config.yaml beside the library), and its own
    /// configuration. On SIGHUP it checks all of them at once. A change with mistakes is
    /// refused, and the previous plugin or configuration stays in service.
    ///
    /// If a plugin crashes the host, the next run names the plugin. A build that crashes
    /// the host three times in five minutes is put into quarantine and is not loaded
    /// again until `hotbay plugin release` releases it.
    Run {
        /// The configuration
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
        /// Override the trust mode of the configuration, for development
        ///
        /// off: load every plugin. warn: load every plugin, with a warning for those that
        /// are not trusted. enforce: load only plugins that are trusted. A plugin is
        /// trusted if it is pinned (`hotbay plugin trust`) or signed with a listed key.
        #[arg(long, value_name = "MODE", value_parser = trust_mode)]
        trust: Option<TrustMode>,
        /// The format of the report
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Check a configuration and the plugins that it names, without running anything
    ///
    /// Prints each mistake with its position, FILE:LINE:COLUMN, and what is expected there.
    ///
    /// Exit code: 0 if the configuration can be run, 2 if not.
    Validate {
        /// The configuration
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
    },
    /// Show the components, tasks and plugins of a running host, and what they wait for
    ///
    /// Asks the host itself, through a socket in its state folder that only the user of
    /// the host can open. A host that does not follow changes, such as one that replays
    /// a recording, has no socket and cannot be asked.
    ///
    /// Exit code: 0 if the host answered, 2 if it could not be asked, 3 if no host runs
    /// with this configuration.
    Status {
        /// The configuration that the host runs with
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
        /// The format of the status
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Print the JSON Schema of a configuration, with which an editor checks and completes it
    ///
    /// With `--format markdown`, prints the reference of all keys instead, which is also
    /// docs/configuration.md.
    Schema {
        /// The kind of file
        #[arg(value_enum, default_value_t = schema::File::Configuration)]
        file: schema::File,
        /// The format of the description
        #[arg(long, value_enum, default_value_t = schema::Format::Json)]
        format: schema::Format,
    },
    /// List, run, pause and follow the tasks of a running host
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// Copy the store of a running host, with its schedules and runs, to a file
    ///
    /// The copy is what the store is at one moment, while the host goes on. To use it, stop the
    /// host and put it in the place of `hotbay.db` in the state folder, without the files
    /// `hotbay.db-wal` and `hotbay.db-shm`.
    Backup {
        /// The configuration that the host runs with
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
        /// The file to be written, which must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check what a host needs: its state folder, store, plugins, limits and clock
    ///
    /// Names what is wrong and how to mend it, whether or not the host runs. Changes nothing.
    ///
    /// Exit code: 0 if nothing is wrong, 1 if something is, 2 if the configuration is not there or
    /// its state folder can't be found.
    Doctor {
        /// The configuration of the host
        #[arg(value_name = "CONFIG.yaml")]
        config: PathBuf,
    },
    /// Print what a plugin logged during a run of one of its tasks
    ///
    /// `hotbay task history` lists the runs with their numbers. Lines of the levels error, warn
    /// and info are kept, whatever the log of the host shows.
    RunLog {
        #[command(flatten)]
        host: task::Host,
        /// The number of the run
        #[arg(value_name = "RUN", value_parser = task::run_number)]
        run: u64,
        /// Wait for further lines until the run has ended; JSON is printed then, as one document
        #[arg(short, long)]
        follow: bool,
    },
    /// List, inspect and trust plugins, and manage the quarantine
    #[command(subcommand)]
    Plugin(PluginCommand),
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// List the plugins in a folder, with their tasks and components; or, with --config,
    /// the builds that a running host has loaded
    ///
    /// Of a running host, the list has every build that is mapped into memory: the builds
    /// in service, the old builds that stand by while a new build is on probation, and the
    /// builds that could not be unloaded, with the reason.
    List {
        /// The plugins folder
        #[arg(value_name = "FOLDER", required_unless_present = "config")]
        path: Option<PathBuf>,
        /// The configuration that a host runs with
        #[arg(long, value_name = "CONFIG.yaml", conflicts_with = "path")]
        config: Option<PathBuf>,
        /// The format of the list
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Show one plugin in detail: its tasks, components, ports and settings
    Inspect {
        /// The plugin's library
        #[arg(value_name = "FILE.so")]
        path: PathBuf,
        /// The format of the description
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Pin a build of a plugin, so that a host that enforces trust loads it
    ///
    /// Writes the SHA-256 of the file into the file of pins. That is `hotbay.pins` beside
    /// the configuration, unless the configuration names another file. A pin of an older
    /// build of the same file is replaced; all other lines stay as they are. No code of
    /// the plugin runs.
    ///
    /// A running host notices the pin, and loads the build if it had refused it.
    ///
    /// Exit code: 0 if the build is pinned, 2 if not.
    Trust {
        /// The plugin's library
        #[arg(value_name = "FILE.so")]
        file: PathBuf,
        /// The configuration whose file of pins is changed; by default `hotbay.yaml` in the
        /// current folder, or without such a file `hotbay.pins` there, which is the file of
        /// every configuration in that folder
        #[arg(long, value_name = "CONFIG.yaml")]
        config: Option<PathBuf>,
    },
    /// List the builds in quarantine, which are not loaded
    ///
    /// A build that crashes in the check before it is loaded, that hangs there three times
    /// in a row, or that crashes the host three times in five minutes, is put into
    /// quarantine and stays there across restarts. Another build of the same plugin is not
    /// affected.
    Quarantine {
        /// The configuration whose quarantine is meant; by default every configuration in
        /// the current folder
        #[arg(long, value_name = "CONFIG.yaml")]
        config: Option<PathBuf>,
        /// The format of the list
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Release builds from quarantine, so that they are loaded again
    ///
    /// A running host tries to load them at once.
    ///
    /// Exit code: 0 if each name released something, 2 if not.
    Release {
        /// The hash of a build or the beginning of it, a file, or the name of a plugin
        #[arg(value_name = "HASH|FILE|NAME", required = true)]
        what: Vec<String>,
        /// The configuration whose quarantine is meant; by default every configuration in
        /// the current folder
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

/// The time that the last lines of a host get, and that its report gets after a request to stop.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs the command of this process's arguments.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ended(refused(&described(error)), None),
    };
    let filter = match log::filter(&arguments.log) {
        Ok(filter) => filter,
        Err(error) => return ended(fail(&format!("--log {}: {error}", arguments.log)), None),
    };
    log::start(filter);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return ended(fail(&format!("cannot start the host's threads: {error}")), None);
        }
    };
    // A host ends within a limit; a command waits for whoever reads it.
    let limit = matches!(arguments.command, Command::Run { .. }).then_some(LAST_WORDS);
    let code = runtime.block_on(execute(arguments.command));
    // What hangs, as a library that is being checked may do, must not keep the process.
    runtime.shutdown_background();
    ended(code, limit)
}

async fn execute(command: Command) -> ExitCode {
    match command {
        Command::Run { config, trust, output } => run::run(&config, trust, output).await,
        Command::Validate { config } => run::validate(&config).await,
        Command::Status { config, output } => status::status(&config, output),
        Command::Schema { file, format } => schema::schema(file, format),
        Command::Task(command) => task::execute(command).await,
        Command::Backup { config, file } => task::backup(&config, &file),
        Command::Doctor { config } => doctor::doctor(&config).await,
        Command::RunLog { host, run, follow } => task::run_log(&host, run, follow),
        Command::Plugin(PluginCommand::List { config: Some(config), output, .. }) => {
            status::list(&config, output)
        }
        Command::Plugin(PluginCommand::List { path, output, .. }) => {
            inspect::list(&path.unwrap_or_default(), output).await
        }
        Command::Plugin(PluginCommand::Inspect { path, output }) => {
            inspect::inspect(&path, output).await
        }
        Command::Plugin(PluginCommand::Trust { file, config }) => trust::trust(&file, config).await,
        Command::Plugin(PluginCommand::Quarantine { config, output }) => {
            quarantine::list(config.as_deref(), output)
        }
        Command::Plugin(PluginCommand::Release { what, config }) => {
            quarantine::release(&what, config.as_deref())
        }
    }
}

/// Writes what is left for standard error, at most for `limit`, and returns the exit code.
fn ended(code: ExitCode, limit: Option<Duration>) -> ExitCode {
    output::flush(limit);
    code
}

/// Returns the error of the arguments with the arguments escaped, because its text has several
/// lines, and must have no others.
fn described(error: clap::Error) -> clap::Error {
    let shown = std::env::args_os().map(|it| escaped(&it.to_string_lossy()).into_owned());
    Arguments::try_parse_from(shown).err().unwrap_or(error)
}

/// Prints the help or the version if the arguments ask for it, or what is wrong with them.
fn refused(arguments: &clap::Error) -> ExitCode {
    let text = arguments.render();
    if arguments.use_stderr() {
        text.to_string().lines().for_each(err);
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    let in_colour = output::is_terminal_output() && std::env::var_os("NO_COLOR").is_none();
    let text = if in_colour { text.ansi().to_string() } else { text.to_string() };
    written(output::out(&text), ExitCode::SUCCESS)
}

/// Reads a trust mode.
fn trust_mode(text: &str) -> Result<TrustMode, String> {
    const EXPECTED: &str = "expected `off`, `warn` or `enforce`";
    match text {
        "off" => Ok(TrustMode::Off),
        "warn" => Ok(TrustMode::Warn),
        "enforce" => Ok(TrustMode::Enforce),
        _ => Err(match closest(text, ["off", "warn", "enforce"]) {
            Some(likely) => format!("did you mean `{likely}`? {EXPECTED}"),
            None => EXPECTED.to_owned(),
        }),
    }
}

/// Prints a result, and returns `code` if that succeeds.
fn print(page: Page, code: ExitCode) -> ExitCode {
    written(output::out(&page.into_text()), code)
}

/// Returns `code` if a result was written, or says why not.
fn written(result: io::Result<()>, code: ExitCode) -> ExitCode {
    match result {
        Ok(()) => code,
        Err(error) => {
            err(format_args!("hotbay: the result can't be written to standard output: {error}"));
            ExitCode::from(FAILED_RUN)
        }
    }
}

/// Says what is wrong with what was asked for.
fn fail(problem: &str) -> ExitCode {
    err(format_args!("hotbay: {problem}"));
    ExitCode::from(WRONG_CONFIGURATION)
}
