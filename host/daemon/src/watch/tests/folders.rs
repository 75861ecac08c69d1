//! The folder itself comes, goes and is exchanged.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::scene::{Scene, elf, run, sha256};
use crate::watch::{Backend, FolderState};

/// A folder with one library, `libx.so`, of this content.
fn folder_of(path: &Path, payload: &[u8]) {
    fs::create_dir_all(path).unwrap();
    fs::write(path.join("libx.so"), elf(payload)).unwrap();
}

/// Whether the watch still hears what happens in the folder.
async fn still_hears(scene: &mut Scene) {
    let library = elf(b"later");
    fs::write(scene.plugin("liblater.so"), &library).unwrap();
    scene.until_library("liblater.so", &library).await;
    assert_eq!(scene.watch.backend(), Backend::Inotify);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_waited_for() {
    let mut scene = Scene::prepared(|_| {});
    let first = scene.changed().await;
    assert_eq!(first.folder, FolderState::Missing);
    folder_of(&scene.plugin(""), b"new");
    scene.until_library("libx.so", &elf(b"new")).await;
    still_hears(&mut scene).await;
}

#[tokio::test]
async fn a_folder_with_its_parents_missing_is_waited_for() {
    let mut scene = Scene::prepared(|root| symlink("a/b/c", root.join("plugins")).unwrap());
    assert_eq!(scene.changed().await.folder, FolderState::Missing);
    folder_of(&scene.root().join("a/b/c"), b"deep");
    scene.until_library("libx.so", &elf(b"deep")).await;
    still_hears(&mut scene).await;
}

#[tokio::test]
async fn a_folder_that_is_exchanged_for_another_is_followed() {
    let mut scene = Scene::prepared(|root| folder_of(&root.join("plugins"), b"old"));
    scene.until_library("libx.so", &elf(b"old")).await;
    folder_of(&scene.root().join("next"), b"new");
    run("mv", [scene.plugin(""), scene.root().join("old")]);
    run("mv", [scene.root().join("next"), scene.root().join("plugins")]);
    scene.until_library("libx.so", &elf(b"new")).await;
    still_hears(&mut scene).await;
}

#[tokio::test]
async fn a_folder_that_is_removed_and_made_again_is_followed() {
    let mut scene = Scene::prepared(|root| folder_of(&root.join("plugins"), b"old"));
    scene.until_library("libx.so", &elf(b"old")).await;
    run("rm", ["-r".as_ref(), scene.plugin("").as_os_str()]);
    let gone = scene.until(|it| it.folder == FolderState::Missing).await;
    assert!(gone.last().unwrap().libraries.is_empty());
    folder_of(&scene.plugin(""), b"new");
    scene.until_library("libx.so", &elf(b"new")).await;
    still_hears(&mut scene).await;
}

#[tokio::test]
async fn a_link_that_is_switched_to_another_release_is_followed() {
    let mut scene = Scene::prepared(|root| {
        folder_of(&root.join("releases/1/plugins"), b"one");
        folder_of(&root.join("releases/2/plugins"), b"two");
        symlink("releases/1", root.join("current")).unwrap();
        symlink("current/plugins", root.join("plugins")).unwrap();
    });
    scene.until_library("libx.so", &elf(b"one")).await;
    run("ln", ["-sfn".as_ref(), "releases/2".as_ref(), scene.root().join("current").as_os_str()]);
    scene.until_library("libx.so", &elf(b"two")).await;
    still_hears(&mut scene).await;
}

#[tokio::test]
async fn a_configuration_behind_links_as_kubernetes_mounts_it_is_followed() {
    let version = |root: &Path, name: &str, content: &str| {
        fs::create_dir_all(root.join(name)).unwrap();
        fs::write(root.join(name).join("host.yaml"), content).unwrap();
    };
    let mut file = None;
    let mut scene = Scene::with(
        |root| {
            version(root, "..1", "one");
            version(root, "..2", "two");
            symlink("..1", root.join("..data")).unwrap();
            symlink("..data/host.yaml", root.join("host.yaml")).unwrap();
        },
        |config| {
            let path = config.folder.with_file_name("host.yaml");
            config.files = vec![path.clone()];
            file = Some(path);
        },
    );
    let file = file.unwrap();
    let holds = |content: &str| {
        let (file, hash) = (file.clone(), sha256(content.as_bytes()));
        move |it: &crate::watch::Snapshot| {
            it.files[&file].as_ref().and_then(|it| it.sha256()) == Some(&hash)
        }
    };
    scene.until(holds("one")).await;
    symlink("..2", scene.root().join("..data_tmp")).unwrap();
    fs::rename(scene.root().join("..data_tmp"), scene.root().join("..data")).unwrap();
    scene.until(holds("two")).await;
}
