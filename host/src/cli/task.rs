//! `hotbay task …`: the tasks of a running host.

mod next;
mod tables;

use std::{
    mem,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::{Args, Subcommand};
use hotbay_daemon::{MOST_IN_ANSWER, RunView, TaskAnswer, TaskRequest, ask_tasks};
use serde_json::Value;

use next::Next;
use tables::{describe, line, list, runs};

use super::{FAILED_RUN, Output, fail, output::Page, print, status::asked, table::Table};

/// How often the end of a run is asked for.
const POLL: Duration = Duration::from_millis(100);

#[derive(Debug, Subcommand)]
pub(super) enum TaskCommand {
    /// List the tasks, with their schedules and what became of their runs
    List {
        #[command(flatten)]
        host: Host,
    },
    /// Show one task, with its runs that have not ended and what they wait for
    Show {
        #[command(flatten)]
        host: Host,
        #[command(flatten)]
        task: Task,
    },
    /// Run a task now
    ///
    /// The run obeys the overlap policy of the task, and waits for the tasks on which it
    /// depends, unless it is forced.
    ///
    /// Exit code: 0 if the run was accepted (with --wait: if it was successful), 1 if it failed,
    /// 2 if it was refused, 3 if no host runs with this configuration.
    Run {
        #[command(flatten)]
        host: Host,
        #[command(flatten)]
        task: Task,
        /// The arguments of the run, a JSON object
        #[arg(long, value_name = "JSON", default_value = "{}")]
        arguments: String,
        /// Run it whatever the overlap policy says, and without its dependencies
        #[arg(long)]
        force: bool,
        /// Wait until the run has ended
        #[arg(long)]
        wait: bool,
    },
    /// Let no run of a task begin; runs that are due are recorded as skipped
    Pause {
        #[command(flatten)]
        host: Host,
        #[command(flatten)]
        task: Task,
    },
    /// Let runs of a paused task begin again
    Resume {
        #[command(flatten)]
        host: Host,
        #[command(flatten)]
        task: Task,
    },
    /// Give a disabled task its schedule back
    Enable {
        #[command(flatten)]
        host: Host,
        #[command(flatten)]
        task: Task,
    },
    /// Take the schedule of a task away, and cancel its runs that have not begun
    Disable {
        #[command(flatten)]
        host: Host,
        #[command(flatten)]
        task: Task,
    },
    /// Ask a run to stop
    ///
    /// A run that waits is cancelled at once. One that is under way is asked to stop, and is
    /// cancelled when its code has stopped.
    Cancel {
        #[command(flatten)]
        host: Host,
        /// The number of the run
        #[arg(value_name = "RUN", value_parser = run_number)]
        run: u64,
    },
    /// Show the next times of a schedule or of a task
    ///
    /// A schedule is computed without a host: a cron expression, in quotes, or an interval with
    /// --every. A time at which the clock of the zone is changed is marked. Where the clock skips a
    /// fixed time, the schedule is due right after the skipped range; of a fixed time that the clock
    /// shows twice, the first one counts; a schedule with `*` in the minute or the hour follows the
    /// clock.
    ///
    ///     hotbay task next '30 2 * * 1-5' --timezone Europe/Paris --from 2026-03-27
    ///
    /// The times of a task are those of the host that runs with the configuration. If none runs, they are
    /// computed from the configuration and its plugins; an interval is counted from now then.
    ///
    /// Exit code: 0 if the times were shown, 2 if the schedule is wrong or there is no such task.
    #[command(
        verbatim_doc_comment,
        override_usage = "hotbay task next [OPTIONS] EXPRESSION\n       \
                          hotbay task next [OPTIONS] --every DURATION\n       \
                          hotbay task next [OPTIONS] CONFIG.yaml TASK"
    )]
    Next(Next),
    /// List the runs of a task, or of all tasks, the latest first
    History {
        #[command(flatten)]
        host: Host,
        /// The task: `plugin/task`, or its name if only one plugin has a task of that name
        #[arg(value_name = "TASK")]
        task: Option<String>,
        /// How many runs to list
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_IN_ANSWER)))]
        count: u32,
        /// Only runs with a lower number than this one
        #[arg(long, value_name = "RUN", value_parser = run_number)]
        before: Option<u64>,
    },
}

/// The host that is asked, and how its answer is printed.
#[derive(Debug, Args)]
pub(super) struct Host {
    /// The configuration that the host runs with
    #[arg(value_name = "CONFIG.yaml")]
    config: PathBuf,
    /// The format of the answer
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Task {
    /// The task: `plugin/task`, or its name if only one plugin has a task of that name
    #[arg(value_name = "TASK")]
    task: String,
}

/// Reads the number of a run.
pub(super) fn run_number(text: &str) -> Result<u64, String> {
    let expected = "expected the number of a run; `hotbay task history` lists them";
    text.parse().map_err(|_| expected.to_owned())
}

/// Executes a command of `hotbay task`, and returns its exit code.
pub(super) async fn execute(command: TaskCommand) -> ExitCode {
    let done = match command {
        TaskCommand::List { host } => host.show(TaskRequest::List),
        TaskCommand::Show { host, task: Task { task } } => host.show(TaskRequest::Show { task }),
        TaskCommand::Run { host, task: Task { task }, arguments, force, wait } => {
            host.run(task, &arguments, force, wait)
        }
        TaskCommand::Pause { host, task: Task { task } } => {
            host.show(TaskRequest::Pause { task, paused: true })
        }
        TaskCommand::Resume { host, task: Task { task } } => {
            host.show(TaskRequest::Pause { task, paused: false })
        }
        TaskCommand::Enable { host, task: Task { task } } => {
            host.show(TaskRequest::Enable { task, enabled: true })
        }
        TaskCommand::Disable { host, task: Task { task } } => {
            host.show(TaskRequest::Enable { task, enabled: false })
        }
        TaskCommand::Cancel { host, run } => host.show(TaskRequest::Cancel { run }),
        TaskCommand::Next(next) => next.execute().await,
        TaskCommand::History { host, task, count, before } => {
            host.show(TaskRequest::History { task, before, limit: count })
        }
    };
    done.unwrap_or_else(|code| code)
}

impl Host {
    /// Asks the host.
    ///
    /// # Errors
    /// The exit code, after the reason was printed.
    fn ask(&self, request: TaskRequest) -> Result<TaskAnswer, ExitCode> {
        let answer = asked(&self.config, |folder| ask_tasks(folder, request))?;
        answer.map_err(|refusal| fail(&refusal.to_string()))
    }

    fn show(&self, request: TaskRequest) -> Result<ExitCode, ExitCode> {
        let answer = self.ask(request)?;
        Ok(self.print(&answer, ExitCode::SUCCESS))
    }

    fn run(
        &self,
        task: String,
        arguments: &str,
        forced: bool,
        wait: bool,
    ) -> Result<ExitCode, ExitCode> {
        let arguments: Value = serde_json::from_str(arguments)
            .map_err(|error| {
            fail(&format!(
                "--arguments is not JSON: {error}; write an object in quotes, such as '{{\"a\": 1}}'"
            ))
        })?;
        let mut answer = self.ask(TaskRequest::Run { task, arguments, forced })?;
        if !wait {
            return Ok(self.print(&answer, ExitCode::SUCCESS));
        }
        while let Some(run) = only_run(&answer).filter(|run| run.ended.is_none()) {
            thread::sleep(POLL);
            answer = self.ask(TaskRequest::Inspect { run: run.run })?;
        }
        let has_failed = only_run(&answer).is_some_and(|run| run.state != "succeeded");
        let code = if has_failed { ExitCode::from(FAILED_RUN) } else { ExitCode::SUCCESS };
        Ok(self.print(&answer, code))
    }

    fn log(&self, run: u64, follow: bool) -> Result<ExitCode, ExitCode> {
        let (mut unprinted, mut after) = (Vec::new(), 0);
        loop {
            let answer = self.ask(TaskRequest::Log { run, after })?;
            let TaskAnswer::Log { lines, has_ended } = answer else {
                return Ok(self.print(&answer, ExitCode::SUCCESS));
            };
            let is_full = lines.len() >= MOST_IN_ANSWER as usize;
            let is_last = has_ended || !(is_full || follow);
            after = lines.last().map_or(after, |line| line.number);
            unprinted.extend(lines);
            if is_last || self.output == Output::Table {
                let lines = mem::take(&mut unprinted);
                let code = self.print(&TaskAnswer::Log { lines, has_ended }, ExitCode::SUCCESS);
                if is_last || code != ExitCode::SUCCESS {
                    return Ok(code);
                }
            }
            if !is_full {
                thread::sleep(POLL);
            }
        }
    }

    fn print(&self, answer: &TaskAnswer, code: ExitCode) -> ExitCode {
        let mut page = Page::default();
        match self.output {
            Output::Json => json(&mut page, answer),
            Output::Table => match answer {
                TaskAnswer::Tasks(tasks) => list(&mut page, tasks),
                TaskAnswer::Task(task, live) => {
                    describe(&mut page, task);
                    if !live.is_empty() {
                        page.blank();
                        runs(&mut page, live);
                    }
                }
                TaskAnswer::Runs(found) => runs(&mut page, found),
                TaskAnswer::Times(times, zone) => next::of_task(times, zone).show(&mut page),
                TaskAnswer::Log { lines, .. } => lines.iter().for_each(|it| page.line(line(it))),
                TaskAnswer::Done => {}
            },
        }
        print(page, code)
    }
}

/// Returns the run of an answer about one run.
fn only_run(answer: &TaskAnswer) -> Option<&RunView> {
    let TaskAnswer::Runs(runs) = answer else { return None };
    runs.first()
}

fn json(page: &mut Page, answer: &TaskAnswer) {
    match answer {
        TaskAnswer::Tasks(tasks) => page.json(tasks),
        TaskAnswer::Task(task, runs) => {
            page.json(&serde_json::json!({ "task": task, "runs": runs }))
        }
        TaskAnswer::Runs(runs) => page.json(runs),
        TaskAnswer::Times(times, zone) => page.json(&next::of_task(times, zone)),
        TaskAnswer::Log { lines, .. } => page.json(lines),
        TaskAnswer::Done => page.json(&serde_json::json!({})),
    }
}

/// Copies the store of a running host.
pub(super) fn backup(config: &Path, file: &Path) -> ExitCode {
    let to = match std::path::absolute(file) {
        Ok(to) => to,
        Err(error) => return fail(&format!("{}: {error}", file.display())),
    };
    match asked(config, |folder| ask_tasks(folder, TaskRequest::Backup { to })) {
        Ok(Ok(_)) => ExitCode::SUCCESS,
        Ok(Err(refusal)) => fail(&refusal.to_string()),
        Err(code) => code,
    }
}

/// Prints the log of a run; with `follow`, further lines as they come, until the run has ended.
///
/// JSON is one document, and is printed at the end.
pub(super) fn run_log(host: &Host, run: u64, follow: bool) -> ExitCode {
    host.log(run, follow).unwrap_or_else(|code| code)
}
