//! Reads from `/proc` what Linux knows of a process.

use std::{fs, path::Path};

/// The resources that a process holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// The number of mapped ranges that belong to files whose path has `.so` in it.
    pub library_mappings: usize,
    /// The number of open file descriptors.
    pub descriptors: usize,
    /// The number of threads.
    pub threads: usize,
    /// The size of the resident memory in bytes.
    pub resident: u64,
}

impl Holdings {
    /// Returns the resources of this process.
    ///
    /// # Panics
    /// Without `/proc`.
    pub fn of_self() -> Self {
        Self::of("self")
    }

    /// Returns the resources of another process.
    ///
    /// # Panics
    /// Without `/proc`, or if the process is gone.
    pub fn of_process(id: u32) -> Self {
        Self::of(&id.to_string())
    }

    fn of(process: &str) -> Self {
        let folder = Path::new("/proc").join(process);
        let count = |name: &str| {
            folder.join(name).read_dir().expect("/proc shows one's own processes").count()
        };
        // Looking takes a descriptor itself, each time the same one.
        let (descriptors, threads) = (count("fd"), count("task"));
        let library_mappings = mappings(process).iter().filter(|path| path.contains(".so")).count();
        Self { library_mappings, descriptors, threads, resident: resident(&folder) }
    }
}

/// Returns the files that a process maps, once for each range; `self` for this process.
///
/// # Panics
/// Without `/proc`, or if the process is gone.
pub fn mappings(process: impl std::fmt::Display) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("/proc shows mappings");
    maps.lines().filter_map(|line| Some(line.get(line.find('/')?..)?.to_owned())).collect()
}

/// Returns the processes that a process started and that still run.
///
/// # Panics
/// Without `/proc`.
pub fn children(process: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc shows processes");
    let numbers = processes.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    // The fields behind the name, which stands in brackets: state, parent and others.
    let is_child = |number: &u32| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let mut fields = fields.split(' ');
        let (state, parent) = (fields.next(), fields.next());
        state != Some("Z") && parent == Some(process.to_string().as_str())
    };
    numbers.filter(is_child).collect()
}

/// The names of a process's threads.
///
/// # Panics
/// Without `/proc`, or if the process is gone.
pub fn thread_names(process: impl std::fmt::Display) -> Vec<String> {
    let folder = format!("/proc/{process}/task");
    let threads = fs::read_dir(folder).expect("/proc shows threads");
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm")).ok();
    // A thread may end while one looks.
    threads.flatten().filter_map(name).map(|name| name.trim_end().to_owned()).collect()
}

fn resident(folder: &Path) -> u64 {
    let status = fs::read_to_string(folder.join("status")).expect("/proc shows the memory");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("VmRSS is a number of KiB") * 1024
}

/// Returns `true` if this process ignores a signal, and so do the processes that it starts.
///
/// # Panics
/// If `/proc` does not tell.
pub fn ignores(signal: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("/proc shows this process");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    (mask.expect("it shows ignored signals") >> (signal - 1)) & 1 == 1
}
