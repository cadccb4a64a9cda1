//! The program of a sandbox's tools: see relay.rs.

#[path = "../relay.rs"]
mod relay;
#[path = "../socket.rs"]
mod socket;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A shell that found the tool by PATH gives its name alone; this is where it lies.
    relay::run(&std::fs::read_link("/proc/self/exe").unwrap_or_default())
}
