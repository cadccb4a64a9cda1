//! `otb move`: masters to another server, as a change of the file.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::args::Global;
use super::complete;
use super::edit::{EditArgs, Editing};
use super::failure::Failure;
use super::plan::PlanArgs;
use super::{Exit, file_suggestions};
use crate::codes::ErrorCode;
use crate::config;
use crate::model::{Cluster, Node, NodeName, ServerName};
use crate::plan::Move;
use crate::view;

/// Move the master of each NODE to SERVER: shows the change of the file and its plan
///
/// Only `master:` lines of the file change. Only `otb apply` changes the cluster.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb move dn01 s47 --write && otb apply")]
pub(super) struct MoveArgs {
    /// The names of the nodes in the file
    #[arg(required = true, value_name = "NODE", add = ArgValueCandidates::new(complete::nodes_and_servers))]
    nodes: Vec<String>,
    /// The name of the server in the file; its instances become masters
    #[arg(add = ArgValueCandidates::new(complete::servers))]
    server: String,
    #[command(flatten)]
    edit: EditArgs,
    #[command(flatten)]
    plan: PlanArgs,
}

pub(super) async fn run(global: &Global, args: &MoveArgs) -> Result<Exit, Failure> {
    let editing = Editing::begin(global, (&args.edit, &args.plan), &[])?;
    let (mut moves, mut there) = (Vec::new(), Vec::new());
    for text in &args.nodes {
        let node = node(text, &args.server, editing.cluster())?;
        let to = server(&args.server, node, editing.cluster())?;
        if !editing.concerns(&node.name) {
            let text = format!("--target does not name {}, the node to move", node.name);
            return Err(Failure::new(ErrorCode::UsageCombination, text).hint("remove --target"));
        }
        let (name, from) = (node.name.clone(), node.master.clone());
        if moves.iter().any(|one: &Move| one.node == name) {
            continue;
        }
        if from == to {
            there.push(name.to_string());
        } else {
            moves.push(Move { node: name, kind: node.kind, from, to, because: "as asked".to_owned() });
        }
    }
    let story = if there.is_empty() {
        view::moves_text(&moves)
    } else {
        let there = format!("Already declared on {}: {}.\n\n", args.server, there.join(", "));
        there + &view::moves_text(&moves)
    };
    let again = format!("move {} {}", args.nodes.join(" "), args.server);
    editing.end(&moves, &story, None, (&again, &way_back(&moves, global))).await
}

/// The command that declares the masters where they were.
pub(super) fn way_back(moves: &[Move], global: &Global) -> String {
    let otb = file_suggestions::otb(&global.file);
    let mut servers: Vec<&ServerName> = moves.iter().map(|one| &one.from).collect();
    servers.sort();
    servers.dedup();
    let line = |server: &&ServerName| {
        let nodes: Vec<&str> = moves.iter().filter(|one| one.from == **server).map(|one| one.node.as_str()).collect();
        format!("{otb} move {} {server} --write", nodes.join(" "))
    };
    servers.iter().map(line).collect::<Vec<_>>().join(" && ")
}

fn node<'a>(text: &str, server: &str, cluster: &'a Cluster) -> Result<&'a Node, Failure> {
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
