//! What was seen of a real cluster, moved to the sandbox's addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Cluster, Endpoint, Fact, Host, Observation, Route};

/// Where each address of the real cluster is in the sandbox.
struct Moves {
    endpoints: BTreeMap<(String, u16), Endpoint>,
    hosts: BTreeMap<String, Host>,
}

/// `seen` of the cluster `was`, as it would be seen of the same one at the addresses of `now`.
pub(super) fn moved(was: &Cluster, now: &Cluster, seen: &Observation) -> Observation {
    let endpoint = |instance: &crate::model::Instance| {
        let new = now.instance(&instance.id)?.endpoint.clone();
        Some(((instance.endpoint.host.to_string(), instance.endpoint.port), new))
    };
    let host = |(name, server): (&crate::model::ServerName, &crate::model::Server)| {
        Some((server.address.to_string(), now.servers.get(name)?.address.clone()))
    };
    let moves = Moves {
        endpoints: was.instances().filter_map(endpoint).collect(),
        hosts: was.servers.iter().filter_map(host).collect(),
    };
    let mut seen = seen.clone();
    for facts in seen.instances.values_mut() {
        if let Fact::Known(standby) = &mut facts.standby {
            standby.upstream.iter_mut().for_each(|upstream| moves.endpoint(upstream));
        }
        if let Fact::Known(dir) = &mut facts.data_dir {
            let upstream = dir.recovery_conf.iter_mut().filter_map(|conf| conf.upstream.as_mut());
            upstream.for_each(|upstream| moves.endpoint(upstream));
        }
        if let Fact::Known(rows) = &facts.routes {
            facts.routes = Fact::Known(Arc::new(rows.iter().map(|row| moves.route(row)).collect()));
        }
    }
    seen
}

impl Moves {
    fn find(&self, host: &str, port: u16) -> Option<(Host, u16)> {
        let exact = self.endpoints.get(&(host.to_owned(), port)).map(|new| (new.host.clone(), new.port));
        exact.or_else(|| Some((self.hosts.get(host)?.clone(), port)))
    }

    fn endpoint(&self, endpoint: &mut Endpoint) {
        if let Some((host, port)) = self.find(endpoint.host.as_str(), endpoint.port) {
            *endpoint = Endpoint { host, port };
        }
    }

    fn route(&self, row: &Route) -> Route {
        let Some((host, port)) = self.find(&row.host, row.port) else { return row.clone() };
        Route { host: host.to_string(), port, ..row.clone() }
    }
}
