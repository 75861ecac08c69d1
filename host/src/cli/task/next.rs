//! `hotbay task next`: the times of a schedule or of a task, with or without a running host.

use std::{path::Path, process::ExitCode, time::Duration};

use clap::Args;
use hotbay_config::closest;
use hotbay_daemon::{
    ClockChange, CronError, DryRun, MOST_IN_ANSWER, ShownTime, TaskAnswer, TaskRequest, ask_tasks,
};
use hotbay_store::clock;
use jiff::{
    SignedDuration, Timestamp, Unit, Zoned,
    civil::{Date, DateTime},
    tz::{TimeZone, db},
};
use serde::Serialize;

use super::{Host, Output, Page, Table, fail, print};
use crate::cli::{run::prepare_to_check, status::answered};

/// The shortest interval that a task can have.
const SHORTEST: Duration = Duration::from_millis(1);

#[derive(Debug, Args)]
pub(in crate::cli) struct Next {
    /// A cron expression in quotes; or the configuration that a host runs with, and the task:
    /// `plugin/task`, or its name if only one plugin has a task of that name
    #[arg(value_name = "WHAT", required_unless_present = "every", conflicts_with = "every")]
    what: Vec<String>,
    /// An interval, such as 5m, which is counted from the time of --from
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    every: Option<Duration>,
    /// The IANA time zone of the schedule, such as Europe/Paris; by default UTC, as in a
    /// configuration
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// How many times to show
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_IN_ANSWER)))]
    count: u32,
    /// Show what is due after this time, as `2026-12-24T18:00:00Z`, or as `2026-12-24 18:00` or
    /// `2026-12-24` (with midnight) on the clock of the zone; now by default
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The format of the times
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Where the schedule of a task was found.
const RUNNING: &str = "the running host";
const CONFIGURATION: &str = "the configuration and its plugins, as no host runs";

/// The times of a schedule, as they are printed.
#[derive(Debug, Serialize)]
pub(super) struct Times {
    /// Where the schedule of a task was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    zone: String,
    times: Vec<ShownTime>,
}

impl Next {
    /// Prints the times.
    ///
    /// # Errors
    /// The exit code, after the reason was printed.
    pub(super) async fn execute(self) -> Result<ExitCode, ExitCode> {
        let times = match (self.every, &self.what[..]) {
            (Some(interval), _) => self.every(interval),
            (None, [config, _]) if self.timezone.is_some() => Err(format!(
                "--timezone is that of a cron expression; a task of {config} has its own. (A cron \
                 expression has to be in quotes.)"
            )),
            (None, [config, task]) => match self.ask(config, task)? {
                Some(code) => return Ok(code),
                None => self.dry_run(config.as_ref(), task).await?,
            },
            (None, [config]) if config.ends_with(".yaml") || config.ends_with(".yml") => {
                Err(format!(
                    "name the task as well: `hotbay task next {config} TASK`; `hotbay task list \
                     {config}` lists them"
                ))
            }
            (None, [expression]) => self.cron(expression),
            (None, words) => Err(format!(
                "expected one cron expression, or a configuration and a task, but found {} words; \
                 put the expression in quotes, such as '30 2 * * 1-5', so that the shell does not \
                 replace its `*` by the names of files",
                words.len()
            )),
        };
        let times = times.map_err(|problem| fail(&problem))?;
        let mut page = Page::default();
        match self.output {
            Output::Json => page.json(&times),
            Output::Table => times.show(&mut page),
        }
        Ok(print(page, ExitCode::SUCCESS))
    }

    fn cron(&self, expression: &str) -> Result<Times, String> {
        let zone = self.timezone.as_deref().unwrap_or("UTC");
        let schedule = DryRun::cron(expression, zone).map_err(|error| match error {
            CronError::UnknownZone { zone } => unknown(&zone),
            CronError::Syntax { .. } | CronError::NeverMatches { .. } => error.to_string(),
        })?;
        let after = self.start(&time_zone(zone)?)?.map_or_else(clock::now, Start::after);
        Ok(self.times(&schedule, zone, after))
    }

    fn every(&self, interval: Duration) -> Result<Times, String> {
        let name = self.timezone.as_deref().unwrap_or("UTC");
        let zone = time_zone(name)?;
        let now = || Start::After(clock::now().round(Unit::Second).unwrap_or_default());
        let start = self.start(&zone)?.unwrap_or_else(now);
        let (Start::At(anchor) | Start::After(anchor)) = start;
        Ok(self.times(&DryRun::every(interval, anchor, zone), name, start.after()))
    }

    fn times(&self, schedule: &DryRun, zone: &str, after: Timestamp) -> Times {
        let times = schedule.times_after(after).take(self.count as usize).collect();
        Times { source: None, schedule: Some(schedule.words()), zone: zone.to_owned(), times }
    }

    /// Computes the times of a task from a configuration and its plugins, without a running host.
    async fn dry_run(&self, config: &Path, task: &str) -> Result<Result<Times, String>, ExitCode> {
        let host = prepare_to_check(config).await?;
        let schedule = host.dry_run(task);
        host.close().await;
        Ok(schedule.and_then(|schedule| {
            let zone = schedule.zone().to_owned();
            let after = self.start(&time_zone(&zone)?)?.map_or_else(clock::now, Start::after);
            Ok(Times { source: Some(CONFIGURATION), ..self.times(&schedule, &zone, after) })
        }))
    }

    /// Asks the host that runs with a configuration. Returns nothing if there is none.
    fn ask(&self, config: &str, task: &str) -> Result<Option<ExitCode>, ExitCode> {
        let host = Host { config: config.into(), output: self.output };
        let request = |from, count| TaskRequest::Next { task: task.to_owned(), from, count };
        if answered(&host.config, |folder| ask_tasks(folder, request(None, 1)))?.is_none() {
            return Ok(None);
        }
        self.ask_running(&host, request).map(Some)
    }

    fn ask_running(
        &self,
        host: &Host,
        request: impl Fn(Option<Timestamp>, u32) -> TaskRequest,
    ) -> Result<ExitCode, ExitCode> {
        let Some(text) = &self.from else { return host.show(request(None, self.count)) };
        // A local time is meant in the zone of the task, which the host knows.
        let zone = match text.parse::<Timestamp>() {
            Ok(_) => TimeZone::UTC,
            Err(_) => {
                let answer = host.ask(request(None, 1))?;
                let TaskAnswer::Times(_, zone) = answer else { return host.show(request(None, 1)) };
                TimeZone::get(&zone).unwrap_or(TimeZone::UTC)
            }
        };
        let start = self.start(&zone).map_err(|problem| fail(&problem))?;
        host.show(request(start.map(Start::after), self.count))
    }

    /// Returns the start of what is shown, unless that is now.
    fn start(&self, zone: &TimeZone) -> Result<Option<Start>, String> {
        self.from.as_deref().map(|text| Start::read(text, zone)).transpose()
    }
}

/// Returns the times of a task of a running host.
pub(super) fn of_task(times: &[Timestamp], zone: &str) -> Times {
    let found = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let times = times.iter().map(|at| ShownTime::new(*at, &found)).collect();
    Times { source: Some(RUNNING), schedule: None, zone: zone.to_owned(), times }
}

impl Times {
    pub(super) fn show(&self, page: &mut Page) {
        if let Some(schedule) = &self.schedule {
            page.line(schedule);
        }
        if let Some(source) = self.source {
            page.line(format_args!("schedule of {source}"));
        }
        if self.times.is_empty() {
            return page.line("it is not due any more");
        }
        let has_notes = self.times.iter().any(|time| time.clock_change.is_some());
        let columns = [&self.zone, "offset", "UTC", "clock change"];
        let shown = match (has_notes, self.zone.as_str()) {
            (true, _) => 4,
            (false, "UTC") => 1,
            (false, _) => 3,
        };
        let mut table = Table::new(&columns[..shown]);
        for ShownTime { local, utc, clock_change } in &self.times {
            let cells = [
                local.strftime("%a %Y-%m-%d %H:%M:%S%.f").to_string(),
                local.strftime("%:z").to_string(),
                utc.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                clock_change.map(note).unwrap_or_default(),
            ];
            // A time is never wrapped at its spaces.
            let cells = cells.map(|cell| cell.replace(' ', super::super::table::NO_BREAK));
            table.row(&cells[..shown]);
        }
        page.table(&table);
    }
}

fn note(change: ClockChange) -> String {
    match change {
        ClockChange::MovedFrom(skipped) => format!("{} skipped", skipped.strftime("%H:%M:%S")),
        ClockChange::FirstOfTwo => "first of two".to_owned(),
        ClockChange::SecondOfTwo => "second of two".to_owned(),
    }
}

/// The start of what is shown.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// A date, whose midnight is shown as well.
    At(Timestamp),
    /// A time, which is not shown.
    After(Timestamp),
}

impl Start {
    /// Reads a time: with an offset or a zone, or on the clock of `zone`.
    fn read(text: &str, zone: &TimeZone) -> Result<Self, String> {
        let of_zone = |civil: DateTime| zone.to_ambiguous_timestamp(civil).compatible().ok();
        // A date can be read as a time as well.
        let is_date = !text.contains([':', 'T', ' ']);
        let date = || of_zone(text.parse::<Date>().ok()?.into()).filter(|_| is_date);
        let zoned = || text.parse::<Zoned>().ok().map(|it| it.timestamp());
        let time = || text.parse().ok().or_else(zoned).or_else(|| of_zone(text.parse().ok()?));
        date().map(Self::At).or_else(|| time().map(Self::After)).ok_or_else(|| {
            format!(
                "--from {text} is no time; write it as 2026-12-24, 2026-12-24T18:00 or \
                 2026-12-24T18:00:00Z"
            )
        })
    }

    /// Returns the time after which times are shown.
    fn after(self) -> Timestamp {
        match self {
            Self::At(at) => at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at),
            Self::After(after) => after,
        }
    }
}

fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| unknown(name))
}

fn unknown(zone: &str) -> String {
    let known: Vec<_> = db().available().map(|name| name.to_string()).collect();
    let hint = match closest(zone, known.iter().map(String::as_str)) {
        Some(likely) => format!("did you mean `{likely}`?"),
        None => "use a name of the IANA database, such as `Europe/Paris`, or `UTC`".to_owned(),
    };
    format!("there is no time zone `{zone}`; {hint}")
}

fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(interval) if interval >= SHORTEST => Ok(interval),
        Ok(_) => Err("the shortest interval is 1ms".to_owned()),
        Err(error) => Err(format!("{error}; expected a duration such as 5m or 1h 30m")),
    }
}
