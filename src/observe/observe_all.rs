//! All instances at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::self_reports::SelfReports;
use super::tables::Tables;
use super::{Limits, gtm, in_doubt, merge, missing, postgres, replication_access, shell, spelling};
use crate::model::{
    Cluster, Instance, InstanceFacts, InstanceId, NodeKind, NodeName, Observation, Process, ServerName, UnknownKind,
};
use crate::opentenbase::{Look, Probe, Tools};
use crate::transport::Connections;

/// How long a process may take to end whose port is closed already.
const ENDS_WITHIN: Duration = Duration::from_secs(4);

/// How long otb waits before it observes such a process again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// Looks at every declared instance. Never fails: what could not be learned is unknown, and says why.
pub async fn observe(cluster: &Cluster, connections: &Connections, limits: &Limits) -> Observation {
    look_at_all(&Observation::default(), cluster, connections, limits).await
}

/// Observes every declared instance moments after `lately`. It asks everything again except replication access: that
/// costs a process on a server for each master that moves, for a file that does not change in the meantime.
pub async fn observe_soon_after(
    lately: &Observation,
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
) -> Observation {
    look_at_all(lately, cluster, connections, limits).await
}

async fn look_at_all(
    lately: &Observation,
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
) -> Observation {
    add(Observation::default(), lately, cluster.instances().collect(), cluster, connections, limits).await
}

/// Observes the nodes again that `cluster` declares differently than when `seen` was observed: the queries depend on
/// where a node's master must be.
pub async fn observe_again(
    seen: Observation,
    nodes: &BTreeSet<NodeName>,
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
) -> Observation {
    let affected = cluster.instances().filter(|instance| nodes.contains(&instance.id.node)).collect();
    add(seen, &Observation::default(), affected, cluster, connections, limits).await
}

async fn add(
    mut seen: Observation,
    lately: &Observation,
    affected: Vec<&Instance>,
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
) -> Observation {
    let pass = ObservationPass {
        cluster,
        connections,
        limits,
        sockets: Semaphore::new(limits.sockets.get()),
        shells: Semaphore::new(limits.shells.get()),
        tables: Tables::default(),
        reports: SelfReports::by_none_of(affected.len()),
    };
    let servers = by_server(&affected).into_iter().map(|(server, instances)| pass.look_at(server, instances));
    seen.instances.extend(join_all(servers).await.into_iter().flatten());
    seen.instances.sort_unstable_keys();
    let ways = Box::pin(spelling::settle(cluster, connections, limits, &mut seen.instances)).await;
    seen.spellings.retain(|known| !affected.iter().any(|instance| instance.id == known.instance));
    seen.spellings.extend(ways);
    seen.spellings.sort();
    let instances: Vec<&Instance> = cluster.instances().collect();
    gtm::attached(&instances, &mut seen.instances);
    let nodes = affected.iter().map(|instance| &instance.id.node).collect();
    let (replication_access_of, missing) = tokio::join!(
        replication_access::ask(cluster, &nodes, connections, limits, [lately, &seen]),
        missing::ask(cluster, &nodes, connections, limits, &seen),
    );
    for (id, unreplicated) in missing {
        if let Some(facts) = seen.instances.get_mut(&id) {
            facts.unreplicated = unreplicated;
        }
    }
    for (id, replication_access) in replication_access_of {
        if let Some(facts) = seen.instances.get_mut(&id) {
            facts.replication_access = replication_access;
        }
    }
    seen.in_doubt = Box::pin(in_doubt::ask(cluster, connections, limits, &seen.instances)).await;
    seen
}

/// What the observations of all servers share.
struct ObservationPass<'a> {
    cluster: &'a Cluster,
    connections: &'a Connections,
    limits: &'a Limits,
    sockets: Semaphore,
    shells: Semaphore,
    tables: Tables,
    reports: SelfReports,
}

impl ObservationPass<'_> {
    /// Asks the server's processes, and its shell. If all processes of a node report that they are as declared, no
    /// tool runs. Silent instances get tools while otb still waits for them; other instances that are not as declared
    /// get pg_controldata if they do not report their directory.
    async fn look_at(&self, server: &ServerName, instances: Vec<&Instance>) -> Vec<(InstanceId, InstanceFacts)> {
        let answers = join_all(instances.iter().map(|instance| self.ask(instance)));
        let (answers, probes) = tokio::join!(answers, self.probe(server, &instances));
        let merged = answers.into_iter().zip(probes).map(|(answer, probe)| merge::merge(answer, probe));
        join_all(instances.iter().zip(merged).map(|(instance, mut facts)| async {
            if is_ending(instance, &facts) {
                facts = self.look_until_ended(server, instance, facts).await;
            }
            if facts.is_stopped() && instance.kind.is_router() {
                let _permit = self.shells.acquire().await.ok();
                facts.wal_end = shell::wal_end(self.connections, instance, &facts, self.limits).await;
                if facts.control.is_known_and(|control| control.state.is_of_a_master()) {
                    facts.settings = shell::sync_settings(self.connections, instance, self.limits).await;
                }
            }
            (instance.id.clone(), facts)
        }))
        .await
    }

    /// Observes again until the process has ended, or takes connections.
    async fn look_until_ended(
        &self,
        server: &ServerName,
        instance: &Instance,
        mut facts: InstanceFacts,
    ) -> InstanceFacts {
        let give_up = Instant::now() + ENDS_WITHIN;
        while is_ending(instance, &facts) && Instant::now() < give_up {
            sleep(LOOK_AGAIN_AFTER).await;
            let look = [Look { at: instance, tools: Tools::All }];
            let (answer, probes) = tokio::join!(
                postgres::ask(self.connections, instance, self.limits, &self.tables),
                shell::look(self.connections, server, &look, self.limits)
            );
            let Some(probe) = probes.into_iter().next() else { break };
            facts = merge::merge(answer, probe);
        }
        facts
    }

    async fn ask(&self, instance: &Instance) -> InstanceFacts {
        // The semaphore is never closed; if it were, asking without a permit is still right.
        let _permit = self.sockets.acquire().await.ok();
        let facts = match instance.kind {
            NodeKind::Gtm => gtm::ask(instance, self.limits).await,
            NodeKind::Coordinator | NodeKind::Datanode => {
                postgres::ask(self.connections, instance, self.limits, &self.tables).await
            }
        };
        self.reports.note(&instance.id, instance.kind, &facts);
        facts
    }

    async fn probe(&self, server: &ServerName, instances: &[&Instance]) -> Vec<Probe> {
        // Opened ahead, so that the script does not wait for it. If it fails, the script says why.
        let open = async {
            let _permit = self.shells.acquire().await.ok();
            let _ = self.connections.shells.open(server, self.limits.shell).await;
        };
        tokio::join!(open, self.reports.wait(self.limits.head_start(), self.limits.pause()));
        let _permit = self.shells.acquire().await.ok();
        let looks: Vec<Look<'_>> = instances.iter().map(|&at| Look { at, tools: self.tools(at) }).collect();
        shell::look(self.connections, server, &looks, self.limits).await
    }

    fn tools(&self, at: &Instance) -> Tools {
        match self.cluster.nodes.get(&at.id.node) {
            Some(node) if self.reports.is_settled(node) => Tools::None,
            _ => self.reports.tools_for(&at.id),
        }
    }
}

/// A killed postmaster has closed its port, and its pid lives on until its memory is given back: 1.4 to 2.3 s on v5 (seen
/// live).
fn is_ending(instance: &Instance, facts: &InstanceFacts) -> bool {
    let refused = || facts.role.reason().is_some_and(|why| why.kind == UnknownKind::Refused);
    instance.kind.is_router() && facts.process.known() == Some(&Process::Running) && refused()
}

fn by_server<'a>(affected: &[&'a Instance]) -> BTreeMap<&'a ServerName, Vec<&'a Instance>> {
    let mut servers: BTreeMap<&ServerName, Vec<&Instance>> = BTreeMap::new();
    for &instance in affected {
        servers.entry(&instance.id.server).or_default().push(instance);
    }
    servers
}
