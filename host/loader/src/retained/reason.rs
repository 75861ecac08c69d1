//! The reasons why a library is still mapped.
//!
//! The dynamic linker does not tell why it keeps a library. So the reason names what the files of
//! the library, and of the libraries that it brings along, allow.

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

use crate::{
    elf::{SymbolNames, read_unloading},
    foreign_threads::ForeignThread,
    library::{Library, StillMapped},
};

/// The number of threads that a reason names.
const MAX_NAMED: usize = 5;

/// The functions with which a library can open itself.
const OPENING: [&str; 2] = ["dlopen", "dlmopen"];

/// The functions that register a thread-local with a destructor.
const THREAD_LOCAL: [&str; 2] = ["__cxa_thread_atexit_impl", "__cxa_thread_atexit"];

/// What the files say about a library that is still mapped. The private copy is removed later, so
/// this is determined when the library is closed.
#[derive(Debug)]
pub(super) struct Circumstances {
    /// What can make the dynamic linker keep the library. A cause that is certain comes alone.
    causes: Vec<Cause>,
    /// The libraries that are unmapped together with it.
    brings: Vec<String>,
}

/// What makes the dynamic linker keep a library.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// It was loaded with a unique symbol.
    Unique { symbol: String },
    /// It has a symbol in common with a library that stays mapped.
    Shared { library: String, symbol: String, stays: Stays },
    /// It can open libraries, and so itself.
    Opening,
    /// It can register destructors of thread-locals.
    ThreadLocal,
}

/// Why a library that a plugin brings along stays mapped without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stays {
    Always,
    ForOthers,
}

impl Circumstances {
    /// Reads what there is to know of a library that is mapped.
    pub(super) fn of(library: &Library) -> Self {
        let brings = library.dependencies().exclusive().iter().map(|path| name_of(path)).collect();
        Self { causes: find_causes(library), brings }
    }

    /// Returns `true` if the library stays mapped for the rest of the process.
    pub(super) fn are_final(&self) -> bool {
        matches!(self.causes.as_slice(), [Cause::Unique { .. }])
    }

    /// Returns the predicate of a sentence about the library.
    pub(super) fn explain(&self, reason: &StillMapped) -> String {
        match reason {
            StillMapped::InUse => {
                "threads of its bay have not ended, or objects that it made are in use".to_owned()
            }
            StillMapped::Occupied(threads) => {
                let verb = if threads.len() == 1 { "runs" } else { "run" };
                let origin = match threads.iter().all(ForeignThread::is_younger) {
                    true => "started since it was loaded",
                    false => "outside of its bay",
                };
                let of_others = match self.brings.as_slice() {
                    [] => String::new(),
                    brings => format!(" or that of {}", brings.join(", ")),
                };
                format!("{}, {origin}, still {verb} its code{of_others}", Names(threads))
            }
            StillMapped::Unknown(threads) => {
                let verb = if threads.len() == 1 { "pauses" } else { "pause" };
                let names = Names(threads);
                format!("{names}, started since it was loaded, never {verb} and may run its code")
            }
            StillMapped::Linker { younger } => self.explain_linker(younger.as_deref()),
        }
    }

    fn explain_linker(&self, younger: Option<&[ForeignThread]>) -> String {
        let causes: Vec<_> = self.causes.iter().map(Cause::to_string).collect();
        if causes.is_empty() {
            return "the dynamic linker keeps it and does not tell why".to_owned();
        }
        let causes = causes.join(", or ");
        match younger.filter(|_| self.causes.contains(&Cause::ThreadLocal)) {
            None => causes,
            Some([]) => format!("{causes}; all such threads are older than it"),
            Some(younger) => format!("{causes}; since it was loaded came {}", Names(younger)),
        }
    }
}

fn find_causes(library: &Library) -> Vec<Cause> {
    if let Some(symbol) = unique_symbol(library.path()) {
        return vec![Cause::Unique { symbol }];
    }
    let Some(own) = SymbolNames::of(library.path()) else { return Vec::new() };
    let exclusive = library.dependencies().exclusive();
    let (mut causes, mut used) = (Vec::new(), own.undefined);
    for path in library.dependencies().paths() {
        let Some(names) = SymbolNames::of(&path) else { continue };
        if let Some(stays) = stays(&path, &exclusive) {
            let shared = |symbol: &String| Cause::Shared {
                library: name_of(&path),
                symbol: symbol.clone(),
                stays,
            };
            if let Some(symbol) = names.undefined.intersection(&own.defined).next() {
                return vec![shared(symbol)];
            }
            // Both define it. Which one the other library uses does not stand in its symbols.
            causes.extend(names.defined.intersection(&own.defined).next().map(shared));
        }
        used.extend(names.undefined);
    }
    let uses = |functions: &[&str]| functions.iter().any(|name| used.contains(*name));
    causes.extend(uses(&OPENING).then_some(Cause::Opening));
    causes.extend(uses(&THREAD_LOCAL).then_some(Cause::ThreadLocal));
    causes
}

fn unique_symbol(path: &Path) -> Option<String> {
    let found = read_unloading(File::open(path).ok()?);
    found.unloading.unique_symbols.into_iter().next()
}

/// Returns why a library that a plugin brings along stays mapped without the plugin, if it does.
fn stays(path: &Path, exclusive: &[PathBuf]) -> Option<Stays> {
    let unloading = File::open(path).map(|file| read_unloading(file).unloading);
    let is_kept = unloading.is_ok_and(|it| it.nodelete || !it.unique_symbols.is_empty());
    let is_shared = !exclusive.iter().any(|other| other == path);
    match (is_kept, is_shared) {
        (true, _) => Some(Stays::Always),
        (false, true) => Some(Stays::ForOthers),
        (false, false) => None,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().escape_debug().collect()
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique { symbol } => write!(
                f,
                "it defines the unique symbol `{}` (STB_GNU_UNIQUE), so the dynamic linker never \
                 unmaps it; build its C++ code with `-fno-gnu-unique`",
                symbol.escape_debug(),
            ),
            Self::Shared { library, symbol, stays } => {
                let symbol = symbol.escape_debug();
                write!(f, "it has the symbol `{symbol}` in common with {library}, which ")?;
                f.write_str(match stays {
                    Stays::Always => "is never unmapped",
                    Stays::ForOthers => "other plugins need as well",
                })
            }
            Self::Opening => f.write_str("it has opened itself with `dlopen` and not closed"),
            Self::ThreadLocal => {
                f.write_str("a thread outside of its bay holds a thread-local of it")
            }
        }
    }
}

/// Formats the names of threads as a list.
struct Names<'a>(&'a [ForeignThread]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "thread " } else { "threads " })?;
        for (number, thread) in self.0.iter().take(MAX_NAMED).enumerate() {
            write!(f, "{}{thread}", if number == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(MAX_NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
