//! The signals that `hotbay run` handles.
//!
//! SIGTERM and SIGINT ask for a stop, SIGHUP asks for a look at everything that may have changed.
//! A second SIGTERM or SIGINT ends the process at once, whatever it does; SIGQUIT does so by
//! itself. A terminal and a wrapper, or a supervisor that signals a process and its group, send the
//! same signal twice within milliseconds: that is one request.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use hotbay_daemon::HostHandle;
use hotbay_loader::exit_at_once;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use tokio::sync::watch;

use super::output::{err, flush};

/// The time within which the same signal counts once.
const ONE_REQUEST: Duration = Duration::from_millis(100);

/// The time that the last line of a process gets that ends at once.
const LAST_LINE: Duration = Duration::from_millis(50);

/// The exit code of a process that was told twice to stop.
const STOPPED_TWICE: i32 = 130;

/// Becomes `true` at the first request to stop.
pub(super) type Stop = watch::Receiver<bool>;

/// Handles signals from now on. SIGHUP reaches the host once `running` has it.
///
/// # Errors
/// If the system does not let the process handle them.
pub(super) fn listen(running: Arc<OnceLock<HostHandle>>) -> std::io::Result<Stop> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (stop, stopped) = watch::channel(false);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut requests = Requests::default();
        for signal in signals.forever() {
            match requests.take(signal, Instant::now()) {
                Some(Request::Reload) => running.get().into_iter().for_each(HostHandle::reload),
                Some(Request::Stop) => drop(stop.send_replace(true)),
                Some(Request::Exit) => {
                    err("hotbay: stopped at once, as asked twice");
                    flush(Some(LAST_LINE));
                    exit_at_once(STOPPED_TWICE);
                }
                None => {}
            }
        }
    })?;
    Ok(stopped)
}

/// Waits for the first request to stop.
pub(super) async fn requested(mut stop: Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // The thread lives as long as the process; without it, no request can come.
        std::future::pending::<()>().await;
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Reload,
    Stop,
    Exit,
}

/// The signals so far.
#[derive(Debug, Default)]
struct Requests {
    /// When each signal was a request last.
    last: HashMap<i32, Instant>,
    stops: bool,
}

impl Requests {
    /// Returns what a signal asks for, if it is not the last one once more.
    fn take(&mut self, signal: i32, now: Instant) -> Option<Request> {
        let is_again = |at: &Instant| now.saturating_duration_since(*at) < ONE_REQUEST;
        if self.last.get(&signal).is_some_and(is_again) {
            return None;
        }
        self.last.insert(signal, now);
        if signal == SIGHUP {
            return Some(Request::Reload);
        }
        Some(if std::mem::replace(&mut self.stops, true) { Request::Exit } else { Request::Stop })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_signal_within_a_moment_is_one_request_and_a_later_or_another_one_counts() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let take = |signals: &[(i32, u64)]| {
            let mut requests = Requests::default();
            signals
                .iter()
                .map(|(signal, millis)| requests.take(*signal, at(*millis)))
                .collect::<Vec<_>>()
        };
        let (stop, exit, reload) =
            (Some(Request::Stop), Some(Request::Exit), Some(Request::Reload));
        assert_eq!(take(&[(SIGTERM, 0), (SIGTERM, 3), (SIGTERM, 99)]), [stop, None, None]);
        assert_eq!(take(&[(SIGTERM, 0), (SIGTERM, 60), (SIGTERM, 110)]), [stop, None, exit]);
        assert_eq!(take(&[(SIGINT, 0), (SIGTERM, 1)]), [stop, exit]);
        assert_eq!(take(&[(SIGHUP, 0), (SIGHUP, 1), (SIGHUP, 200)]), [reload, None, reload]);
        assert_eq!(take(&[(SIGHUP, 0), (SIGTERM, 1), (SIGTERM, 500)]), [reload, stop, exit]);
        assert_eq!(take(&[(SIGTERM, 0), (SIGHUP, 1), (SIGTERM, 2)]), [stop, reload, None]);
    }
}
