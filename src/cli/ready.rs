//! `otb ready`: could each node fail over now? Looks, and changes nothing.

use std::collections::BTreeSet;

use clap::Args;

use super::args::{Format, Global};
use super::failure::Failure;
use super::{Exit, json, look, terminal};
use crate::diagnosis::{moved, readiness};
use crate::model::{NodeName, Observation};
use crate::view;

/// Report for each node whether a standby could take over now, and what a failover would lose; read only
///
/// Runs all checks of a failover without doing it. Exit 0: each node that has a standby could fail over. 2: a node could
/// not fail over, or otb could not find out.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml ready --target dn01 --checks")]
pub(super) struct ReadyArgs {
    /// Show passed checks too
    #[arg(long)]
    checks: bool,
}

pub(super) async fn run(global: &Global, args: &ReadyArgs) -> Result<Exit, Failure> {
    let cluster = look::load(global)?.cluster;
    let targets = global.targets(&cluster)?;
    let connections = look::connections(&cluster)?;
    let seen = look::observe(&cluster, &connections, global).await;
    // Some facts are asked only of a node whose master moves: one round for each standby of a node.
    let mut rounds: Vec<Observation> = Vec::new();
    while let Some(moved) = moved(&cluster, &targets, &seen, rounds.len()) {
        let concerned = |name: &&NodeName| {
            cluster.nodes.get(*name).map(|node| &node.master) != moved.nodes.get(*name).map(|node| &node.master)
        };
        let nodes: BTreeSet<NodeName> = cluster.nodes.keys().filter(concerned).cloned().collect();
        rounds.push(look::observe_again(seen.clone(), &nodes, &moved, &connections, global).await);
    }
    connections.close().await;
    let ready = readiness(&cluster, &targets, &seen, &rounds, look::now());
    match global.format {
        Format::Json => terminal::result(&json::pretty(&ready)?),
        Format::Markdown => terminal::result(&view::ready_markdown(&ready)),
        _ => terminal::prose(&view::ready_text(&ready, args.checks)),
    }
    Ok(if ready.verdict.refuses() { Exit::Differences } else { Exit::Done })
}
