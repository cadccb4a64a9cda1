//! `otb restore`: masters back to where another file has them.

use clap::Args;

use super::args::Global;
use super::edit::{EditArgs, Editing, SkipArgs};
use super::failure::Failure;
use super::move_node::way_back;
use super::plan::PlanArgs;
use super::{Exit, terminal};
use crate::codes::ErrorCode;
use crate::config::{self, Loaded};
use crate::model::{Cluster, Node, NodeName};
use crate::plan::Move;
use crate::view;

/// Move masters to where OLD_FILE declares them, for example after a drain: shows the change of the file and its plan
///
/// otb takes only the `master:` lines from OLD_FILE; other differences between the two files stay. Only `otb apply`
/// changes the cluster.
#[derive(Debug, Args)]
#[command(after_help = "Example: git show HEAD~1:cluster.yaml | otb restore - --write && otb apply")]
pub(super) struct RestoreArgs {
    /// A cluster.yaml of the same cluster, for example an older version of the file; `-` is standard input
    #[arg(value_name = "OLD_FILE")]
    old: std::path::PathBuf,
    #[command(flatten)]
    edit: EditArgs,
    #[command(flatten)]
    skip: SkipArgs,
    #[command(flatten)]
    plan: PlanArgs,
}

pub(super) async fn run(global: &Global, args: &RestoreArgs) -> Result<Exit, Failure> {
    let editing = Editing::begin(global, (&args.edit, &args.plan), &args.skip.skip)?;
    let cluster = editing.cluster();
    let old = old(args)?.cluster;
    if old.name != cluster.name {
        let text = format!("{} belongs to the cluster {}, not to {}", args.old.display(), old.name, cluster.name);
        return Err(
            Failure::new(ErrorCode::UsageOtherCluster, text).hint("name an older version of this cluster's file")
        );
    }
    let wanted = |name: &NodeName| editing.concerns(name);
    let moves = moves(cluster, &old, &wanted)?;
    for node in cluster.nodes.keys().filter(|name| wanted(name) && !old.nodes.contains_key(*name)) {
        terminal::say(&format!("warning: {node} is not in {}; it stays as it is", args.old.display()));
    }
    let story = if moves.is_empty() {
        format!("Nothing to restore: every master is declared as in {}.\n\n", args.old.display())
    } else {
        view::moves_text(&moves)
    };
    let again = format!("restore {}", args.old.display());
    let way_back = way_back(&moves, global);
    editing.end(&moves, &story, None, (&again, &way_back)).await
}

fn old(args: &RestoreArgs) -> Result<Loaded, Failure> {
    let read = if args.old.as_os_str() == "-" {
        config::read_from("standard input", std::io::stdin().lock())
    } else {
        config::read(&args.old)
    };
    Ok(read?)
}

fn moves(cluster: &Cluster, old: &Cluster, wanted: &dyn Fn(&NodeName) -> bool) -> Result<Vec<Move>, Failure> {
    let elsewhere =
        |node: &&Node| wanted(&node.name) && was(node, old).is_some_and(|before| before.master != node.master);
    let nodes: Vec<&Node> = cluster.nodes.values().filter(elsewhere).collect();
    let gone: Vec<String> = nodes.iter().filter_map(|node| gone(node, was(node, old)?)).collect();
    if !gone.is_empty() {
        let text = format!("cannot be restored, nothing was changed: {}", gone.join("; "));
        return Err(
            Failure::new(ErrorCode::RestoreGone, text).hint("declare the instance again, or skip the node with --skip")
        );
    }
    let one = |node: &&Node| {
        let before = was(node, old)?;
        Some(Move {
            node: node.name.clone(),
            kind: node.kind,
            from: node.master.clone(),
            to: before.master.clone(),
            because: "as before".to_owned(),
        })
    };
    Ok(nodes.iter().filter_map(one).collect())
}

fn was<'a>(node: &Node, old: &'a Cluster) -> Option<&'a Node> {
    old.nodes.get(&node.name)
}

fn gone(node: &Node, before: &Node) -> Option<String> {
    let missing = !node.instances.contains_key(&before.master);
    missing.then(|| format!("the file declares no instance of {} on {}", node.name, before.master))
}
