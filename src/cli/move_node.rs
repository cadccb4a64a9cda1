//! `otb move`: one master to another server, as a change of the file.

use clap::Args;

use super::args::Global;
use super::edit::{EditArgs, Editing};
use super::failure::Failure;
use super::plan::PlanArgs;
use super::{Exit, nearby};
use crate::codes::ErrorCode;
use crate::config;
use crate::model::{Cluster, Node, NodeName, ServerName};
use crate::plan::Move;
use crate::view;

/// Declare NODE's master on SERVER: shows the change of the file and its plan
///
/// Only the `master:` line changes. Nothing but `otb apply` changes the cluster.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb move dn01 s47 --write && otb apply")]
pub(super) struct MoveArgs {
    /// The node, by its name in the file
    node: String,
    /// The server that has the instance that becomes master, by its name in the file
    server: String,
    #[command(flatten)]
    edit: EditArgs,
    #[command(flatten)]
    plan: PlanArgs,
}

pub(super) async fn run(global: &Global, args: &MoveArgs) -> Result<Exit, Failure> {
    let editing = Editing::begin(global, (&args.edit, &args.plan), &[])?;
    let node = node(args, editing.cluster())?;
    let to = server(&args.server, node, editing.cluster())?;
    if !editing.concerns(&node.name) {
        let text = format!("--target leaves {} out, which is to be moved", node.name);
        return Err(Failure::new(ErrorCode::UsageCombination, text).hint("leave --target away"));
    }
    let from = node.master.clone();
    let one = Move {
        node: node.name.clone(),
        kind: node.kind,
        from: from.clone(),
        to: to.clone(),
        because: "as asked".to_owned(),
    };
    let again = format!("move {} {to}", node.name);
    let way_back = format!("{} move {} {from} --write", nearby::otb(&global.file), node.name);
    let (moves, story) = if from == to {
        (Vec::new(), format!("Nothing to move: the file declares {}'s master on {to} already.\n\n", node.name))
    } else {
        let moves = vec![one];
        let story = view::moves_text(&moves);
        (moves, story)
    };
    editing.end(&moves, &story, None, (&again, &way_back)).await
}

fn node<'a>(args: &MoveArgs, cluster: &'a Cluster) -> Result<&'a Node, Failure> {
    let MoveArgs { node: text, server, .. } = args;
    cluster.nodes.values().find(|node| node.name.as_str() == text).ok_or_else(|| {
        let failure =
            Failure::new(ErrorCode::UsageUnknownNode, format!("move {text}: the file declares no node of that name"));
        failure.meant("otb move ", text, cluster.nodes.keys().map(NodeName::as_str), &format!(" {server}"))
    })
}

fn server(text: &str, node: &Node, cluster: &Cluster) -> Result<ServerName, Failure> {
    let servers = || node.instances.keys().map(ServerName::as_str);
    let name = &node.name;
    if let Some(server) = node.instances.keys().find(|server| server.as_str() == text) {
        return Ok(server.clone());
    }
    if cluster.servers.keys().any(|server| server.as_str() == text) {
        let places = config::one_of(servers());
        let text =
            format!("{name} cannot be moved, nothing was changed: it has no instance on {text}, only on {places}");
        return Err(Failure::new(ErrorCode::MoveNoInstance, text)
            .hint("declare an instance there and rebuild it as a standby first, or name a server that has one"));
    }
    let failure = Failure::new(
        ErrorCode::UsageUnknownServer,
        format!("move {name} {text}: the file declares no server of that name"),
    );
    Err(failure.meant(&format!("otb move {name} "), text, servers(), ""))
}
