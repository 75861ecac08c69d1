//! One build takes over from another.

use std::{io::Write, time::Duration};

use binance_feed::Feed;
use hotbay_market::Quote;
use hotbay_plugin_api::{
    BackgroundTask, Batch, EventRef, SavedState, SchedulerError,
    testing::{TestHost, block_on},
};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::{
    live::{accept, capture, play, server, turn},
    samples::*,
};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Everything that was published: time, kind and payload.
fn published(host: &TestHost) -> Vec<(i64, u32, Vec<u8>)> {
    let events = |batch: Batch| {
        let event = |it: EventRef<'_>| (it.time_ns(), it.kind().code(), it.payload().to_vec());
        batch.iter().map(event).collect::<Vec<_>>()
    };
    host.published("market").into_iter().flat_map(events).collect()
}

fn finish(feed: &mut Feed) {
    let end = loop {
        if let Err(end) = block_on(feed.execute()) {
            break end;
        }
    };
    assert_eq!(end, SchedulerError::Finished);
}

fn started(host: &TestHost, state: Option<SavedState>) -> Feed {
    let mut feed: Feed = host.create().unwrap();
    block_on(async {
        if let Some(state) = state {
            feed.restore(state).await.unwrap();
        }
        feed.initialize().await.unwrap();
    });
    feed
}

fn saved(feed: &mut Feed) -> SavedState {
    block_on(feed.save_state()).unwrap().unwrap()
}

/// Some thousand lines with damage and unknown kinds. Snapshots that name no symbol stand
/// in it before and after a second symbol comes: whose they are depends on what was seen.
fn mixed() -> String {
    let one = [SPOT_TICKER, "damaged", SPOT_TRADE, AGG_TRADE, SPOT_DEPTH, SPOT_SNAPSHOT];
    let two = [COINM_TICKER, SPOT_SNAPSHOT, COINM_SNAPSHOT, "", USDM_DEPTH];
    let [one, two] = [one.join("\n"), two.join("\n")];
    [vec![one; 200], vec![two; 200]].concat().join("\n")
}

#[test]
fn a_build_that_takes_over_a_capture_publishes_what_the_old_one_had_not() {
    let file = file(&mixed());
    let whole = replaying(file.path(), json!({}));
    finish(&mut started(&whole, None));
    let expected = published(&whole);
    for turns in 0..8 {
        let (first, second) =
            (replaying(file.path(), json!({})), replaying(file.path(), json!({})));
        let mut old = started(&first, None);
        for _ in 0..turns {
            // The last ones find the end; a build that has ended may be replaced too.
            let _ended = block_on(old.execute());
        }
        let mut new = started(&second, Some(saved(&mut old)));
        finish(&mut new);
        assert_eq!([published(&first), published(&second)].concat(), expected, "{turns}");
        assert_eq!(second.reports("sources"), whole.reports("sources"), "{turns}");
        for name in ["lines", "events", "damaged"] {
            let counted = first.counter(name) + second.counter(name);
            assert_eq!(counted, whole.counter(name), "{name} {turns}");
        }
    }
}

#[test]
fn a_build_that_is_rolled_back_to_goes_on_behind_its_successor() {
    let file = file(&mixed());
    let whole = replaying(file.path(), json!({}));
    finish(&mut started(&whole, None));
    let (first, second) = (replaying(file.path(), json!({})), replaying(file.path(), json!({})));
    let mut old = started(&first, None);
    block_on(old.execute()).unwrap();
    let before = published(&first).len();
    let mut new = started(&second, Some(saved(&mut old)));
    for _ in 0..3 {
        block_on(new.execute()).unwrap();
    }
    block_on(old.restore(saved(&mut new))).unwrap();
    finish(&mut old);
    let mut events = published(&first);
    let rest = events.split_off(before);
    assert_eq!([events, published(&second), rest].concat(), published(&whole));
    assert_eq!(first.reports("sources"), whole.reports("sources"));
}

#[test]
fn the_pace_of_a_capture_is_kept_by_the_next_build() {
    let at =
        |ms: u64| SPOT_TICKER.replacen("1700000000000000001", &(ms * 1_000_000).to_string(), 1);
    let file = file(&[at(1000), at(1400), at(3000)].join("\n"));
    let host = replaying(file.path(), json!({ "speed": 2.0 }));
    let mut old = started(&host, None);
    // Due at 0, 200 and 1000 ms.
    turn(&host, &mut old, Duration::from_millis(200)).unwrap();
    turn(&host, &mut old, Duration::from_millis(800)).unwrap();
    assert_eq!(host.events::<Quote>("market").len(), 2);
    let mut new = started(&host, Some(saved(&mut old)));
    while host.events::<Quote>("market").len() < 3 {
        let _turn = turn(&host, &mut new, Duration::ZERO);
    }
    assert_eq!(host.context().now_ns(), 1_000_000_000, "the third was due and did not wait");
}

#[test]
fn live_the_next_build_subscribes_before_its_first_turn_and_counts_on() {
    let (address, server) = server(|listener| async move {
        let capture = capture();
        let mut first = accept(&listener).await;
        play(&mut first, &capture[..300]).await;
        // The old build's connection still stands.
        let mut second = accept(&listener).await;
        play(&mut second, &[&capture[300..], &["{damaged".to_owned()]].concat()).await;
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut second).await {}
        drop(first);
    });
    let host = host(json!({ "url": format!("ws://{address}/stream") }));
    let mut old = started(&host, None);
    while host.counter("events") < 300 {
        turn(&host, &mut old, Duration::ZERO).unwrap();
    }
    let mut new = started(&host, Some(saved(&mut old)));
    while host.counter("lines") < 601 {
        turn(&host, &mut new, Duration::ZERO).unwrap();
    }
    block_on(new.shutdown()).unwrap();
    server.join().unwrap();
    let [row] = host.reports("sources").try_into().unwrap();
    assert_eq!((&row["events"], &row["connections_lost"]), (&json!(600), &json!(0)));
    assert_eq!(row["damaged_lines"], "601", "numbered on");
}

#[test]
fn a_live_build_that_is_rolled_back_to_leaves_its_old_connection() {
    let (address, server) = server(|listener| async move {
        let capture = capture();
        let mut first = accept(&listener).await;
        play(&mut first, &capture[..10]).await;
        let mut second = accept(&listener).await;
        // Both connections bring these; only the successor publishes them.
        play(&mut first, &capture[10..20]).await;
        play(&mut second, &capture[10..20]).await;
        let mut third = accept(&listener).await;
        play(&mut third, &capture[20..30]).await;
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut third).await {}
    });
    let host = host(json!({ "url": format!("ws://{address}/stream") }));
    let until = |feed: &mut Feed, events: u64| {
        while host.counter("events") < events {
            turn(&host, feed, Duration::ZERO).unwrap();
        }
    };
    let mut old = started(&host, None);
    until(&mut old, 10);
    let mut new = started(&host, Some(saved(&mut old)));
    until(&mut new, 20);
    block_on(old.restore(saved(&mut new))).unwrap();
    until(&mut old, 30);
    block_on(old.shutdown()).unwrap();
    server.join().unwrap();
    let bids: Vec<_> =
        host.events::<Quote>("market").iter().map(|it| it.1.bid.to_string()).collect();
    let expected: Vec<_> =
        (1..=30).filter(|index| index % 3 != 0).map(|index| format!("{index}.5")).collect();
    assert_eq!(bids, expected);
}

#[test]
fn a_state_of_another_version_or_another_kind_of_source_is_refused() {
    let file = file(SPOT_TICKER);
    let replay = replaying(file.path(), json!({}));
    let state = saved(&mut started(&replay, None));
    let mut feed: Feed = replay.create().unwrap();
    let newer = SavedState { version: 3, ..state.clone() };
    let error = block_on(feed.restore(newer)).unwrap_err();
    assert!(matches!(error, SchedulerError::State(_)), "{error}");
    let mut live: Feed = host(json!({ "url": "ws://127.0.0.1:1/stream" })).create().unwrap();
    let error = block_on(live.restore(state)).unwrap_err();
    assert!(matches!(error, SchedulerError::State(_)), "{error}");
}
