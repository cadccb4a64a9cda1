//! What otb and the servers read and write in a data directory, as far as it decides what a start makes of it.

use crate::model::{Cluster, Endpoint, InstanceFacts, InstanceId};

use super::image::{Assumed, State};

/// The files of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Files {
    pub recovery: Option<Recovery>,
    pub staged: Option<Recovery>,
}

/// recovery.conf, or the lines of gtm.conf that make a GTM a standby.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recovery {
    pub host: String,
    pub port: u16,
    pub fence: bool,
    pub writable: bool,
}

impl Recovery {
    pub fn to(endpoint: &Endpoint, fence: bool) -> Self {
        Self { host: endpoint.host.to_string(), port: endpoint.port, fence, writable: true }
    }
}

impl Files {
    /// As seen; a directory that was not seen has what its process needs, and nothing that keeps a start harmless.
    pub(super) fn of(
        cluster: &Cluster,
        id: &InstanceId,
        facts: &InstanceFacts,
        state: State,
        assumed: &mut Vec<Assumed>,
    ) -> Self {
        let followed = || facts.standby.known().and_then(|standby| standby.upstream.clone());
        if let Some(dir) = facts.data_dir.known() {
            let recovery = dir.recovery_conf.as_ref().map(|conf| {
                let upstream = conf.upstream.clone().or_else(followed);
                let (host, port) = upstream.map_or_else(Default::default, |at| (at.host.to_string(), at.port));
                Recovery { host, port, fence: conf.fence, writable: conf.writable }
            });
            return Self { recovery, staged: None };
        }
        let is_standby = state.runs && !state.master;
        let role = if is_standby { "it starts as a standby" } else { "it starts as a master" };
        assumed.push(Assumed { instance: id.clone(), fact: "files", taken_as: role.to_owned() });
        let master = || cluster.nodes.get(&id.node)?.master_instance().map(|master| master.endpoint.clone());
        let upstream = followed().or_else(master).filter(|_| is_standby);
        Self { recovery: upstream.map(|upstream| Recovery::to(&upstream, false)), staged: None }
    }
}
