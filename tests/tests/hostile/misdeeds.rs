//! Libraries that load, and do harm in doing so. One fixture does them all; a marker in its
//! file says which.

use std::time::Duration;

use crate::kind::{Kind, misdeed};

/// How long these may take: some take all that there is.
pub(crate) const LIMIT: Duration = Duration::from_millis(600);

/// They end the probe.
pub(crate) const ENDING: &[Kind] = &[
    misdeed("panics", DEAD),
    misdeed("aborts", DEAD),
    misdeed("segfaults", DEAD),
    misdeed("overflows-stack", DEAD),
    misdeed("exits", DEAD),
    misdeed("pretends-success", DEAD),
    misdeed("kills-itself", &["probe-killed"]),
    misdeed("forges-an-answer", DEAD),
    misdeed("closes-everything", DEAD),
    misdeed("eats-memory", DEAD),
    misdeed("forks", DEAD),
    misdeed("forks-and-hangs", DEAD),
    misdeed("multiplies", DEAD),
    misdeed("leaves-a-daemon", DEAD),
    misdeed("becomes-another-program", DEAD),
    misdeed("kills-its-group", DEAD),
    misdeed("kills-its-parent", DEAD),
    misdeed("manifest-exits", DEAD),
    misdeed("unload-crashes", DEAD),
    misdeed("unload-exits", DEAD),
];

/// They have to be ended.
pub(crate) const ENDLESS: &[Kind] = &[
    misdeed("hangs", LATE),
    misdeed("hangs-deaf", LATE),
    misdeed("hangs-in-a-session-of-its-own", LATE),
    misdeed("spins", LATE),
    misdeed("stops-itself", &["probe-timeout", "probe-crashed"]),
    misdeed("writes-without-end", LATE),
    misdeed("complains-without-end", LATE),
    misdeed("forges-an-answer-and-hangs", LATE),
    misdeed("manifest-hangs", LATE),
    misdeed("unload-hangs", LATE),
];

/// They come to an end, but not to a good one.
pub(crate) const OTHERS: &[Kind] = &[
    misdeed("manifest-panics", &["manifest"]),
    misdeed("manifest-huge", &["manifest"]),
    misdeed("manifest-deep", &["manifest"]),
    misdeed("changes-folder", MEDDLING),
    misdeed("changes-mask", MEDDLING),
    misdeed("changes-umask", MEDDLING),
    misdeed("changes-limits", MEDDLING),
    misdeed("changes-environment", MEDDLING),
    misdeed("ignores-sigterm", MEDDLING),
    misdeed("handles-sigint", MEDDLING),
    misdeed("leaves-a-thread", MEDDLING),
];

const DEAD: &[&str] = &["probe-crashed"];
const LATE: &[&str] = &["probe-timeout"];
const MEDDLING: &[&str] = &["meddling"];
