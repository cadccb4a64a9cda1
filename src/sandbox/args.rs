//! Arguments of the `otb sandbox` commands.

use std::path::PathBuf;

use clap::Args;

/// Starts an embedded cluster in the background and writes DIR/cluster.yaml.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Where it keeps its files
    #[arg(long, value_name = "DIR", default_value = "otb-sandbox", env = "OTB_SANDBOX")]
    pub dir: PathBuf,
    /// Take nodes, servers and ports from this cluster.yaml instead of the seed's table
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// How many coordinators
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub coordinators: u16,
    /// How many datanodes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub datanodes: u16,
    /// Give coordinators standbys too
    #[arg(long)]
    pub coordinator_standbys: bool,
    /// Which OpenTenBase it is; v5 is known from its source only
    #[arg(long, value_enum, default_value_t = super::Flavor::V2)]
    pub flavor: super::Flavor,
    /// Round trip of the simulated network, in milliseconds; a command takes as long
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
    /// Ask sessions for this password
    #[arg(long, value_name = "TEXT")]
    pub password: Option<String>,
    /// End by itself after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
}

impl UpArgs {
    /// The seed's topology in `dir`.
    pub fn seed(dir: PathBuf) -> Self {
        Self {
            dir,
            from: None,
            coordinators: 2,
            datanodes: 2,
            coordinator_standbys: false,
            flavor: super::Flavor::V2,
            latency: 0,
            password: None,
            ttl: None,
        }
    }
}

/// The sandbox a command is about.
#[derive(Debug, Clone, Args)]
pub struct DirArgs {
    /// Where the sandbox keeps its files
    #[arg(long, value_name = "DIR", default_value = "otb-sandbox", env = "OTB_SANDBOX")]
    pub dir: PathBuf,
}

/// Does something to the sandbox that happens to real clusters.
#[derive(Debug, Clone, Args)]
#[command(after_help = super::fault::help())]
pub struct FaultArgs {
    #[command(flatten)]
    pub sandbox: DirArgs,
    /// What happens
    #[arg(value_name = "KIND", value_parser = super::fault::kinds())]
    pub kind: String,
    /// To whom: dn01@s29, or dn01 for the node's running master; a server, a tool
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
    /// What else the kind needs
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub value: Vec<String>,
}

/// Serves a sandbox in the foreground; `up` starts it in the background.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub sandbox: DirArgs,
}
