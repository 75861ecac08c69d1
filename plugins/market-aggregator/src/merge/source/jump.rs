//! Times of a source that jump: one bad time stamp, a clock that was set, a gap.
//!
//! An event whose time is far from the source's newest one is put *aside*, and what follows
//! decides. Where the source comes back, the events aside had bad times and are left out. Where
//! it stays, its time has moved: ahead, as after a gap in a recording, the events are
//! taken as they are; back, as when a clock was set, they and all later ones are shifted so that
//! they follow what came before, because the merged stream can't go back in time.
//!
//! In a replay a source's first event is put aside as well, until the second one agrees with it.

use serde::{Deserialize, Serialize};

use super::{Entry, Moment, Progress, Source};
use crate::merge::Arrival;

/// The number of events that show that a source's time has moved. A shorter time than the
/// largest jump shows it too, see [`Source::is_settled`].
const ENOUGH: usize = 100;

/// A time of a source that was far from the times before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// Events were left out, because what came after them did not have such times.
    LeftOut {
        /// How many events were left out.
        events: u64,
        /// How far the first of them was ahead of the source's newest event, in nanoseconds;
        /// negative if it was behind.
        ahead_ns: i64,
    },
    /// The source's times went back and stayed there. They are shifted from there on.
    SetBack {
        /// How far they went back, in nanoseconds.
        by_ns: i64,
    },
}

/// Events that are far from those before, and near each other.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Aside<T> {
    side: Side,
    newest_ns: i64,
    entries: Vec<Entry<T>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Side {
    /// There was nothing before.
    First,
    Ahead,
    Behind,
}

impl<T> Source<T> {
    /// Adds the next event of the source.
    pub(in crate::merge) fn add(&mut self, mut entry: Entry<T>, moment: Moment) -> Arrival {
        let recorded_ns = entry.time_ns;
        entry.time_ns = recorded_ns.saturating_add(self.shift_ns);
        let mut side = self.side_of(entry.time_ns, moment);
        if side.is_some() && self.shift_ns != 0 && self.side_of(recorded_ns, moment).is_none() {
            // The clock that was set back was set forward again.
            (self.shift_ns, entry.time_ns, side) = (0, recorded_ns, None);
        }
        let Some(side) = side else {
            self.leave_out(entry.time_ns);
            return self.accept(entry, moment);
        };
        match self.aside.take() {
            None => self.put_aside(side, entry),
            Some(mut aside) if self.agrees(&aside, entry.time_ns) => {
                aside.newest_ns = aside.newest_ns.max(entry.time_ns);
                aside.entries.push(entry);
                let is_settled = self.is_settled(&aside);
                self.aside = Some(aside);
                return if is_settled { self.settle(moment) } else { Arrival::Held };
            }
            Some(aside) if aside.side != Side::Behind && entry.time_ns > aside.newest_ns => {
                // The source has moved on from there, so it has been there.
                self.aside = Some(aside);
                let before = self.settle(moment);
                entry.time_ns = recorded_ns;
                return before.and(self.add(entry, moment));
            }
            aside @ Some(_) => {
                self.aside = aside;
                self.leave_out(entry.time_ns);
                self.put_aside(side, entry);
            }
        }
        Arrival::Held
    }

    /// Returns on which side of the source's usual times a time is; `None` if it is one.
    fn side_of(&self, time_ns: i64, moment: Moment) -> Option<Side> {
        let jump_ns = self.limits.jump_ns;
        match self.progress {
            Progress::Silent if moment.now_ns.is_none() && jump_ns < i64::MAX => Some(Side::First),
            Progress::Silent | Progress::Ended => None,
            Progress::Reached { newest_ns } => {
                let passed_ns =
                    moment.now_ns.map_or(0, |now| now.saturating_sub(self.newest_came_ns)).max(0);
                let latest_ns = newest_ns.saturating_add(jump_ns).saturating_add(passed_ns);
                let ahead = (time_ns > latest_ns).then_some(Side::Ahead);
                let behind = time_ns < self.earliest(newest_ns);
                ahead.or(behind.then_some(Side::Behind))
            }
        }
    }

    fn earliest(&self, newest_ns: i64) -> i64 {
        newest_ns.saturating_sub(self.limits.lateness_ns).saturating_sub(self.limits.jump_ns)
    }

    fn agrees(&self, aside: &Aside<T>, time_ns: i64) -> bool {
        let latest_ns = aside.newest_ns.saturating_add(self.limits.jump_ns);
        (self.earliest(aside.newest_ns)..=latest_ns).contains(&time_ns)
    }

    fn is_settled(&self, aside: &Aside<T>) -> bool {
        let passed_ns = aside.newest_ns.saturating_sub(aside.entries[0].time_ns);
        aside.side == Side::First
            || aside.entries.len() >= ENOUGH
            || passed_ns >= self.limits.jump_ns
    }

    fn put_aside(&mut self, side: Side, entry: Entry<T>) {
        self.aside = Some(Aside { side, newest_ns: entry.time_ns, entries: vec![entry] });
    }

    /// Leaves the events aside out, because the source is elsewhere, at `now_at_ns`.
    fn leave_out(&mut self, now_at_ns: i64) {
        let Some(Aside { side, entries, .. }) = self.aside.take() else { return };
        let events = entries.iter().filter(|entry| entry.item.is_some()).count() as u64;
        match side {
            Side::First | Side::Ahead => self.jumped += events,
            Side::Behind => self.late += events,
        }
        let newest_ns = match self.progress {
            Progress::Reached { newest_ns } => newest_ns,
            Progress::Silent | Progress::Ended => now_at_ns,
        };
        let ahead_ns = entries[0].time_ns.saturating_sub(newest_ns);
        self.jumps.push(Jump::LeftOut { events, ahead_ns });
    }

    /// Accepts the events aside: the source's time has moved there.
    pub(super) fn settle(&mut self, moment: Moment) -> Arrival {
        let Some(Aside { side, entries, .. }) = self.aside.take() else { return Arrival::Held };
        let mut by_ns = 0;
        if let (Side::Behind, Progress::Reached { newest_ns }) = (side, self.progress) {
            by_ns = newest_ns.saturating_sub(entries[0].time_ns);
            self.shift_ns = self.shift_ns.saturating_add(by_ns);
            self.jumps.push(Jump::SetBack { by_ns });
        }
        entries.into_iter().fold(Arrival::Held, |before, mut entry| {
            entry.time_ns = entry.time_ns.saturating_add(by_ns);
            before.and(self.accept(entry, moment))
        })
    }

    /// Returns the jumps since the last call.
    pub(in crate::merge) fn take_jumps(&mut self) -> Vec<Jump> {
        std::mem::take(&mut self.jumps)
    }
}
