//! All instances at once.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::{Limits, gtm, merge, postgres, shell};
use crate::dialect::{Probe, no_probe};
use crate::model::{
    Cluster, Instance, InstanceFacts, InstanceId, NodeKind, Observation, Role, ServerName, UnknownKind,
};
use crate::transport::Outside;

/// Looks at every declared instance. Never fails: what could not be learned is unknown, and says why.
pub async fn observe(cluster: &Cluster, outside: &Outside, limits: &Limits) -> Observation {
    let instances: Vec<&Instance> = cluster.instances().collect();
    let mut seen = Observation { instances: look_at(&instances, outside, limits).await };
    ask_for_admission(cluster, outside, limits, &mut seen).await;
    seen
}

/// Only where a master is to be moved: the one question that needs what the others brought.
async fn ask_for_admission(cluster: &Cluster, outside: &Outside, limits: &Limits, seen: &mut Observation) {
    let shells = Semaphore::new(limits.shells.get());
    let moves = cluster.nodes.values().filter(|node| node.kind.is_router()).filter_map(|node| {
        let to = node.master_instance()?;
        let facts = seen.instances.get(&to.id).filter(|facts| facts.is_running(Role::Standby))?;
        let file = facts.data_dir.known().and_then(|dir| dir.recovery_conf.as_ref());
        let user = file.and_then(|file| file.user.clone()).unwrap_or_else(|| cluster.connection.user.clone());
        let is_master = |id: &InstanceId| seen.instances.get(id).is_some_and(|facts| facts.is_running(Role::Master));
        let from = node.standbys().find(|instance| is_master(&instance.id))?;
        Some((from, to, user))
    });
    let asked = join_all(moves.map(|(from, to, user)| {
        let shells = &shells;
        async move {
            let _permit = shells.acquire().await.ok();
            (from.id.clone(), shell::admitted(outside, from, to, &user, limits).await)
        }
    }))
    .await;
    for (id, admission) in asked {
        if let Some(facts) = seen.instances.get_mut(&id) {
            facts.admission = admission;
        }
    }
}

/// Looks at one instance, in the same way.
pub async fn observe_instance(instance: &Instance, outside: &Outside, limits: &Limits) -> InstanceFacts {
    look_at(&[instance], outside, limits)
        .await
        .remove(&instance.id)
        .unwrap_or_else(|| InstanceFacts::unknown(UnknownKind::NotAsked, "it was not asked"))
}

async fn look_at(instances: &[&Instance], outside: &Outside, limits: &Limits) -> BTreeMap<InstanceId, InstanceFacts> {
    let sockets = Semaphore::new(limits.sockets.get());
    let shells = Semaphore::new(limits.shells.get());
    let answers = join_all(instances.iter().map(|instance| async {
        // The semaphore is never closed; if it were, asking without a permit is still right.
        let _permit = sockets.acquire().await.ok();
        match instance.kind {
            NodeKind::Gtm => gtm::ask(instance, limits).await,
            NodeKind::Coordinator | NodeKind::Datanode => postgres::ask(outside, instance, limits).await,
        }
    }));
    let probes = join_all(by_server(instances).into_iter().map(|(server, instances)| {
        let shells = &shells;
        async move {
            let _permit = shells.acquire().await.ok();
            let probes = shell::look(outside, server, &instances, limits).await;
            instances.into_iter().map(|instance| &instance.id).zip(probes).collect::<Vec<_>>()
        }
    }));
    let (answers, probes) = tokio::join!(answers, probes);
    let mut probes: BTreeMap<&InstanceId, Probe> = probes.into_iter().flatten().collect();
    let merged = instances.iter().zip(answers).map(|(instance, answer)| {
        let probe = probes.remove(&instance.id);
        (*instance, merge::merge(answer, probe.unwrap_or_else(|| no_probe(UnknownKind::NotAsked, "it was not asked"))))
    });
    let mut all: BTreeMap<InstanceId, InstanceFacts> = join_all(merged.map(|(instance, mut facts)| {
        let shells = &shells;
        async move {
            if facts.is_stopped() && instance.kind.is_router() {
                let _permit = shells.acquire().await.ok();
                facts.wal_end = shell::wal_end(outside, instance, &facts, limits).await;
            }
            (instance.id.clone(), facts)
        }
    }))
    .await
    .into_iter()
    .collect();
    gtm::attached(instances, &mut all);
    all
}

fn by_server<'a>(instances: &[&'a Instance]) -> BTreeMap<&'a ServerName, Vec<&'a Instance>> {
    let mut servers: BTreeMap<&ServerName, Vec<&Instance>> = BTreeMap::new();
    for &instance in instances {
        servers.entry(&instance.id.server).or_default().push(instance);
    }
    servers
}
