//! A websocket server on the loopback that plays a capture and breaks off.

use std::{future::Future, net::SocketAddr, thread, time::Duration};

use binance_feed::Feed;
use futures_util::SinkExt;
use hotbay_market::{Quote, Trade};
use hotbay_plugin_api::{
    BackgroundTask, SchedulerError,
    testing::{TestHost, block_on},
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::samples::*;

type Client = WebSocketStream<TcpStream>;

/// Runs a server in a thread of its own; it ends with `serve`, and its port with it.
pub(crate) fn server<F: Future<Output = ()>>(
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let serve = serve(TcpListener::from_std(listener).unwrap());
            tokio::time::timeout(Duration::from_secs(30), serve).await.expect("a bounded test");
        });
    });
    (address, server)
}

pub(crate) async fn accept(listener: &TcpListener) -> Client {
    let (socket, _) = listener.accept().await.unwrap();
    tokio_tungstenite::accept_async(socket).await.unwrap()
}

pub(crate) async fn play(client: &mut Client, messages: &[String]) {
    for message in messages {
        client.send(Message::text(message.as_str())).await.unwrap();
    }
}

fn connected(address: SocketAddr, connection: Value) -> (TestHost, Feed) {
    let host = host(json!({ "url": format!("ws://{address}/stream"), "connection": connection }));
    host.advance(Duration::from_secs(1_700_000_000));
    let mut feed: Feed = host.create().unwrap();
    block_on(feed.initialize()).unwrap();
    (host, feed)
}

/// One turn; as soon as it waits, the host's clock moves on.
pub(crate) fn turn(host: &TestHost, feed: &mut Feed, step: Duration) -> Result<(), SchedulerError> {
    block_on(async {
        let turn = async { tokio::join!(feed.execute(), async { host.advance(step) }).0 };
        tokio::time::timeout(Duration::from_secs(20), turn).await.expect("a bounded test")
    })
}

/// 600 quotes and trades with different prices.
pub(crate) fn capture() -> Vec<String> {
    let message = |index: usize| {
        let (line, price) = if index.is_multiple_of(3) {
            (USDM_TRADE, "61800.30")
        } else {
            (USDM_TICKER, "61800.20")
        };
        message(line).replace(price, &format!("{index}.5"))
    };
    (1..=600).map(message).collect()
}

#[test]
fn a_lost_connection_is_made_again_and_the_feed_goes_on() {
    let (address, server) = server(|listener| async move {
        let capture = capture();
        let mut first = accept(&listener).await;
        play(&mut first, &capture[..300]).await;
        // No goodbye: the socket just goes away.
        drop(first);
        let mut second = accept(&listener).await;
        play(&mut second, &[&capture[300..], &["{damaged".to_owned()]].concat()).await;
        second.close(None).await.unwrap();
    });
    let limits = json!({ "first_delay_ms": 1, "longest_delay_ms": 10, "max_reconnects": 3, "proven_after_ms": 0 });
    let (host, mut feed) = connected(address, limits);
    let end = loop {
        if let Err(end) = turn(&host, &mut feed, Duration::from_millis(50)) {
            break end;
        }
    };
    block_on(feed.shutdown()).unwrap();
    server.join().unwrap();

    let quotes = host.events::<Quote>("market");
    let trades = host.events::<Trade>("market");
    assert_eq!((quotes.len(), trades.len()), (400, 200));
    let mut bids = (1..=600).filter(|index| index % 3 != 0);
    assert!(
        quotes
            .iter()
            .all(|(_, quote)| quote.bid.to_string() == format!("{}.5", bids.next().unwrap()))
    );
    assert!(quotes.iter().all(|(time, _)| *time >= 1_700_000_000_000_000_000), "received times");

    let [row] = host.reports("sources").try_into().unwrap();
    assert_eq!(
        (&row["events"], &row["damaged"], &row["damaged_lines"]),
        (&json!(600), &json!(1), &json!("601"))
    );
    // Twice in use, then three attempts at a port that is closed.
    assert_eq!((&row["connections_lost"], host.counter("connections_lost")), (&json!(5), 5));
    let SchedulerError::TaskExecution(message) = end else { panic!("{end}") };
    for part in ["gave up after 3 attempts", "601 messages had come", "max_reconnects", "refused"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_connection_that_falls_silent_counts_as_lost() {
    let (address, server) = server(|listener| async move {
        let mut silent = accept(&listener).await;
        play(&mut silent, &capture()[..1]).await;
        // The feed comes again, while the first connection still stands.
        let mut second = accept(&listener).await;
        play(&mut second, &capture()[1..2]).await;
        drop(silent);
    });
    let (host, mut feed) = connected(address, json!({ "idle_timeout_ms": 1000 }));
    let received = |host: &TestHost| host.counter("events");
    while received(&host) < 1 {
        turn(&host, &mut feed, Duration::ZERO).unwrap();
    }
    turn(&host, &mut feed, Duration::from_secs(2)).unwrap();
    assert_eq!(host.counter("connections_lost"), 1);
    turn(&host, &mut feed, Duration::from_secs(2)).unwrap();
    while received(&host) < 2 {
        turn(&host, &mut feed, Duration::ZERO).unwrap();
    }
    block_on(feed.shutdown()).unwrap();
    server.join().unwrap();
}

/// Runs a feed against a server that does the same with every connection; how it gave up, and the
/// delays before.
fn given_up<F: Future<Output = ()> + 'static>(
    connections: usize,
    with_each: impl Fn(TcpStream) -> F + Send + 'static,
) -> (TestHost, String, Vec<Duration>) {
    let (address, server) = server(move |listener| async move {
        for _ in 0..connections {
            let (socket, _) = listener.accept().await.unwrap();
            with_each(socket).await;
        }
    });
    let limits = json!({ "first_delay_ms": 1000, "longest_delay_ms": 60_000, "max_reconnects": 3 });
    let (host, mut feed) = connected(address, limits);
    let mut delays = Vec::new();
    let end = loop {
        let state: Value = block_on(feed.save_state()).unwrap().unwrap().read_json(2).unwrap();
        let delay: Option<Duration> =
            serde_json::from_value(state["progress"]["Live"]["delay"].clone()).unwrap();
        delays.extend(delay);
        // The clock stands still while there is a connection.
        if let Err(end) = turn(&host, &mut feed, delay.unwrap_or_default()) {
            break end;
        }
    };
    block_on(feed.shutdown()).unwrap();
    server.join().unwrap();
    let SchedulerError::TaskExecution(message) = end else { panic!("{end}") };
    (host, message, delays)
}

#[test]
fn an_error_of_the_server_proves_nothing_and_is_told() {
    let (host, message, delays) = given_up(4, |socket| async move {
        let mut client = tokio_tungstenite::accept_async(socket).await.unwrap();
        let error = r#"{"error":{"code":-1003,"msg":"Too many requests"}}"#;
        play(&mut client, &[error.to_owned()]).await;
        client.close(None).await.unwrap();
    });
    assert!(message.contains("gave up after 3 attempts"), "{message}");
    assert!(message.contains(r#"the server said: {"error":{"code":-1003"#), "{message}");
    let least = [1, 2, 4].map(Duration::from_secs);
    assert!(delays.len() == 3 && delays.iter().zip(least).all(|it| *it.0 >= it.1), "{delays:?}");
    let [row] = host.reports("sources").try_into().unwrap();
    assert_eq!((&row["server_errors"], &row["connections_lost"]), (&json!(4), &json!(4)));
}

#[test]
fn a_connection_that_closes_after_one_quote_proves_nothing() {
    let (host, message, _) = given_up(4, |socket| async move {
        let mut client = tokio_tungstenite::accept_async(socket).await.unwrap();
        play(&mut client, &[message(USDM_TICKER).to_owned()]).await;
        client.close(None).await.unwrap();
    });
    assert!(message.contains("gave up after 3 attempts"), "{message}");
    assert_eq!(host.counter("events"), 4);
}

#[test]
fn what_a_server_asks_to_wait_is_waited() {
    let (_, message, delays) = given_up(4, |mut socket| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).await.unwrap();
            request.push(byte[0]);
        }
        let answer = "HTTP/1.1 429 Too Many\r\nRetry-After: 90\r\nContent-Length: 2\r\n\r\n{}";
        socket.write_all(answer.as_bytes()).await.unwrap();
    });
    assert!(message.contains("429") && message.contains("asks to wait for 90s"), "{message}");
    assert_eq!(delays, [Duration::from_secs(90); 3]);
}

#[test]
fn a_feed_that_waits_stops_when_it_is_asked_to() {
    let (address, server) = server(|listener| async move {
        let mut client = accept(&listener).await;
        // Until the feed says goodbye.
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut client).await {}
    });
    let (host, mut feed) = connected(address, json!({}));
    turn(&host, &mut feed, Duration::ZERO).unwrap();
    block_on(async {
        let waiting = async { tokio::join!(feed.execute(), async { host.cancel() }).0 };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
        feed.shutdown().await.unwrap();
    });
    server.join().unwrap();
    assert_eq!(host.reports("sources").len(), 1);
}
