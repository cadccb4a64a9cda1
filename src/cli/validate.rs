//! `otb validate`.

use clap::Args;

use super::args::Global;
use super::failure::Failure;
use super::{Exit, look, terminal};
use crate::model::NodeKind;

/// Check cluster.yaml without the cluster: reports all mistakes, each with its place and what to write instead
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml validate")]
pub(super) struct ValidateArgs {}

pub(super) fn run(global: &Global, _: &ValidateArgs) -> Result<Exit, Failure> {
    let cluster = look::load(global)?.cluster;
    let of = |kind| cluster.nodes_of(kind).count();
    terminal::prose(&format!(
        "{} is valid: cluster {}, {} servers, {} coordinators, {} datanodes, {} instances in all\n",
        global.file.display(),
        cluster.name,
        cluster.servers.len(),
        of(NodeKind::Coordinator),
        of(NodeKind::Datanode),
        cluster.instances().count()
    ));
    Ok(Exit::Done)
}
