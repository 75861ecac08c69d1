//! Replays a raw capture of the exchange's messages from a file.

use std::{path::Path, time::Duration};

use hotbay_line_source::{LineReader, OpenError, ReadError, Recording};
use hotbay_plugin_api::Context;
use serde::{Deserialize, Serialize};

use crate::{intake::Intake, split_line};

/// The largest number of lines in a turn; skipping so many takes less than 2 ms.
const LINES_PER_TURN: usize = 4096;

#[derive(Debug)]
pub(crate) struct Capture {
    lines: LineReader,
    /// The number of lines that an earlier build published. They are read again and skipped,
    /// because gzip does not allow seeking.
    skip: u64,
    pace: Pace,
}

/// The position in a capture, as it is saved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The number of lines that were read.
    pub(crate) lines: u64,
    /// The start of the replay's pace, if it is limited and has begun.
    start: Option<Start>,
}

/// Why a turn has ended.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The turn reached its limit; there may be more lines.
    More,
    /// The next line is due after this time.
    Wait(Duration),
    /// The capture has ended.
    End,
}

impl Capture {
    pub(crate) fn open(path: &Path, speed: Option<f64>) -> Result<Self, OpenError> {
        let lines = LineReader::new(Recording::open(path)?);
        let pace = match speed {
            None => Pace::Unbound,
            Some(speed) => Pace::Unstarted { speed },
        };
        Ok(Self { lines, skip: 0, pace })
    }

    pub(crate) fn path(&self) -> &Path {
        self.lines.recording().path()
    }

    pub(crate) fn place(&self) -> Place {
        let start = match self.pace {
            Pace::Unbound | Pace::Unstarted { .. } => None,
            Pace::Started { start, .. } => Some(start),
        };
        Place { lines: self.lines.passed().max(self.skip), start }
    }

    /// Continues after this position, which must not be before the current one.
    pub(crate) fn resume(&mut self, place: &Place) {
        self.skip = place.lines;
        if let (Pace::Unstarted { speed } | Pace::Started { speed, .. }, Some(start)) =
            (&self.pace, place.start)
        {
            self.pace = Pace::Started { speed: *speed, start };
        }
    }

    /// Reads the next lines. The caller must flush the intake afterwards, also after an error.
    pub(crate) fn turn(&mut self, intake: &mut Intake) -> Result<Turn, ReadError> {
        let turn = self.read(intake);
        let recording = self.lines.recording();
        intake.context().progress(recording.bytes_done(), recording.bytes_total());
        turn
    }

    fn read(&mut self, intake: &mut Intake) -> Result<Turn, ReadError> {
        if self.lines.passed() < self.skip {
            return self.pass_over();
        }
        for _ in 0..LINES_PER_TURN {
            if intake.is_full() {
                break;
            }
            let Some(line) = self.lines.peek()? else { return Ok(Turn::End) };
            if line.bytes.trim_ascii().is_empty() {
                self.lines.advance();
                continue;
            }
            match split_line(line.bytes) {
                Ok((recorded_ns, json)) => {
                    if let Some(wait) = self.pace.wait(recorded_ns, intake.context()) {
                        return Ok(Turn::Wait(wait));
                    }
                    intake.take(line.number, recorded_ns, json);
                }
                Err(damaged) => intake.damaged(line.number, &damaged),
            }
            self.lines.advance();
        }
        Ok(Turn::More)
    }

    /// Skips some of the lines that an earlier build published, so few that the turn stays short.
    fn pass_over(&mut self) -> Result<Turn, ReadError> {
        for _ in 0..LINES_PER_TURN {
            if self.lines.passed() == self.skip {
                break;
            }
            if self.lines.peek()?.is_none() {
                return Ok(Turn::End);
            }
            self.lines.advance();
        }
        Ok(Turn::More)
    }
}

/// The start of the pace: the recorded time of a line, and the time when it was published.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Start {
    recorded_ns: i64,
    clock_ns: i64,
}

/// Determines when a recorded line is due.
#[derive(Debug)]
enum Pace {
    Unbound,
    Unstarted { speed: f64 },
    Started { speed: f64, start: Start },
}

impl Pace {
    /// Returns the time until a line is due, or `None` if it is due now.
    fn wait(&mut self, recorded_ns: i64, context: &Context) -> Option<Duration> {
        match *self {
            Self::Unbound => None,
            Self::Unstarted { speed } => {
                let start = Start { recorded_ns, clock_ns: context.now_ns() };
                *self = Self::Started { speed, start };
                None
            }
            Self::Started { speed, start: Start { recorded_ns: first_ns, clock_ns } } => {
                let passed = Duration::from_nanos(u64::try_from(recorded_ns - first_ns).ok()?);
                let due = passed.div_f64(speed);
                let gone = u64::try_from(context.now_ns().saturating_sub(clock_ns)).unwrap_or(0);
                due.checked_sub(Duration::from_nanos(gone)).filter(|wait| !wait.is_zero())
            }
        }
    }
}
