//! The first part of every command that observes the cluster: read the file, observe, plan.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::SystemTime;

use super::args::Global;
use super::failure::Failure;
use super::{descriptors, file_suggestions, terminal};
use crate::codes::ErrorCode;
use crate::config::{self, Loaded};
use crate::diagnosis;
use crate::model::{Cluster, NodeName, Observation};
use crate::observe::{self, Limits};
use crate::plan::{Input, Plan, Waiver, plan};
use crate::transport::{Connections, ConnectionsError};
use crate::view::Looking;

/// File descriptors that are not for sessions: pipes of shells, files, the terminal.
const OTHER_DESCRIPTORS: usize = 256;

/// Reads and checks the file.
pub(super) fn load(global: &Global) -> Result<Loaded, Failure> {
    file_suggestions::say_used(global);
    config::read(&global.file).map_err(|diagnostics| file_suggestions::failure(global, diagnostics))
}

/// The way to the outside, with its warnings said.
pub(super) fn connections(cluster: &Cluster) -> Result<Connections, Failure> {
    let connections = Connections::new(cluster)?;
    for warning in connections.warnings() {
        terminal::say(&format!("warning: {warning}"));
    }
    Ok(connections)
}

impl From<ConnectionsError> for Failure {
    fn from(error: ConnectionsError) -> Self {
        let code = match &error {
            ConnectionsError::Tls(_) => ErrorCode::ConnectionTls,
            ConnectionsError::Shell(_) => ErrorCode::ConnectionShell,
        };
        Self::new(code, error.to_string())
    }
}

/// Looks at the whole cluster.
pub(super) async fn observe(cluster: &Cluster, connections: &Connections, global: &Global) -> Observation {
    let _looking = Looking::at(cluster.instances().count(), terminal::motion());
    observe::observe(cluster, connections, &limits(global)).await
}

/// Looks at the whole cluster once more, moments after `lately` was seen.
pub(super) async fn observe_soon_after(
    lately: &Observation,
    cluster: &Cluster,
    connections: &Connections,
    global: &Global,
) -> Observation {
    let _looking = Looking::at(cluster.instances().count(), terminal::motion());
    observe::observe_soon_after(lately, cluster, connections, &limits(global)).await
}

/// Looks again at `nodes`, which `cluster` declares otherwise than when `seen` was seen.
pub(super) async fn observe_again(
    seen: Observation,
    nodes: &BTreeSet<NodeName>,
    cluster: &Cluster,
    connections: &Connections,
    global: &Global,
) -> Observation {
    observe::observe_again(seen, nodes, cluster, connections, &limits(global)).await
}

pub(super) fn limits(global: &Global) -> Limits {
    let room = descriptors::raise().saturating_sub(OTHER_DESCRIPTORS);
    let sockets = NonZeroUsize::new(usize::from(global.parallelism).min(room)).unwrap_or(NonZeroUsize::MIN);
    Limits { answer: global.timeout, shell: global.timeout.max(Limits::default().shell), sockets, ..Limits::default() }
}

/// Plans from what was seen just now.
pub(super) fn plan_now(cluster: &Cluster, seen: &Observation, targets: &[NodeName], waivers: &[Waiver]) -> Plan {
    plan(&Input { cluster, seen, targets, waivers, observed_at: now(), owes_reloads: false })
}

/// The same, with what is wrong with the cluster.
pub(super) fn diagnosed(
    global: &Global,
    cluster: &Cluster,
    seen: &Observation,
    targets: &[NodeName],
    waivers: &[Waiver],
) -> Plan {
    let mut plan = plan_now(cluster, seen, targets, waivers);
    let otb = file_suggestions::otb(&global.file);
    plan.findings = diagnosis::findings(&diagnosis::Input { cluster, seen, plan: &plan, otb: &otb });
    plan
}

/// Plans the second part of a run whose first part was the GTM's: its routers have the new address and reload once,
/// now.
pub(super) fn plan_rest(cluster: &Cluster, seen: &Observation, targets: &[NodeName], waivers: &[Waiver]) -> Plan {
    plan(&Input { cluster, seen, targets, waivers, observed_at: now(), owes_reloads: true })
}

/// Now, RFC 3339 in UTC.
pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// A file's text, never more than `most` bytes: a device has no end.
pub(super) fn read_text(path: &Path, most: u64) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.take(most + 1).read_to_string(&mut text)? as u64 > most {
        return Err(std::io::Error::other(format!(
            "it has more than {most} bytes, too many for a file that otb reads"
        )));
    }
    Ok(text)
}
