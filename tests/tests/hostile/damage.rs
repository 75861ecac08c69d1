//! Good plugins, cut short and with wrong bytes.
//!
//! A file that was cut short is always refused. One with a wrong byte may rightly load, if the
//! byte means little. What must hold: the host that looks at it lives, and what it lets in can
//! be loaded and unloaded. That second part happens in a host of its own, which would take this
//! one along otherwise.

use std::sync::Arc;

use hotbay_tests::{ConfigFile, PluginsFolder, Run};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    good::HELLO,
    host::{Host, says_what_is_needed},
};

/// How many are looked at at the same time.
const AT_ONCE: usize = 4;

/// What became of many files.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) refused: usize,
    pub(crate) loaded: usize,
    /// What killed its host.
    pub(crate) deadly: Vec<String>,
}

/// Cuts a good plugin at so many places.
pub(crate) async fn cut(count: usize) -> Outcome {
    let good = &*HELLO;
    let mut random = Random::new();
    // Half of the places are spread over the whole, half lie in the first and last 4 KiB.
    let places = (0..count).map(|number| match number % 4 {
        0 => random.below(4096),
        1 => good.len() - 1 - random.below(4096),
        _ => good.len() * number / count,
    });
    look_at_each(places.map(|at| (format!("cut at {at}"), good[..at].to_vec()))).await
}

/// Changes one byte of a good plugin, so many times.
pub(crate) async fn flip(count: usize) -> Outcome {
    let good = &*HELLO;
    let mut random = Random::new();
    let changed = (0..count).map(|number| {
        // Half of the places lie in what the linker reads, at the file's beginning.
        let among = if number % 2 == 0 { good.len() } else { good.len().min(64 << 10) };
        let (at, mask) = (random.below(among), u8::try_from(1 + random.below(255)).unwrap());
        let mut bytes = good.clone();
        bytes[at] ^= mask;
        (format!("byte {at} ^ {mask:#04x}"), bytes)
    });
    look_at_each(changed).await
}

async fn look_at_each(files: impl Iterator<Item = (String, Vec<u8>)>) -> Outcome {
    let (host, room) = (Arc::new(Host::new()), Arc::new(Semaphore::new(AT_ONCE)));
    let mut looks = JoinSet::new();
    for (what, bytes) in files {
        let permit = Arc::clone(&room).acquire_owned().await.unwrap();
        let host = Arc::clone(&host);
        looks.spawn(async move {
            let looked = look(&host, what, bytes).await;
            drop(permit);
            looked
        });
    }
    let mut outcome = Outcome::default();
    while let Some(looked) = looks.join_next().await {
        match looked.unwrap() {
            Ok(true) => outcome.loaded += 1,
            Ok(false) => outcome.refused += 1,
            Err(what) => outcome.deadly.push(what),
        }
    }
    host.still_loads_a_good_plugin().await;
    host.has_no_probe_left("damaged files");
    outcome
}

/// Whether the file gets in; and if it is the death of the host then, how.
async fn look(host: &Host, what: String, bytes: Vec<u8>) -> Result<bool, String> {
    let folder = PluginsFolder::with(&[]);
    let file = folder.write("damaged.so", &bytes);
    if let Err(error) = host.inspect(&file).await {
        says_what_is_needed(&error, &file);
        return Ok(false);
    }
    let load = move || {
        let config = ConfigFile::new(&folder, "");
        Run::new(["validate".as_ref(), config.path().as_os_str()]).finish()
    };
    match tokio::task::spawn_blocking(load).await {
        // It may be sound and say other things about itself than this host can do: exit code 2.
        Ok(ended) if matches!(ended.status.code(), Some(0 | 2)) => Ok(true),
        Ok(ended) => Err(format!("{what}: {}\n{}", ended.status, ended.stderr)),
        Err(hangs) => Err(format!("{what}: {hangs}")),
    }
}

/// The same places in every run: xorshift64, G. Marsaglia, "Xorshift RNGs", 2003.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
