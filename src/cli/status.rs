//! `otb status`.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;

use super::args::{Format, Global};
use super::failure::Failure;
use super::interrupt::{self, interruptible, unless_interrupted};
use super::{Exit, json, look, terminal};
use crate::codes::ErrorCode;
use crate::model::{Cluster, NodeName, Observation};
use crate::observe::observe;
use crate::transport::Connections;
use crate::view::{self, Status, StatusDocument};

/// Show the live cluster: problems first, then roles, lag, timelines and wrong routes
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml status --watch --interval 5s")]
pub(super) struct StatusArgs {
    /// Observe again and again until Ctrl-C: redraws on a terminal, appends elsewhere (JSON: one line per observation)
    #[arg(long)]
    watch: bool,
    /// Time between two observations
    #[arg(long, value_name = "TIME", default_value = "2s", requires = "watch", value_parser = super::args::some_time)]
    interval: Duration,
}

pub(super) async fn run(global: &Global, args: &StatusArgs) -> Result<Exit, Failure> {
    if args.watch && matches!(global.format, Format::Markdown | Format::Html) {
        return Err(Failure::new(
            ErrorCode::UsageCombination,
            "--watch requires --format text or json: a document shows one observation",
        ));
    }
    let cluster = look::load(global)?.cluster;
    let targets = global.targets(&cluster)?;
    let connections = look::connections(&cluster)?;
    if !args.watch {
        return interruptible(once(&cluster, &connections, &targets, global)).await;
    }
    let mut interrupts = interrupt::listen();
    let redraw = std::io::stdout().is_terminal() && global.format == Format::Text;
    let limits = look::limits(global);
    loop {
        // Ctrl-C is how a watch ends: no failure.
        let Ok(seen) = unless_interrupted(&mut interrupts, observe(&cluster, &connections, &limits)).await else {
            break;
        };
        if redraw {
            let every = humantime::format_duration(args.interval);
            let text = view::status_text(&status(global, &cluster, &seen, &targets));
            terminal::redraw(&format!("{}, every {every}, Ctrl-C ends\n{text}", look::now()));
        } else {
            let status = status(global, &cluster, &seen, &targets);
            terminal::result(&match global.format {
                Format::Json => json::line(&StatusDocument::new(status, look::now()))?,
                _ => format!("{}\n{}\n", look::now(), view::status_text(&status)),
            });
        }
        if !terminal::is_read() || unless_interrupted(&mut interrupts, tokio::time::sleep(args.interval)).await.is_err()
        {
            break;
        }
    }
    if redraw {
        // Ctrl-C leaves its mark where the cursor was.
        terminal::result("\n");
    }
    connections.close().await;
    Ok(Exit::Done)
}

async fn once(
    cluster: &Cluster,
    connections: &Connections,
    targets: &[NodeName],
    global: &Global,
) -> Result<Exit, Failure> {
    let seen = look::observe(cluster, connections, global).await;
    connections.close().await;
    let text = rendered(status(global, cluster, &seen, targets), global)?;
    if global.format == Format::Text {
        terminal::prose(&text);
    } else {
        terminal::result(&text);
    }
    Ok(Exit::Done)
}

/// What is wrong is found in the whole cluster; what concerns only other nodes is not shown.
fn status<'a>(global: &Global, cluster: &'a Cluster, seen: &'a Observation, targets: &[NodeName]) -> Status<'a> {
    let findings = look::diagnosed(global, cluster, seen, &[], &[]).findings;
    Status::new(cluster, seen, findings, targets)
}

fn rendered(status: Status<'_>, global: &Global) -> Result<String, Failure> {
    Ok(match global.format {
        Format::Text => view::status_text(&status),
        Format::Json => json::pretty(&StatusDocument::new(status, look::now()))?,
        Format::Markdown => view::status_markdown(&status, &look::now()),
        Format::Html => view::status_html(&status, &look::now()),
    })
}
