//! What nobody should put into a plugins folder.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    time::Duration,
};

use super::scene::{Scene, run, shown};
use crate::watch::Content;

#[tokio::test]
async fn what_is_not_a_file_is_shown_as_what_it_is_and_never_opened() {
    let mut scene = Scene::new();
    scene.changed().await;
    run("mkfifo", [scene.plugin("libpipe.so")]);
    fs::create_dir(scene.plugin("libfolder.so")).unwrap();
    symlink("/dev/zero", scene.plugin("liblink.so")).unwrap();
    symlink("libloop.so", scene.plugin("libloop.so")).unwrap();
    let sparse = File::create(scene.plugin("libsparse.so")).unwrap();
    sparse.set_len(8 << 30).unwrap();
    let snapshot = scene.until(|it| it.libraries.len() == 5).await.pop().unwrap();
    let content = |name: &str| snapshot.libraries[&scene.plugin(name)].content();
    assert_eq!(content("libpipe.so"), &Content::NotAFile("a pipe"));
    assert_eq!(content("libfolder.so"), &Content::NotAFile("a folder"));
    assert_eq!(content("liblink.so"), &Content::NotAFile("a symbolic link"));
    assert_eq!(content("libloop.so"), &Content::NotAFile("a symbolic link"));
    assert_eq!(content("libsparse.so"), &Content::TooLarge { size: 8 << 30 });
}

#[tokio::test]
async fn what_is_no_library_is_shown_so_that_somebody_can_refuse_it() {
    let mut scene = Scene::new();
    fs::write(scene.plugin("libtext.so"), "hello").unwrap();
    let path = scene.plugin("libtext.so");
    let snapshots = scene.until(|it| it.libraries.contains_key(&path)).await;
    assert!(shown(snapshots.last().unwrap(), &path).is_some());
}

#[tokio::test]
async fn an_empty_file_is_not_shown_while_it_may_still_be_written() {
    let mut scene = Scene::new();
    scene.changed().await;
    File::create(scene.plugin("libempty.so")).unwrap();
    fs::write(scene.plugin("libtext.so"), "hello").unwrap();
    let snapshot = scene.changed().await;
    assert!(!snapshot.libraries.contains_key(&scene.plugin("libempty.so")));
    assert!(snapshot.libraries.contains_key(&scene.plugin("libtext.so")));
    let more = tokio::time::timeout(Duration::from_millis(200), scene.watch.changed()).await;
    assert!(more.is_err(), "{more:#?}");
}
