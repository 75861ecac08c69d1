//! What an operator or author can do about a refusal.

use hotbay_access::{AccessError, Lack};

use super::Refusal;
use crate::probe::ProbeError;

impl Refusal {
    /// Returns what an operator or author can do about the refusal of a plugin.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Access(AccessError::NotAFile(_)) => "remove it from the plugins folder",
            Self::Access(AccessError::TooLarge { .. }) => {
                "strip the library (`strip = true` in its release profile)"
            }
            Self::Access(error) => error.remedy(),
            Self::Companion { .. } => {
                "see who can write there, and take that right away; or build the plugin without \
                 this RUNPATH, and leave the folder out of LD_LIBRARY_PATH"
            }
            Self::BadSignature(_) => {
                "do not trust it; fetch the file and its `.minisig` again from where they come"
            }
            Self::Untrusted => {
                "find out where it comes from, then pin it with `hotbay plugin trust FILE`"
            }
            Self::UnknownKey { .. } => {
                "add the key under `plugins.trust.keys`, or pin the file with `hotbay plugin trust FILE`"
            }
            Self::PinMismatch { .. } => {
                "find out what changed it, then pin it anew with `hotbay plugin trust FILE`"
            }
            Self::NotALibrary(_) => {
                "copy it again if it was cut short, and build it with crate-type = [\"cdylib\"]"
            }
            Self::Damaged(_) => "copy it again, or rebuild it",
            Self::OtherMachine(_) => "build it for this machine",
            Self::NotAPlugin => "call `hotbay_plugin_api::export_plugin!` in the crate's root",
            Self::Descriptor(_) => "leave it to `export_plugin!`, which takes it from the package",
            Self::ApiVersion { .. } => {
                "rebuild it with the hotbay-plugin-api of this host's version"
            }
            Self::ProbeCrashed(_) => {
                "copy it again if it was cut short, or look at what it does when it is loaded"
            }
            Self::ProbeKilled(_) => {
                "see who ended it; a running host tries again by itself, and puts the build into \
                 quarantine when that happens several times in a row"
            }
            Self::ProbeTimeout { .. } => {
                "look for work done in static constructors, or raise `plugins.probe_timeout`; a \
                 running host tries again by itself, and puts the build into quarantine when that \
                 happens several times in a row"
            }
            Self::Quarantined { .. } => {
                "put another build there, or have this one tried again: `hotbay plugin release`"
            }
            Self::NoProbe(ProbeError::Start { source, .. }) if Lack::of(source).is_some() => {
                Lack::of(source).map_or("", Lack::remedy)
            }
            Self::NoProbe(ProbeError::Child(_)) => {
                "see what the system lacks; a running host tries again by itself"
            }
            Self::NoProbe(_) => "check that the hotbay executable can be started",
            Self::Changed => {
                "do not trust it: its own code, run in the probe, or another program changed it"
            }
            // What glibc says. Its room for such thread-locals is given out once for each process.
            Self::Linking(text) if text.contains("static TLS block") => {
                "restart the host, and build the plugin's C code with `-ftls-model=global-dynamic`"
            }
            Self::Linking(text) => of_linking(text),
            Self::Layout(_) => "rebuild it with the hotbay-plugin-api of this host's version",
            Self::Meddling(_) => {
                "look for what its static constructors and schemas do, and leave it out"
            }
            Self::Manifest(_) => "mend the plugin's PLUGIN_TASKS or components and rebuild it",
            Self::Host { source, .. } => Lack::of(source)
                .map_or("check the host's memory, threads and temporary folder", Lack::remedy),
            Self::Duplicate { .. } => "remove one of the two",
        }
    }
}

/// Returns what to do about a message of the dynamic linker. The messages are those of glibc and musl.
fn of_linking(text: &str) -> &'static str {
    let says = |part: &str| text.contains(part);
    if says("version `GLIBC_") {
        "build it on a system with the same or an older libc"
    } else if says("version `") {
        "build it on a system with the same or an older version of that library"
    } else if says("Too many open files") {
        "raise the limit on open files (`ulimit -n`); a running host tries again by itself"
    } else if says("annot allocate memory") && !says("static TLS") {
        "free memory, or let it need less; a running host tries again by itself"
    } else if says("cannot open shared object file") || says("Error loading shared library") {
        "install that library where the system looks for libraries, or name its folder in \
         LD_LIBRARY_PATH; what lies beside the plugin (`$ORIGIN`) is not found, because a private copy \
         of the plugin is loaded, so link such a library statically"
    } else if says("failed to map segment") || says("Operation not permitted") {
        "let TMPDIR name a folder on a file system that allows execution (not `noexec`)"
    } else if says("undefined symbol") || says("symbol not found") {
        "link the library that has this symbol, and rebuild it"
    } else {
        "look with `readelf -d` for what it needs of the system, and rebuild it"
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_older_libc_is_advised_only_where_that_is_the_cause() {
        let remedy = |text: &str| Refusal::Linking(text.to_owned()).remedy();
        let libc = "/lib/libc.so.6: version `GLIBC_2.99' not found (required by it)";
        assert!(remedy(libc).contains("older libc"));
        let missing = "libdepx.so.1: cannot open shared object file: No such file or directory";
        assert!(remedy(missing).contains("LD_LIBRARY_PATH"));
        assert!(remedy(missing).contains("beside the plugin"));
        let symbol = "it: undefined symbol: some_function";
        assert!(remedy(symbol).contains("link the library that has this symbol"));
        let mount = "it: failed to map segment from shared object: Operation not permitted";
        assert!(remedy(mount).contains("noexec"));
        let newer = "libstdc++.so.6: version `GLIBCXX_3.4.99' not found (required by it)";
        assert!(remedy(newer).contains("older version of that library"));
        for text in [missing, symbol, mount, newer, "something else"] {
            assert!(!remedy(text).contains("libc"), "{text}: {}", remedy(text));
        }
    }

    #[test]
    fn a_lack_of_the_system_is_named_with_what_to_do_about_it() {
        let lacks = |code| hotbay_access::named(io::Error::from_raw_os_error(code));
        let start =
            ProbeError::Start { program: "/proc/self/exe".into(), source: lacks(libc::EMFILE) };
        for refusal in [
            AccessError::Unreadable(lacks(libc::EMFILE)).into(),
            Refusal::host("copying it", lacks(libc::EMFILE)),
            Refusal::NoProbe(start),
        ] {
            assert!(refusal.to_string().contains("no descriptor is left"), "{refusal}");
            assert!(refusal.remedy().contains("ulimit -n"), "{refusal}");
        }
        let full = Refusal::host("copying it", lacks(libc::ENOSPC));
        assert!(full.remedy().contains("TMPDIR"), "{full}");
    }
}
