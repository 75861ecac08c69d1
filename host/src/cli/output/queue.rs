//! The queue in front of standard error, and the thread that empties it.
//!
//! Whoever adds a line holds the lock for the time of a push. The thread never holds it while it
//! writes, so a write that does not return delays nobody. A line that finds no room, or that cannot
//! be written, is lost and counted; the next line that can be written is preceded by the count.
//! `hotbay status` has the total.

use std::{
    collections::VecDeque,
    os::fd::BorrowedFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{WhenFull, descriptor::write_all};

/// The number of bytes that wait at most.
const CAPACITY: usize = 1 << 20;

/// The number of bytes of the longest line. The rest of a longer one is left out.
const LONGEST_LINE: usize = 16 << 10;

/// Takes the progress line off the terminal.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// The queue; clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Notified when there is something to write, and when something was written.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<String>,
    /// The bytes of the lines that wait.
    bytes: usize,
    capacity: usize,
    when_full: WhenFull,
    /// A write is under way.
    writes: bool,
    /// The last write succeeded.
    works: bool,
    lost: u64,
    /// How many of the lost lines the log has told about.
    told: u64,
    progress: Option<String>,
    /// The progress line differs from the one on the terminal.
    progress_changed: bool,
}

/// One write.
struct Work {
    text: String,
    /// The number of lines of the queue in it.
    lines: u64,
    /// The number of lost lines that it tells about.
    tells: u64,
}

impl Queue {
    /// Makes a queue, and starts the thread that writes its lines to a descriptor.
    pub(super) fn start(to: BorrowedFd<'static>) -> Self {
        let queue =
            Self(Arc::new(Shared { state: Mutex::new(State::new()), changed: Condvar::new() }));
        let of_thread = queue.clone();
        let started = thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut mid_line = false;
            loop {
                let Work { text, lines, tells } = of_thread.next(mid_line);
                let written = write_all(to, text.as_bytes());
                mid_line = written.as_ref().is_err_and(|it| mid_line || it.written > 0);
                of_thread.settle(written.is_ok(), lines, tells);
            }
        });
        if started.is_err() {
            // Nothing will be written, so nobody may wait for it.
            queue.state().capacity = 0;
        }
        queue
    }

    pub(super) fn when_full(&self, policy: WhenFull) {
        self.state().when_full = policy;
        self.0.changed.notify_all();
    }

    /// Adds a line that ends with a line feed.
    pub(super) fn push(&self, mut line: String) {
        shorten(&mut line);
        let mut state = self.state();
        while !state.has_room(&line) && state.when_full == WhenFull::Wait && state.capacity > 0 {
            state = self.wait(state);
        }
        if state.has_room(&line) {
            state.bytes += line.len();
            state.waiting.push_back(line);
        } else {
            state.lost += 1;
        }
        drop(state);
        self.0.changed.notify_all();
    }

    pub(super) fn show_progress(&self, line: Option<String>) {
        let mut state = self.state();
        if state.progress != line && state.capacity > 0 {
            state.progress = line;
            state.progress_changed = true;
            drop(state);
            self.0.changed.notify_all();
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    /// Waits until nothing waits, at most for `limit`.
    pub(super) fn flush(&self, limit: Option<Duration>) {
        let began = Instant::now();
        let mut state = self.state();
        while state.writes || state.has_work() {
            state = match limit.map(|limit| limit.saturating_sub(began.elapsed())) {
                Some(Duration::ZERO) => return,
                Some(rest) => {
                    let waited = self.0.changed.wait_timeout(state, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.wait(state),
            };
        }
    }

    /// Waits for work, and takes it.
    fn next(&self, mid_line: bool) -> Work {
        let mut state = self.state();
        while !state.has_work() {
            state = self.wait(state);
        }
        state.writes = true;
        let work = state.take(mid_line);
        drop(state);
        self.0.changed.notify_all();
        work
    }

    /// Notes how a write ended.
    fn settle(&self, succeeded: bool, lines: u64, tells: u64) {
        let mut state = self.state();
        state.writes = false;
        state.works = succeeded;
        if succeeded {
            state.told += tells;
        } else {
            state.lost += lines;
        }
        drop(state);
        self.0.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            capacity: CAPACITY,
            when_full: WhenFull::Wait,
            writes: false,
            works: true,
            lost: 0,
            told: 0,
            progress: None,
            progress_changed: false,
        }
    }

    fn has_room(&self, line: &str) -> bool {
        self.bytes + line.len() <= self.capacity
    }

    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.progress_changed || (self.works && self.lost > self.told)
    }

    /// Takes what is to be written next. `mid_line` says that the last write ended within a line.
    fn take(&mut self, mid_line: bool) -> Work {
        let shows_progress = self.progress.is_some() || self.progress_changed;
        let mut text = String::new();
        if mid_line {
            text.push('\n');
        }
        if shows_progress {
            text.push_str(CLEAR_LINE);
        }
        let tells = self.lost - self.told;
        if tells > 0 {
            text.push_str(&loss(tells));
        }
        let line = self.waiting.pop_front();
        let lines = line.iter().len() as u64;
        if let Some(line) = line {
            self.bytes -= line.len();
            text.push_str(&line);
        }
        text.push_str(self.progress.as_deref().unwrap_or_default());
        self.progress_changed = false;
        Work { text, lines, tells }
    }
}

/// The line that tells about lost lines.
fn loss(count: u64) -> String {
    let now = hotbay_store::rfc3339::seconds(SystemTime::now());
    let lines = if count == 1 { "1 line" } else { &format!("{count} lines") };
    format!("{now}  WARN hotbay::log: {lines} of the log could not be written\n")
}

/// Leaves out what is too long for one line.
fn shorten(line: &mut String) {
    if line.len() > LONGEST_LINE {
        let mut end = LONGEST_LINE;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let left_out = line.len() - end;
        line.truncate(end);
        line.push_str(&format!("… ({left_out} more bytes)\n"));
    }
}
