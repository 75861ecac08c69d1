//! Waits for facts to become true, with a time limit.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for something that should come at once. Long, because
/// the machine may be busy; no test waits that long when all is well.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Looks until `fact` gives something.
///
/// # Panics
/// If that takes longer than [`LIMIT`]; the message says what was waited for.
pub fn until<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = fact() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "waited {LIMIT:?} in vain for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
