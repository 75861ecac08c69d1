//! A small plugin to start from.
//!
//! Its tasks show the four kinds that the host runs: async and sync, once at
//! start and at an interval. Its connector counts, for pipelines that need a source
//! without external data, and saves its position for the next build of the plugin. Its
//! task kind can be submitted with parameters and returns a result.

mod count;

use std::time::Duration;

use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};

pub use count::Count;

/// The tasks that the host runs by itself; `hotbay plugin list` shows them.
pub const PLUGIN_TASKS: &[PluginTask] = &[
    PluginTask {
        description: "Says hello once, at start",
        settings: Some(settings_of::<Settings>()),
        ..PluginTask::new("greet", run_async!(greet))
    },
    PluginTask {
        description: "Says every five seconds that it is alive",
        schedule: Schedule::Every(Duration::from_secs(5)),
        ..PluginTask::new("heartbeat", run_async!(heartbeat))
    },
    PluginTask {
        description: "Computes primes once, on a thread that may be busy",
        ..PluginTask::new("primes", run_sync!(primes))
    },
];

/// The task kinds that a user can submit, with parameters.
pub const PLUGIN_TASK_KINDS: &[PluginTaskKind] = &[PluginTaskKind {
    description: "Counts the primes below a number",
    ..PluginTaskKind::new::<Below>("count-primes", run_sync!(count_primes))
}];

/// The parameters of `count-primes`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Below {
    /// The number that no prime reaches.
    below: u32,
}

/// The result of `count-primes`.
#[derive(Debug, PartialEq, Serialize)]
struct Primes {
    primes: usize,
}

/// The settings of `greet`, under `tasks:` in the host's configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Who is greeted.
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "world".to_owned()
}

async fn greet(context: Context) -> Result<(), SchedulerError> {
    let Settings { name } = context.config()?;
    // With the SDK's feature `tokio`, a plugin can use tokio's timers directly.
    tokio::time::sleep(Duration::from_millis(1)).await;
    tracing::info!(name, "hello");
    Ok(())
}

async fn heartbeat(context: Context) -> Result<(), SchedulerError> {
    context.counter("beats").add(1);
    tracing::info!(now_ns = context.now_ns(), "alive");
    Ok(())
}

/// Counts the primes below 100,000: work that would block an async thread.
fn primes(context: Context) -> Result<(), SchedulerError> {
    if let Some(found) = primes_below(100_000, &context) {
        tracing::info!(found, "primes below 100,000");
    }
    Ok(())
}

/// Counts the primes below a number; the returned value is the run's result.
fn count_primes(context: Context) -> Result<Primes, SchedulerError> {
    let Below { below } = context.arguments()?;
    let cancelled = || SchedulerError::TaskExecution("cancelled".to_owned());
    primes_below(below, &context).map(|primes| Primes { primes }).ok_or_else(cancelled)
}

/// Returns the number of primes below a number, or `None` if the run was cancelled.
fn primes_below(below: u32, context: &Context) -> Option<usize> {
    let is_prime = |n: &u32| (2..).take_while(|d| *d <= *n / d).all(|d| !n.is_multiple_of(d));
    let mut found = 0;
    for start in (2..below).step_by(1_000) {
        // A sync task can't be interrupted, so it checks for cancellation itself.
        if context.is_cancelled() {
            return None;
        }
        found += (start..below.min(start.saturating_add(1_000))).filter(is_prime).count();
    }
    Some(found)
}

export_plugin! {
    tasks: PLUGIN_TASKS,
    task_kinds: PLUGIN_TASK_KINDS,
    components: [connector::<Count>("count")],
}

#[cfg(test)]
mod tests {
    use hotbay_plugin_api::testing::{TestHost, block_on};

    use super::*;

    #[test]
    fn greeting_takes_a_name_and_refuses_what_it_does_not_know() {
        let host = TestHost::new();
        block_on(greet(host.context())).unwrap();
        let host = TestHost::new().with_config(std::collections::HashMap::from([("nam", "Ada")]));
        let error = block_on(greet(host.context())).unwrap_err();
        assert!(error.to_string().contains("unknown field `nam`"), "{error}");
    }

    #[test]
    fn primes_are_counted_below_the_number_that_was_submitted() {
        let host =
            TestHost::new().with_arguments(std::collections::HashMap::from([("below", 100)]));
        assert_eq!(count_primes(host.context()).unwrap(), Primes { primes: 25 });
        let host =
            TestHost::new().with_arguments(std::collections::HashMap::from([("below", "x")]));
        let error = count_primes(host.context()).unwrap_err().to_string();
        assert!(error.contains("arguments.below: invalid type"), "{error}");
    }

    #[test]
    fn primes_end_early_when_cancelled() {
        let host = TestHost::new();
        host.cancel();
        primes(host.context()).unwrap();
    }
}
