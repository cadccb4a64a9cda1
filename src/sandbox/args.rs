//! Arguments of the `otb sandbox` commands.

use std::path::PathBuf;

use clap::Args;

/// Starts an embedded cluster in the background and writes DIR/cluster.yaml.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Directory for the sandbox's files
    #[arg(long, value_name = "DIR", default_value = "otb-sandbox", env = "OTB_SANDBOX")]
    pub dir: PathBuf,
    /// Use the nodes, servers and ports of this cluster.yaml instead of the example cluster
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Start in the image of the observed cluster in this saved plan, with its problems
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["from", "coordinators", "datanodes", "coordinator_standbys", "flavor"])]
    pub like_live: Option<PathBuf>,
    /// Number of coordinators
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub coordinators: u16,
    /// Number of datanodes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub datanodes: u16,
    /// Create standbys of the coordinators too
    #[arg(long)]
    pub coordinator_standbys: bool,
    /// The OpenTenBase version to imitate
    #[arg(long, value_enum, default_value_t = super::Flavor::V2)]
    pub flavor: super::Flavor,
    /// Round-trip time of the simulated network in milliseconds; a command takes the same time
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
    /// Require this password from sessions
    #[arg(long, value_name = "TEXT")]
    pub password: Option<String>,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
}

impl UpArgs {
    /// The example cluster in `dir`.
    pub fn seed(dir: PathBuf) -> Self {
        Self {
            dir,
            from: None,
            like_live: None,
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
    /// Directory of the sandbox's files
    #[arg(long, value_name = "DIR", default_value = "otb-sandbox", env = "OTB_SANDBOX")]
    pub dir: PathBuf,
}

/// Does something to the sandbox that happens to real clusters.
#[derive(Debug, Clone, Args)]
#[command(after_help = super::fault::help())]
pub struct FaultArgs {
    #[command(flatten)]
    pub sandbox: DirArgs,
    /// The kind of fault
    #[arg(value_name = "KIND", value_parser = super::fault::kinds())]
    pub kind: String,
    /// The instance (dn01@s29, or dn01 for the node's running master), the server or the tool
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
    /// Further values of the fault
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub value: Vec<String>,
}

/// Serves a sandbox in the foreground; `up` starts it in the background.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub sandbox: DirArgs,
}
