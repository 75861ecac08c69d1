//! A raw capture, read to its end.

use std::{path::Path, time::Duration};

use hotbay_line_source::{LineReader, OpenError, ReadError, Recording};
use hotbay_plugin_api::Context;

use crate::{intake::Intake, split_line};

/// How many lines a turn takes at most: under 2 ms of skipping.
const LINES_PER_TURN: usize = 4096;

#[derive(Debug)]
pub(crate) struct Capture {
    lines: LineReader,
    pace: Pace,
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
        Ok(Self { lines, pace })
    }

    /// Takes the next lines in. Afterwards, also after an error, a flush is due.
    pub(crate) fn turn(&mut self, intake: &mut Intake) -> Result<Turn, ReadError> {
        let turn = self.read(intake);
        let recording = self.lines.recording();
        intake.context().progress(recording.bytes_done(), recording.bytes_total());
        turn
    }

    fn read(&mut self, intake: &mut Intake) -> Result<Turn, ReadError> {
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
}

/// When a recorded line is due.
#[derive(Debug)]
enum Pace {
    Unbound,
    Unstarted { speed: f64 },
    Started { speed: f64, recorded_ns: i64, clock_ns: i64 },
}

impl Pace {
    /// How long a line is still to wait; `None` if it is due.
    fn wait(&mut self, recorded_ns: i64, context: &Context) -> Option<Duration> {
        match *self {
            Self::Unbound => None,
            Self::Unstarted { speed } => {
                *self = Self::Started { speed, recorded_ns, clock_ns: context.now_ns() };
                None
            }
            Self::Started { speed, recorded_ns: first_ns, clock_ns } => {
                let passed = Duration::from_nanos(u64::try_from(recorded_ns - first_ns).ok()?);
                let due = passed.div_f64(speed);
                let gone = u64::try_from(context.now_ns().saturating_sub(clock_ns)).unwrap_or(0);
                due.checked_sub(Duration::from_nanos(gone)).filter(|wait| !wait.is_zero())
            }
        }
    }
}
