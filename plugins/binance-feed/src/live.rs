//! A live websocket that reconnects when the connection is lost.
//!
//! A socket belongs to one build. The next build opens its own before its first turn:
//! messages that the exchange sends between the old build's last turn and that moment are
//! lost, as with a lost connection. None comes twice, because the old socket is not read again.

use std::{mem, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use hotbay_plugin_api::{Context, SchedulerError};
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::{client::IntoClientRequest, handshake::client::Request};

use crate::{
    Connection,
    attempts::ConnectLimit,
    intake::Intake,
    socket::{Loss, Socket, connect, receive},
};

/// The time limit for sending the close frame.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The time limit of connecting while a new build initializes; its turns try again.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(2);
/// The number of doublings after which every delay is the longest one.
const DOUBLINGS: u32 = 64;

#[derive(Debug)]
pub(crate) struct Live {
    url: String,
    request: Request,
    settings: Connection,
    state: State,
    limit: ConnectLimit,
    backoff: ExponentialBackoff,
    /// The number of attempts since the last connection that proved itself.
    attempts: u32,
}

/// The saved state: the reconnection attempts and delay, without the socket.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Attempts {
    attempts: u32,
    /// The delay before the next attempt, if one is due.
    delay: Option<Duration>,
    /// When connections were made.
    made: Vec<i64>,
}

#[derive(Debug)]
enum State {
    Connecting,
    Waiting(Duration),
    Open { socket: Box<Socket>, since_ns: i64 },
    Closed,
}

impl Live {
    pub(crate) fn new(url: &str, settings: Connection) -> Result<Self, SchedulerError> {
        let request = url.into_client_request().map_err(|error| {
            SchedulerError::TaskInitialization(format!("{url} is not a websocket's url: {error}"))
        })?;
        // Another part of the process may have installed a provider; then that one is used.
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("the process has a TLS provider already");
        }
        let authority = request.uri().authority().map(ToString::to_string);
        Ok(Self {
            url: url.to_owned(),
            limit: ConnectLimit::of(&authority.unwrap_or_default()),
            request,
            settings,
            state: State::Connecting,
            backoff: backoff(settings),
            attempts: 0,
        })
    }

    pub(crate) fn attempts(&self) -> Attempts {
        let delay = match self.state {
            State::Waiting(delay) => Some(delay),
            State::Connecting | State::Open { .. } | State::Closed => None,
        };
        Attempts { attempts: self.attempts, delay, made: self.limit.made() }
    }

    /// Restores the saved state of another build, without its connection.
    ///
    /// An open socket is dropped: if another build has run since this one's last turn, that
    /// build has already published the messages that wait in the socket.
    pub(crate) fn resume(&mut self, saved: &Attempts) {
        self.attempts = saved.attempts;
        self.limit.restore(&saved.made);
        self.backoff = backoff(self.settings);
        for _ in 0..saved.attempts.min(DOUBLINGS) {
            self.backoff.next();
        }
        self.state = saved.delay.map_or(State::Connecting, State::Waiting);
    }

    /// Connects before the first turn, so that few messages are lost between two builds.
    pub(crate) async fn take_over(&mut self, context: &Context) {
        if !matches!(self.state, State::Connecting) || self.limit.make(context.now_ns()).is_err() {
            return;
        }
        let limit = Duration::from_millis(self.settings.connect_timeout_ms).min(TAKE_OVER_LIMIT);
        match connect(&self.request, limit, context).await {
            Ok(Some(socket)) => {
                tracing::info!(url = self.url, "connected, in place of the build before");
                self.state = open(socket, context);
            }
            Ok(None) => {}
            // The first turn tries again, and a failure there is counted.
            Err(loss) => {
                let cause = SchedulerError::execution(loss);
                tracing::warn!(url = self.url, %cause, "not connected yet");
            }
        }
    }

    /// Runs one turn: connects, waits before reconnecting, or reads the available messages.
    pub(crate) async fn turn(&mut self, intake: &mut Intake) -> Result<(), SchedulerError> {
        let loss = match &mut self.state {
            State::Waiting(delay) => {
                let context = intake.context();
                tokio::select! {
                    () = context.sleep(*delay) => self.state = State::Connecting,
                    () = context.cancelled() => {}
                }
                None
            }
            State::Connecting => {
                let context = intake.context();
                if let Err(wait) = self.limit.make(context.now_ns()) {
                    tracing::warn!(
                        url = self.url,
                        wait_ms = wait.as_millis(),
                        "the exchange allows no more connections in five minutes; waiting"
                    );
                    self.state = State::Waiting(wait);
                    return Ok(());
                }
                let limit = Duration::from_millis(self.settings.connect_timeout_ms);
                match connect(&self.request, limit, context).await {
                    Ok(Some(socket)) => {
                        tracing::info!(url = self.url, "connected");
                        self.state = open(socket, context);
                        None
                    }
                    Ok(None) => None,
                    Err(loss) => Some(loss),
                }
            }
            State::Open { socket, since_ns } => {
                let idle = Duration::from_millis(self.settings.idle_timeout_ms);
                let before = intake.of_market();
                let loss = receive(socket, idle, intake).await.err();
                // A server that only sends errors, or closes at once, must not be tried again and
                // again: neither proves that a connection is of use.
                if intake.of_market() > before && self.settings.is_proven(*since_ns, intake) {
                    self.attempts = 0;
                    self.backoff = backoff(self.settings);
                }
                intake.flush().await?;
                loss
            }
            State::Closed => return Err(SchedulerError::Finished),
        };
        match loss {
            Some(loss) => self.lost(loss, intake),
            None => Ok(()),
        }
    }

    /// Sends a close frame, if a connection is open.
    pub(crate) async fn close(&mut self, context: &Context) {
        if let State::Open { mut socket, .. } = mem::replace(&mut self.state, State::Closed) {
            tokio::select! {
                closed = socket.close(None) => if let Err(error) = closed {
                    tracing::debug!(%error, "the connection did not close in good order");
                },
                () = context.sleep(CLOSE_LIMIT) => {}
            }
        }
    }

    fn lost(&mut self, loss: Loss, intake: &mut Intake) -> Result<(), SchedulerError> {
        intake.connection_lost();
        let asked = match &loss {
            Loss::Http(refusal) => refusal.wait(),
            Loss::Refused(_)
            | Loss::ConnectTimeout(_)
            | Loss::Broken(_)
            | Loss::Closed(_)
            | Loss::Idle(_) => None,
        };
        let server_error = intake.server_error();
        let cause = SchedulerError::execution(loss);
        if self.settings.max_reconnects.is_some_and(|most| self.attempts >= most) {
            return Err(SchedulerError::TaskExecution(format!(
                "{}: gave up after {} attempts in a row to connect again, {} messages had come; \
                 check the network and the url, or raise `connection.max_reconnects`; the last \
                 {cause}{}",
                self.url,
                self.attempts,
                intake.lines(),
                server_error.map(|text| format!("; the server said: {text}")).unwrap_or_default(),
            )));
        }
        self.attempts += 1;
        let longest = Duration::from_millis(self.settings.longest_delay_ms);
        let delay = self.backoff.next().unwrap_or(longest).max(asked.unwrap_or_default());
        tracing::warn!(
            url = self.url,
            %cause,
            attempt = self.attempts,
            delay_ms = delay.as_millis(),
            "connection lost; connecting again after the delay"
        );
        self.state = State::Waiting(delay);
        Ok(())
    }
}

impl Connection {
    /// Returns `true` if a connection that brings market data has lasted long enough.
    fn is_proven(&self, since_ns: i64, intake: &Intake) -> bool {
        let lasted_ns = intake.context().now_ns().saturating_sub(since_ns);
        Duration::from_nanos(lasted_ns.max(0).unsigned_abs())
            >= Duration::from_millis(self.proven_after_ms)
    }
}

fn open(socket: Socket, context: &Context) -> State {
    State::Open { socket: Box::new(socket), since_ns: context.now_ns() }
}

fn backoff(settings: Connection) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(settings.first_delay_ms))
        .with_max_delay(Duration::from_millis(settings.longest_delay_ms))
        .with_jitter()
        .without_max_times()
        .build()
}
