//! `otb status`.

use clap::Args;

use super::args::{Format, Global};
use super::failure::Failure;
use super::{Exit, look, terminal};
use crate::view;

/// Show the live cluster as it is: roles, lag, timelines, and routes that disagree
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml status")]
pub(super) struct StatusArgs {}

pub(super) async fn run(global: &Global, _: &StatusArgs) -> Result<Exit, Failure> {
    let cluster = look::load(global)?.cluster;
    let outside = look::outside(&cluster)?;
    let seen = look::observe(&cluster, &outside, global).await;
    outside.close().await;
    match global.format {
        Format::Text => terminal::result(&view::status_text(&cluster, &seen)),
        Format::Json => {
            let text = serde_json::to_string_pretty(&seen).map_err(|error| Failure::error(error.to_string()))?;
            terminal::result(&(text + "\n"));
        }
    }
    Ok(Exit::Done)
}
