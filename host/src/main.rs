//! The `hotbay` program, a plugin host that is used from the command line.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A process that is to probe a library must do nothing else before.
    hotbay_loader::serve_probe();
    cli::main()
}
