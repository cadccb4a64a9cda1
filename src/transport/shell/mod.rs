//! Commands on the cluster's servers, by `sh` on this machine or by the system's ssh client.
//!
//! A script never becomes part of a command line: a fixed text is run there (see [`wrap`]), and the script
//! follows on its standard input.

mod error;
mod exec;
mod held;
mod lanes;
mod local;
mod output;
mod process;
mod shells;
mod ssh;
mod wrap;

pub use error::ShellError;
pub use held::Held;
pub use output::Output;
pub use shells::{HostKeys, ShellSettings, Shells};
