//! How many tasks and runs the plan of a host can hold, and how long its steps take.
//!
//! ```text
//! cargo bench -p hotbay-tests --bench tasks
//! cargo bench -p hotbay-tests --bench tasks periodic
//! ```

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

#[path = "tasks/periodic.rs"]
mod periodic;
#[path = "tasks/queue.rs"]
mod queue;

fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let all: [(&str, fn()); 2] = [("periodic", periodic::run), ("queue", queue::run)];
    for (name, run) in all {
        if wanted.is_empty() || wanted.iter().any(|it| it == name) {
            run();
        }
    }
}
