//! The limits of what is read from a file, so that no file can keep a host busy for long.
//!
//! They are far beyond any configuration that a person or a program has a use for.

/// The largest size of a file in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The largest size in bytes of all values together that variables in a file are replaced by.
pub(super) const MAX_REPLACED_BYTES: usize = 4 << 20;

/// How deep lists and mappings may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// The most values of a file, keys included. What is behind an alias counts once for each use.
pub(super) const MAX_VALUES: usize = 250_000;

/// The most channels of a configuration.
pub(super) const MAX_CHANNELS: usize = 10_000;

/// The most components of one role in a pipeline.
pub(super) const MAX_COMPONENTS: usize = 1_000;

/// The most overrides of tasks in a configuration.
pub(super) const MAX_TASKS: usize = 10_000;

/// The most characters of a name. The log has names in each line about what they name.
pub(super) const MAX_NAME: usize = 200;

/// The most threads that poll the futures of a plugin.
pub const MAX_THREADS: usize = 1024;

/// The most diagnostics that are kept. Further ones are counted.
pub(super) const MAX_DIAGNOSTICS: usize = 100;
