//! `-v` and `--log-file`: every statement and script that otb sends, with what became of it. Passwords are in
//! neither: they travel in the login, which is not logged.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::failure::Failure;
use crate::codes::ErrorCode;

/// Starts logging, if it is wanted at all.
pub(super) fn start(verbose: u8, file: Option<&Path>) -> Result<(), Failure> {
    let level = if verbose > 0 { LevelFilter::DEBUG } else { LevelFilter::OFF };
    let terminal = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).without_time();
    let file = file.map(open).transpose()?;
    let file = file.map(|file| tracing_subscriber::fmt::layer().with_writer(Mutex::new(file)).with_ansi(false));
    tracing_subscriber::registry()
        .with(terminal.with_target(false).with_filter(level))
        .with(file.map(|layer| layer.with_filter(LevelFilter::DEBUG)))
        .try_init()
        .map_err(|error| Failure::new(ErrorCode::InternalStart, format!("failed to start logging: {error}")))
}

fn open(path: &Path) -> Result<std::fs::File, Failure> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|error| {
        Failure::new(ErrorCode::OutputUnwritable, format!("failed to open the log file {}: {error}", path.display()))
    })
}
