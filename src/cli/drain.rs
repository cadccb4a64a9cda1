//! `otb drain`: every master away from a server, as a change of the file.

use std::fmt::Write as _;

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::args::Global;
use super::complete;
use super::edit::{EditArgs, Editing, SkipArgs};
use super::failure::Failure;
use super::move_node::way_back;
use super::plan::PlanArgs;
use super::{Exit, look};
use crate::codes::ErrorCode;
use crate::model::{Cluster, NodeName, ServerName};
use crate::plan::{Drain, drain};
use crate::view;

/// Move all masters away from SERVER: shows the change of the file and its plan
///
/// For each node, otb chooses the best other instance: one that already runs as master, then a standby that streams
/// within policy.max_lag. Among equal instances it prefers the server with the fewest masters, then the smallest lag,
/// then the server's name. Only `otb apply` changes the cluster.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: otb drain s29 --write && otb apply\nThe way back is the otb move that --write prints."
)]
pub(super) struct DrainArgs {
    /// The name of the server in the file
    #[arg(add = ArgValueCandidates::new(complete::servers))]
    server: String,
    #[command(flatten)]
    edit: EditArgs,
    #[command(flatten)]
    skip: SkipArgs,
    #[command(flatten)]
    plan: PlanArgs,
}

pub(super) async fn run(global: &Global, args: &DrainArgs) -> Result<Exit, Failure> {
    let editing = Editing::begin(global, (&args.edit, &args.plan), &args.skip.skip)?;
    let cluster = editing.cluster();
    let server = server(&args.server, cluster)?;
    let connections = look::connections(cluster)?;
    let seen = look::observe(cluster, &connections, global).await;
    connections.close().await;
    let drain = drain(cluster, &seen, server, &|node| editing.concerns(node));
    refuse_stuck(&drain, server)?;
    let story = story(&drain, server, cluster);
    let way_back = way_back(&drain.moves, global);
    let again = format!("drain {server}");
    editing.end(&drain.moves, &story, Some(seen), (&again, &way_back)).await
}

fn server<'a>(text: &str, cluster: &'a Cluster) -> Result<&'a ServerName, Failure> {
    cluster.servers.keys().find(|name| name.as_str() == text).ok_or_else(|| {
        let failure = Failure::new(
            ErrorCode::UsageUnknownServer,
            format!("drain {text}: the file declares no server of that name"),
        );
        failure.meant("otb drain ", text, cluster.servers.keys().map(ServerName::as_str), "")
    })
}

/// A drain that leaves a master behind is none, unless that is what was asked for.
fn refuse_stuck(drain: &Drain, server: &ServerName) -> Result<(), Failure> {
    if drain.stuck.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = drain.stuck.iter().map(NodeName::as_str).collect();
    let text = format!(
        "{server} cannot be drained, nothing was changed: the file declares no other instance of {}",
        names.join(", ")
    );
    let skips: String = names.iter().fold(String::new(), |text, name| text + " --skip " + name);
    Err(Failure::new(ErrorCode::DrainStuck, text)
        .hint(format!("declare a standby of each node elsewhere, or leave them there: otb drain {server}{skips}")))
}

fn story(drain: &Drain, server: &ServerName, cluster: &Cluster) -> String {
    let mut text = String::new();
    let moved = |name: &NodeName| drain.moves.iter().any(|one| one.node == *name);
    let left: Vec<_> = cluster.nodes.values().filter(|node| node.master == *server && !moved(&node.name)).collect();
    let place = format!("on {server}");
    for node in &left {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<10} {:<12} {place:<12} stays: skipped", node.name, node.kind);
    }
    match (drain.moves.is_empty(), left.is_empty()) {
        (true, true) => text = format!("Nothing to drain: no master is declared on {server}.\n\n"),
        (true, false) => text.push('\n'),
        (false, _) => {}
    }
    text + &view::moves_text(&drain.moves)
}
