//! `otb graph`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::Global;
use super::failure::Failure;
use super::{Exit, look, show, terminal};
use crate::view::{Topology, dot_graph, mermaid_graph, svg_graph};

/// Draw the topology of the live cluster, of a saved plan (now and after), or of the file
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml graph --as svg > topology.svg")]
pub(super) struct GraphArgs {
    /// A plan saved by `otb plan -o`, instead of the live cluster
    plan: Option<PathBuf>,
    /// Draw what the file declares, without observing the cluster
    #[arg(long, conflicts_with = "plan")]
    declared: bool,
    /// Language of the drawing
    #[arg(long = "as", value_enum, default_value_t = Drawing::Mermaid)]
    drawing: Drawing,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Drawing {
    /// For Markdown on GitHub and GitLab, in a fence named mermaid
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture in one file, for light and dark pages
    Svg,
}

pub(super) async fn run(global: &Global, args: &GraphArgs) -> Result<Exit, Failure> {
    let topology = topology(global, args).await?;
    let text = match args.drawing {
        Drawing::Mermaid => mermaid_graph(&topology),
        Drawing::Dot => dot_graph(&topology),
        Drawing::Svg => svg_graph(&topology),
    };
    terminal::result(&text);
    Ok(Exit::Done)
}

async fn topology(global: &Global, args: &GraphArgs) -> Result<Topology, Failure> {
    if let Some(path) = &args.plan {
        return Ok(Topology::of_plan(&show::read(path)?));
    }
    let cluster = look::load(global)?.cluster;
    if args.declared {
        return Ok(Topology::declared(&cluster));
    }
    let connections = look::connections(&cluster)?;
    let seen = look::observe(&cluster, &connections, global).await;
    connections.close().await;
    Ok(Topology::of_live(&cluster, &seen))
}
