//! Opens and reads one websocket connection.

mod refusal;

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use hotbay_line_source::excerpt;
use hotbay_plugin_api::Context;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, handshake::client::Request},
};

pub(crate) use refusal::HttpRefusal;

use crate::intake::Intake;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a connection was lost or could not be established.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Loss {
    #[error("cannot connect")]
    Refused(#[source] tungstenite::Error),
    #[error("the server refused the connection: {0}")]
    Http(HttpRefusal),
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    #[error("the connection broke")]
    Broken(#[source] tungstenite::Error),
    #[error("the server closed the connection{0}")]
    Closed(String),
    #[error("nothing came for {0:?}")]
    Idle(Duration),
}

/// Connects; returns `None` if the host asked to stop before the connection was open.
pub(crate) async fn connect(
    request: &Request,
    limit: Duration,
    context: &Context,
) -> Result<Option<Socket>, Loss> {
    tokio::select! {
        connected = connect_async(request.clone()) => match connected {
            Ok((socket, _)) => Ok(Some(socket)),
            Err(tungstenite::Error::Http(response)) => {
                Err(Loss::Http(HttpRefusal::new(&response, context.now_ns())))
            }
            Err(error) => Err(Loss::Refused(error)),
        },
        () = context.sleep(limit) => Err(Loss::ConnectTimeout(limit)),
        () = context.cancelled() => Ok(None),
    }
}

/// Waits for the next message and reads those that are already available after it.
pub(crate) async fn receive(
    socket: &mut Socket,
    idle: Duration,
    intake: &mut Intake,
) -> Result<(), Loss> {
    let mut next = match socket.next().now_or_never() {
        Some(next) => next,
        None => {
            let context = intake.context();
            tokio::select! {
                next = socket.next() => next,
                () = context.sleep(idle) => return Err(Loss::Idle(idle)),
                () = context.cancelled() => return Ok(()),
            }
        }
    };
    loop {
        match next {
            Some(Ok(message)) => take(&message, intake)?,
            Some(Err(error)) => return Err(Loss::Broken(error)),
            None => return Err(Loss::Closed(String::new())),
        }
        if intake.is_full() {
            return Ok(());
        }
        match socket.next().now_or_never() {
            Some(ready) => next = ready,
            None => return Ok(()),
        }
    }
}

fn take(message: &Message, intake: &mut Intake) -> Result<(), Loss> {
    let json = match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        // tungstenite answers pings itself.
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        Message::Close(frame) => {
            let why = frame
                .as_ref()
                .map(|frame| format!(": {} \"{}\"", u16::from(frame.code), excerpt(&frame.reason)));
            return Err(Loss::Closed(why.unwrap_or_default()));
        }
    };
    let received_ns = intake.context().now_ns();
    intake.take(intake.lines() + 1, received_ns, json.trim_ascii());
    Ok(())
}
