//! Every way by which a file comes to its place.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::Command,
};

use super::scene::{SETTLE, Scene, elf, run, sha256, shown};

/// Puts `from` at `to`; gives whether the programs for it are installed.
type Way = fn(from: &Path, to: &Path) -> bool;

const WAYS: [(&str, Way); 9] = [
    ("cp", |from, to| run("cp", [from, to])),
    ("cp --remove-destination", |from, to| {
        run("cp", [Path::new("--remove-destination"), from, to])
    }),
    ("cp -p", |from, to| run("cp", [Path::new("-p"), from, to])),
    ("mv", |from, to| run("mv", [Path::new("-f"), from, to])),
    ("install", |from, to| run("install", [from, to])),
    ("ln -f", |from, to| run("ln", [Path::new("-f"), from, to])),
    ("unlink and link, as cargo does", |from, to| {
        drop(fs::remove_file(to));
        fs::hard_link(from, to).unwrap();
        true
    }),
    ("rsync", |from, to| run("rsync", [Path::new("-a"), Path::new("--checksum"), from, to])),
    ("a hidden name first, as rsync does", |from, to| {
        let hidden = to.with_file_name(".libx.so.Ab12Cd");
        fs::copy(from, &hidden).unwrap();
        fs::rename(hidden, to).unwrap();
        true
    }),
];

#[tokio::test]
async fn however_a_build_replaces_another_its_bytes_are_shown_and_no_others() {
    let mut scene = Scene::patient();
    let target = scene.plugin("libx.so");
    let mut before = None;
    for (number, (name, way)) in (0u8..).zip(WAYS) {
        let library = elf(&[number; 5000]);
        let source = scene.root().join("new");
        fs::write(&source, &library).unwrap();
        if !way(&source, &target) {
            eprintln!("left out: {name} is not installed");
            continue;
        }
        let snapshots = scene.until_library("libx.so", &library).await;
        let new = Some(sha256(&library));
        for snapshot in snapshots {
            let hash = shown(&snapshot, &target).map(str::to_owned);
            assert!(hash == before || hash == new, "{name}: {snapshot:#?}");
        }
        before = new;
        // The next way must not write into this one's inode.
        drop(fs::remove_file(source));
    }
}

#[tokio::test]
async fn a_library_that_is_written_in_pieces_is_shown_when_it_is_whole() {
    let mut scene = Scene::new();
    let library = elf(&[9; 40_000]);
    let path = scene.plugin("libslow.so");
    // Pauses that are shorter than what it takes to settle, and longer ones.
    let pauses = [SETTLE / 6, SETTLE / 3, SETTLE * 2];
    let write = {
        let (path, library) = (path.clone(), library.clone());
        tokio::task::spawn_blocking(move || {
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            for (piece, pause) in library.chunks(4000).zip(pauses.iter().cycle()) {
                file.write_all(piece).unwrap();
                std::thread::sleep(*pause);
            }
        })
    };
    let snapshots = scene.until(|it| it.libraries.contains_key(&path)).await;
    let last = snapshots.last().unwrap();
    assert_eq!(shown(last, &path), Some(&*sha256(&library)), "{last:#?}");
    write.await.unwrap();
}

#[tokio::test]
async fn an_editors_save_of_a_settings_file_is_one_change() {
    let mut scene = Scene::patient();
    let path = scene.plugin("libx.yaml");
    fs::write(&path, "threads: 1").unwrap();
    let hash = sha256(b"threads: 1");
    scene.until(|it| it.sidecars.get(&path).and_then(|it| it.sha256()) == Some(&hash)).await;
    // As vim does: a swap file, the old file as a backup, the new one, no backup.
    fs::write(scene.plugin(".libx.yaml.swp"), "swap").unwrap();
    fs::rename(&path, scene.plugin("libx.yaml~")).unwrap();
    fs::write(&path, "threads: 2").unwrap();
    fs::remove_file(scene.plugin("libx.yaml~")).unwrap();
    fs::remove_file(scene.plugin(".libx.yaml.swp")).unwrap();
    let snapshot = scene.changed().await;
    assert_eq!(snapshot.sidecars[&path].sha256(), Some(&*sha256(b"threads: 2")));
    assert_eq!(snapshot.sidecars.len(), 1);
}

#[tokio::test]
async fn a_library_and_what_belongs_to_it_are_shown_together() {
    let mut scene = Scene::patient();
    assert!(scene.changed().await.libraries.is_empty());
    fs::write(scene.plugin("libx.so"), elf(b"x")).unwrap();
    fs::write(scene.plugin("libx.so.minisig"), "signature").unwrap();
    fs::write(scene.plugin("libx.yaml"), "threads: 2").unwrap();
    let snapshot = scene.changed().await;
    let counts = (snapshot.libraries.len(), snapshot.sidecars.len(), snapshot.signatures.len());
    assert_eq!(counts, (1, 1, 1), "{snapshot:#?}");
}

#[tokio::test]
async fn a_change_of_mode_is_shown_and_told_from_one_of_content() {
    let mut scene = Scene::new();
    let library = elf(b"x");
    fs::write(scene.plugin("libx.so"), &library).unwrap();
    let before = scene.until_library("libx.so", &library).await.pop().unwrap();
    run("chmod", ["600".as_ref(), scene.plugin("libx.so").as_os_str()]);
    let after = scene.changed().await;
    let path = scene.plugin("libx.so");
    let (before, after) = (&before.libraries[&path], &after.libraries[&path]);
    assert!(before != after && before.same_content(after), "{before:?} {after:?}");
}

#[tokio::test]
async fn a_removed_library_is_shown_as_gone() {
    let mut scene = Scene::new();
    let library = elf(b"x");
    fs::write(scene.plugin("libx.so"), &library).unwrap();
    scene.until_library("libx.so", &library).await;
    run("rm", [scene.plugin("libx.so")]);
    assert!(scene.changed().await.libraries.is_empty());
}

#[tokio::test]
async fn cargo_may_build_straight_into_the_folder() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let manifest = "[package]\nname = 'built'\nedition = '2021'\n[lib]\npath = 'lib.rs'\n\
                    crate-type = ['cdylib']\n[workspace]\n";
    fs::write(at("Cargo.toml"), manifest).unwrap();
    let build = |version: &str| {
        fs::write(at("lib.rs"), format!("#[no_mangle] pub fn {version}() {{}}")).unwrap();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--offline"]).current_dir(root.path());
        assert!(command.env("CARGO_TARGET_DIR", at("target")).status().unwrap().success());
        fs::read(at("target/debug/libbuilt.so")).unwrap()
    };
    let first = build("first");
    let mut scene = Scene::prepared(|plugins| {
        std::os::unix::fs::symlink(at("target/debug"), plugins.join("plugins")).unwrap();
    });
    scene.until_library("libbuilt.so", &first).await;
    let second = build("second");
    assert_ne!(first, second);
    let snapshots = scene.until_library("libbuilt.so", &second).await;
    let path = scene.plugin("libbuilt.so");
    // The linker takes its time: that nothing is there for a while is the truth then.
    let known = [None, Some(sha256(&first)), Some(sha256(&second))];
    for snapshot in snapshots {
        assert!(known.contains(&shown(&snapshot, &path).map(str::to_owned)), "{snapshot:#?}");
    }
}
