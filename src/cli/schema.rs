//! `otb schema`, `otb completions`, `otb man`: for editors, shells and packagers.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, ValueEnum};

use super::complete;
use super::failure::Failure;
use super::journal::JournalLine;
use super::{Cli, Exit, json, terminal};
use crate::codes::ErrorCode;
use crate::{apply, codes, config, diagnosis, drift, plan, view};

/// Print a JSON schema
#[derive(Debug, Args)]
#[command(after_help = "Example: otb schema cluster > schemas/cluster.schema.json")]
pub(super) struct SchemaArgs {
    /// The document that the schema describes
    of: Document,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Document {
    /// cluster.yaml
    Cluster,
    /// `otb plan --format json`
    Plan,
    /// `otb status --format json`
    Status,
    /// `otb drift --format json`
    Drift,
    /// `otb ready --format json`
    Ready,
    /// `otb explain --format json`
    Explain,
    /// A line of `otb apply --format json`
    Events,
    /// A line of the journal that apply writes
    Journal,
    /// `otb history --format json`
    History,
}

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.of {
        Document::Cluster => config::schema(),
        Document::Plan => schemars::schema_for!(plan::Plan).to_value(),
        Document::Status => schemars::schema_for!(view::StatusDocument).to_value(),
        Document::Drift => schemars::schema_for!(drift::Drift).to_value(),
        Document::Ready => schemars::schema_for!(diagnosis::Readiness).to_value(),
        Document::Explain => schemars::schema_for!(codes::Explanations).to_value(),
        Document::Events => schemars::schema_for!(apply::EventLine).to_value(),
        Document::Journal => schemars::schema_for!(JournalLine).to_value(),
        Document::History => schemars::schema_for!(view::HistoryDocument).to_value(),
    };
    terminal::result(&json::pretty(&schema)?);
    Ok(Exit::Done)
}

/// Print a completion script
#[derive(Debug, Args)]
#[command(after_help = "Example: otb completions bash > /etc/bash_completion.d/otb")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let script = complete::script(args.shell);
    let script =
        script.map_err(|error| Failure::new(ErrorCode::InternalBug, format!("no completion script: {error}")))?;
    terminal::result(&script);
    Ok(Exit::Done)
}

/// Print the manual page, or write the pages of all commands
#[derive(Debug, Args)]
#[command(after_help = "Example: otb man | man -l -\nExample: otb man --dir /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write otb.1, otb-plan.1 and so on into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    if let Some(dir) = &args.dir {
        clap_mangen::generate_to(Cli::command(), dir).map_err(|error| {
            let text = format!("failed to write manual pages into {}: {error}", dir.display());
            Failure::new(ErrorCode::OutputUnwritable, text).hint("name an existing directory that you may write to")
        })?;
        return Ok(Exit::Done);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|error| Failure::new(ErrorCode::InternalBug, error.to_string()))?;
    terminal::result(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}
