//! Plugins folders and configurations, as an operator would have them.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{another_build, library, put, until};

/// A folder of plugins, which is removed when the value is dropped.
#[derive(Debug)]
pub struct PluginsFolder {
    folder: TempDir,
}

impl PluginsFolder {
    /// Makes a folder with copies of these packages' libraries.
    ///
    /// # Panics
    /// If one does not build, or there is no room.
    pub fn with(packages: &[&str]) -> Self {
        let folder = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        packages.iter().for_each(|package| drop(folder.add(package)));
        folder
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path in the folder where a package's library is, or will be.
    ///
    /// # Panics
    /// If it does not build.
    pub fn file_of(&self, package: &str) -> PathBuf {
        self.path().join(library(package).file_name().expect("a library has a file name"))
    }

    /// Copies a package's library into the folder, and returns the path of the copy.
    ///
    /// # Panics
    /// If it does not build, or there is no room.
    pub fn add(&self, package: &str) -> PathBuf {
        let copy = self.file_of(package);
        fs::copy(library(package), &copy).expect("a library can be copied");
        copy
    }

    /// Writes a file into the folder, and returns its path.
    ///
    /// # Panics
    /// If it can't be written.
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        path
    }
}

/// A configuration file, which is removed when the value is dropped.
#[derive(Debug)]
pub struct ConfigFile {
    folder: TempDir,
}

impl ConfigFile {
    /// Makes a configuration for a plugins folder. Its first line names the folder, the rest is
    /// `yaml`.
    ///
    /// # Panics
    /// If it can't be written.
    pub fn new(plugins: &PluginsFolder, yaml: &str) -> Self {
        let folder = plugins.path().display();
        Self::verbatim(&format!("plugins: {{ folder: {folder} }}\n{yaml}"))
    }

    /// Makes a configuration of just this text.
    ///
    /// # Panics
    /// If it can't be written.
    pub fn verbatim(yaml: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::write(file.path(), yaml).expect("a file can be written");
        file
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("hotbay.yaml")
    }

    /// Writes another text in its place, in one step.
    ///
    /// # Panics
    /// If it can't be written.
    pub fn rewrite(&self, plugins: &PluginsFolder, yaml: &str) {
        let folder = plugins.path().display();
        put(&self.path(), format!("plugins: {{ folder: {folder} }}\n{yaml}").as_bytes());
    }

    /// What the host that runs with it says about itself, once it does.
    ///
    /// # Panics
    /// If what it says is not JSON.
    pub fn status(&self) -> Option<Value> {
        self.ask(&"status".into())
    }

    /// What the host says about the build of a plugin that is in service, or on probation, once there
    /// is one.
    ///
    /// # Panics
    /// If what it says is not JSON.
    pub fn in_service(&self, plugin: &str) -> Option<Value> {
        let plugin = self.entry("plugins", "name", plugin)?;
        let is_there = plugin["state"] == "in-service" || plugin["state"] == "on-probation";
        is_there.then_some(plugin)
    }

    /// Puts another build of a plugin in the place of the one in service, and waits until it has taken
    /// over. Each number makes another build.
    ///
    /// # Panics
    /// If the plugin is not in service, or the new build does not take over.
    pub fn replace(&self, plugins: &PluginsFolder, plugin: &str, number: u64) {
        let before = self.in_service(plugin).expect("it is in service")["hash"].clone();
        put(&plugins.file_of(plugin), &another_build(library(plugin), number));
        until("the new build is in service", || {
            (self.in_service(plugin)?["hash"] != before).then_some(())
        });
    }

    /// What the host says about a component, once it runs with it.
    ///
    /// # Panics
    /// If what it says is not JSON.
    pub fn component(&self, id: &str) -> Option<Value> {
        self.entry("components", "id", id)
    }

    /// The entry of a section of that status whose `key` is `name`.
    ///
    /// # Panics
    /// If what the host says is not JSON.
    pub fn entry(&self, section: &str, key: &str, name: &str) -> Option<Value> {
        let status = self.status()?;
        status[section].as_array()?.iter().find(|it| it[key] == name).cloned()
    }

    /// What the host that runs with it answers to a request, if it does.
    ///
    /// # Panics
    /// If what it says is not JSON.
    pub fn ask(&self, request: &Value) -> Option<Value> {
        let mut host = UnixStream::connect(self.state_folder().join("hotbay.sock")).ok()?;
        host.write_all(format!("{request}\n").as_bytes()).ok()?;
        let mut text = Vec::new();
        host.read_to_end(&mut text).ok()?;
        // A host that ends at this moment says nothing, or not all of it.
        serde_json::from_slice(&text).ok()
    }

    /// The records of the replacements so far.
    ///
    /// # Panics
    /// If they are not JSON.
    pub fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.state_folder().join("replacements.jsonl"));
        // The last line may be half written.
        let text = text.unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
    }

    /// The folder in which its host keeps what is to survive it.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.path().join(".hotbay/hotbay")
    }
}

/// Returns entries of a configuration's `tasks` that switch these tasks of a plugin off, but for
/// those in `kept`.
pub fn switched_off(plugin: &str, tasks: &[&str], kept: &[&str]) -> String {
    let off = tasks.iter().filter(|task| !kept.contains(task));
    off.map(|task| format!("  - {{ name: {plugin}/{task}, enabled: false }}\n")).collect()
}
