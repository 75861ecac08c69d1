//! The speed goals, each as a ratio measured side by side in one run.
//!
//! `cargo bench -p hotbay-tests` runs all; a name after `--` runs one: `handler`,
//! `pipeline`, `latency`, `replay`, `fanout`, `load`. The two sides of a ratio take turns, so that
//! a machine that is slow for a while is slow for both; shown are medians. That is why
//! these are not criterion's: it measures one side after the other.

#![expect(clippy::unwrap_used, reason = "a benchmark may")]
#![expect(clippy::print_stdout, reason = "printing figures is what a benchmark does")]

#[path = "speed/fanout.rs"]
mod fanout;
#[path = "speed/handler.rs"]
mod handler;
#[path = "speed/latency.rs"]
mod latency;
#[path = "speed/load.rs"]
mod load;
#[path = "speed/pipeline.rs"]
mod pipeline;
#[path = "speed/replay.rs"]
mod replay;
#[path = "speed/sample.rs"]
mod sample;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|it| it == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if wanted("handler") {
            handler::run().await;
        }
        if wanted("pipeline") {
            pipeline::run().await;
        }
        if wanted("latency") {
            latency::run().await;
        }
        if wanted("replay") {
            replay::run().await;
        }
        if wanted("fanout") {
            fanout::run().await;
        }
        if wanted("load") {
            load::run().await;
        }
    });
}
