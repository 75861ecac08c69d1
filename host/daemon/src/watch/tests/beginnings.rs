//! Starting, asking, and doing without the system's events.

use std::{fs, path::PathBuf, time::Duration};

use tokio::time::timeout;

use super::scene::{Scene, elf, sha256};
use crate::watch::{Backend, EventUse};

const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_first_snapshot_shows_what_is_there() {
    let mut scene = Scene::prepared(|root| {
        fs::create_dir(root.join("plugins")).unwrap();
        fs::write(root.join("plugins/libx.so"), elf(b"x")).unwrap();
    });
    let first = scene.changed().await;
    assert_eq!(first.libraries.len(), 1, "{first:#?}");
}

#[tokio::test]
async fn waiting_may_be_given_up_at_any_time_and_nothing_is_lost() {
    let mut scene = Scene::new();
    scene.changed().await;
    fs::write(scene.plugin("libx.so"), elf(b"x")).unwrap();
    let mut attempts = 0;
    let snapshot = loop {
        match timeout(Duration::from_millis(1), scene.watch.changed()).await {
            Ok(snapshot) => break snapshot,
            Err(_) => attempts += 1,
        }
        assert!(attempts < 9000);
    };
    assert!(attempts > 0);
    assert_eq!(snapshot.libraries.len(), 1);
}

#[tokio::test]
async fn without_events_changes_are_found_by_looking() {
    let mut scene = Scene::with(
        |root| fs::create_dir(root.join("plugins")).unwrap(),
        |config| {
            config.events = EventUse::Never;
            config.poll = Duration::from_millis(20);
        },
    );
    scene.changed().await;
    assert!(matches!(scene.watch.backend(), Backend::Polling { .. }));
    for library in [elf(b"one"), elf(b"two")] {
        fs::write(scene.plugin("libx.so"), &library).unwrap();
        scene.until_library("libx.so", &library).await;
    }
}

#[tokio::test]
async fn a_nudge_makes_it_look_at_once() {
    let mut scene = Scene::with(
        |root| fs::create_dir(root.join("plugins")).unwrap(),
        |config| {
            config.events = EventUse::Never;
            config.poll = NEVER;
        },
    );
    scene.changed().await;
    fs::write(scene.plugin("libx.so"), elf(b"x")).unwrap();
    scene.watch.nudge();
    scene.until_library("libx.so", &elf(b"x")).await;
}

#[tokio::test]
async fn files_can_be_added_and_left_out_later() {
    let mut scene = Scene::new();
    assert!(scene.changed().await.files.is_empty());
    let (there, missing) = (scene.root().join("host.yaml"), PathBuf::from("/nowhere/pins"));
    fs::write(&there, "one").unwrap();
    scene.watch.set_files(vec![there.clone(), missing.clone()]);
    let hash = sha256(b"one");
    let found = scene
        .until(|it| it.files.get(&there).and_then(|it| it.as_ref()?.sha256()) == Some(&hash))
        .await;
    assert_eq!(found.last().unwrap().files[&missing], None);
    scene.watch.set_files(Vec::new());
    scene.until(|it| it.files.is_empty()).await;
}
