//! Arguments as the user writes them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::complete;
use super::failure::Failure;
use super::file_suggestions::NamedBy;
use super::interrupt::interruptible;
use super::{
    Exit, apply, demo, drain, drift, explain, graph, history, import, move_node, plan, ready, restore, sandbox, schema,
    show, status, validate, version,
};
use crate::codes::ErrorCode;
use crate::model::NodeName;

/// Declarative master placement for OpenTenBase clusters.
///
/// The file cluster.yaml declares on which server each node's master must be. `otb plan` compares the file with the
/// live cluster and prints the fewest steps that make them equal. `otb apply` does these steps and proves the result.
#[derive(Debug, Parser)]
#[command(name = "otb", version = version::SHORT, long_version = version::LONG, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Example: otb demo\nIt needs no cluster. To read what a code in error[CODE] means: otb \
    explain CODE")]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// The file that declares the cluster; otb also finds cluster.yaml in the parent directories
    #[arg(short, long, global = true, value_name = "FILE", default_value = "cluster.yaml", env = "OTB_FILE")]
    pub file: PathBuf,
    /// What named it
    #[arg(skip)]
    pub named_by: NamedBy,
    /// Observe and change only this node (repeatable)
    #[arg(long, global = true, value_name = "NODE", add = ArgValueCandidates::new(complete::nodes))]
    pub target: Vec<String>,
    /// Maximum number of sessions at the same time (one per process; fewer if file descriptors are scarce)
    #[arg(long, global = true, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub parallelism: u16,
    /// Time limit for one process to answer all queries of one observation
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = some_time)]
    pub timeout: Duration,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Output format
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Print every statement and script that otb sends, on standard error
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Append these statements and scripts, with times, to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Show each router's pgxc_node before and after, as a unified diff
    #[arg(long, global = true)]
    pub diff: bool,
}

impl Global {
    /// The `--target`s, checked against the declared nodes.
    pub(super) fn targets(&self, cluster: &crate::model::Cluster) -> Result<Vec<NodeName>, Failure> {
        self.target.iter().map(|text| target(text, cluster)).collect()
    }
}

/// A time in which something can happen: after none, every answer would be late.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 500ms, 5s or 2m"))?;
    if time < LEAST_TIME { Err(format!("nothing answers within {text}; the minimum is 10ms")) } else { Ok(time) }
}

/// The shortest `--timeout`: below it a healthy cluster on loopback would seem to be silent.
const LEAST_TIME: Duration = Duration::from_millis(10);

fn target(text: &str, cluster: &crate::model::Cluster) -> Result<NodeName, Failure> {
    let found = cluster.nodes.keys().find(|name| name.as_str() == text);
    found.cloned().ok_or_else(|| {
        let failure = Failure::new(
            ErrorCode::UsageUnknownNode,
            format!("--target {text}: the file declares no node of that name"),
        );
        failure.meant("--target ", text, cluster.nodes.keys().map(NodeName::as_str), "")
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people, on a terminal
    Text,
    /// For machines; apply prints one object per event and line
    Json,
    /// A comment on a change request, at most 60,000 characters
    Markdown,
    /// One page without external files
    Html,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Drift(drift::DriftArgs),
    Ready(ready::ReadyArgs),
    Move(move_node::MoveArgs),
    Drain(drain::DrainArgs),
    Restore(restore::RestoreArgs),
    Status(status::StatusArgs),
    History(history::HistoryArgs),
    Import(import::ImportArgs),
    Show(show::ShowArgs),
    Graph(graph::GraphArgs),
    Demo(demo::DemoArgs),
    Sandbox(sandbox::SandboxArgs),
    Explain(explain::ExplainArgs),
    Schema(schema::SchemaArgs),
    Completions(schema::CompletionsArgs),
    Man(schema::ManArgs),
    Version(version::VersionArgs),
}

impl Command {
    /// The formats in which the command's result can be written.
    fn formats(&self) -> &'static [Format] {
        match self {
            Self::Plan(_) | Self::Move(_) | Self::Drain(_) | Self::Restore(_) | Self::Show(_) | Self::Status(_) => {
                &[Format::Text, Format::Json, Format::Markdown, Format::Html]
            }
            Self::Ready(_) => &[Format::Text, Format::Json, Format::Markdown],
            Self::Apply(_) | Self::Drift(_) | Self::History(_) | Self::Explain(_) => &[Format::Text, Format::Json],
            _ => &[Format::Text],
        }
    }

    /// A result in another format than the one that was asked for would be taken for it by whatever reads it.
    fn takes(&self, format: Format) -> Result<(), Failure> {
        let known = self.formats();
        if known.contains(&format) {
            return Ok(());
        }
        let known: Vec<&str> = known.iter().map(|format| format.word()).collect();
        let text = format!("--format {}: this command can only write {}", format.word(), known.join(" and "));
        let failure = Failure::new(ErrorCode::UsageFormat, text);
        Err(if matches!(self, Self::Graph(_)) { failure.hint("--as chooses the language of a graph") } else { failure })
    }
}

pub(super) async fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    command.takes(global.format)?;
    match command {
        Command::Validate(args) => validate::run(&global, &args),
        Command::Plan(args) => interruptible(Box::pin(plan::run(&global, &args))).await,
        Command::Apply(args) => Box::pin(apply::run(&global, &args)).await,
        Command::Drift(args) => interruptible(Box::pin(drift::run(&global, &args))).await,
        Command::Ready(args) => interruptible(Box::pin(ready::run(&global, &args))).await,
        Command::Move(args) => interruptible(Box::pin(move_node::run(&global, &args))).await,
        Command::Drain(args) => interruptible(Box::pin(drain::run(&global, &args))).await,
        Command::Restore(args) => interruptible(Box::pin(restore::run(&global, &args))).await,
        Command::Status(args) => status::run(&global, &args).await,
        Command::History(args) => history::run(&global, &args),
        Command::Import(args) => interruptible(Box::pin(import::run(&global, &args))).await,
        Command::Show(args) => show::run(&global, &args),
        Command::Graph(args) => interruptible(Box::pin(graph::run(&global, &args))).await,
        Command::Demo(args) => Box::pin(demo::run(&global, &args)).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Explain(args) => explain::run(&global, &args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => schema::completions(&args),
        Command::Man(args) => schema::man(&args),
        Command::Version(args) => Ok(version::run(&args)),
    }
}
