//! A raw capture, read to its end.

use std::{path::Path, time::Duration};

use hotbay_line_source::{LineReader, OpenError, ReadError, Recording};
use hotbay_plugin_api::Context;
use serde::{Deserialize, Serialize};

use crate::{intake::Intake, split_line};

/// How many lines a turn takes at most: under 2 ms of skipping.
const LINES_PER_TURN: usize = 4096;

#[derive(Debug)]
pub(crate) struct Capture {
    lines: LineReader,
    /// So many lines were taken in by an earlier build. They are read once more and passed
    /// over: gzip has no other way to a place in the middle.
    skip: u64,
    pace: Pace,
}

/// How far a capture has been taken in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// How many lines.
    pub(crate) lines: u64,
    /// Since when its pace is kept, if it is.
    start: Option<Start>,
}

/// Why a turn is over.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Enough for one turn.
    More,
    /// The next line is due only after this time.
    Wait(Duration),
    /// There is no further line.
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

    /// Goes on behind this place, which must not be before the own one.
    pub(crate) fn resume(&mut self, place: &Place) {
        self.skip = place.lines;
        if let (Pace::Unstarted { speed } | Pace::Started { speed, .. }, Some(start)) =
            (&self.pace, place.start)
        {
            self.pace = Pace::Started { speed: *speed, start };
        }
    }

    /// Takes the next lines in. Afterwards, also after an error, a flush is due.
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

    /// Some of what an earlier build took in; in portions, so that a turn stays short.
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

/// Where the pace began: a line, and when it was published.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Start {
    recorded_ns: i64,
    clock_ns: i64,
}

/// When a recorded line is due.
#[derive(Debug)]
enum Pace {
    Unbound,
    Unstarted { speed: f64 },
    Started { speed: f64, start: Start },
}

impl Pace {
    /// How long a line is still to wait; `None` if it is due.
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
