//! How many tasks and runs a host can hold, and how long its steps take.
//!
//! ```text
//! cargo bench -p hotbay-tests --bench tasks
//! cargo bench -p hotbay-tests --bench tasks periodic
//! ```
//!
//! `periodic` and `queue` are about the plan alone, in simulated time; `many`, `runs` and `soak` about
//! all that executes tasks.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

#[path = "tasks/host.rs"]
mod host;
#[path = "tasks/many.rs"]
mod many;
#[path = "tasks/periodic.rs"]
mod periodic;
#[path = "tasks/queue.rs"]
mod queue;
#[path = "tasks/runs.rs"]
mod runs;
#[path = "tasks/soak.rs"]
mod soak;

fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let named = |name: &str| wanted.iter().any(|it| it == name);
    let wanted = |name: &str| wanted.is_empty() || named(name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("threads can be started");
    if wanted("periodic") {
        periodic::run();
    }
    if wanted("queue") {
        queue::run();
    }
    if wanted("many") {
        runtime.block_on(many::run());
    }
    if wanted("runs") {
        runtime.block_on(runs::run());
    }
    // It takes half an hour, so it is run by its name only.
    if named("soak") {
        runtime.block_on(soak::run());
    }
}
