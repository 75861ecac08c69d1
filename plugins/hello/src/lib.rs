//! A small plugin to start from.
//!
//! Its tasks show the four kinds that the host runs: async and sync, once at
//! start and at an interval. Its connector counts, for pipelines that need a
//! source with nothing behind it, and hands its place to the next build of itself.

mod count;

use std::time::Duration;

use hotbay_plugin_api::prelude::*;
use serde::Deserialize;

pub use count::Count;

/// What the host runs; `hotbay plugin list` shows it.
pub const PLUGIN_TASKS: &[PluginTask] = &[
    PluginTask {
        description: "Says hello once, at start",
        ..PluginTask::new("greet", run_async!(greet))
    },
    PluginTask {
        description: "Says every five seconds that it is alive",
        interval: Some(Duration::from_secs(5)),
        ..PluginTask::new("heartbeat", run_async!(heartbeat))
    },
    PluginTask {
        description: "Computes primes once, on a thread that may be busy",
        ..PluginTask::new("primes", run_sync!(primes))
    },
];

/// The configuration of the tasks, under `tasks:` in the host's configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "world".to_owned()
}

async fn greet(context: Context) -> Result<(), SchedulerError> {
    let Settings { name } = context.config()?;
    // With the SDK's feature `tokio`, a plugin sleeps as any tokio program does.
    tokio::time::sleep(Duration::from_millis(1)).await;
    tracing::info!(name, "hello");
    Ok(())
}

async fn heartbeat(context: Context) -> Result<(), SchedulerError> {
    context.counter("beats").add(1);
    tracing::info!(now_ns = context.now_ns(), "alive");
    Ok(())
}

/// Counts the primes below a hundred thousand: work that no async thread should do.
fn primes(context: Context) -> Result<(), SchedulerError> {
    let is_prime = |n: &u32| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    let mut found = 0;
    for start in (2u32..100_000).step_by(1_000) {
        // A sync task can't be stopped from outside: it looks for itself.
        if context.is_cancelled() {
            return Ok(());
        }
        found += (start..start + 1_000).filter(is_prime).count();
    }
    tracing::info!(found, "primes below 100,002");
    Ok(())
}

export_plugin! { tasks: PLUGIN_TASKS, components: [connector::<Count>("count")] }

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
    fn primes_end_early_when_cancelled() {
        let host = TestHost::new();
        host.cancel();
        primes(host.context()).unwrap();
    }
}
