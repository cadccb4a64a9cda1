//! All instances at once.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::{Limits, gtm, merge, postgres, shell};
use crate::dialect::{Probe, no_probe};
use crate::model::{Cluster, Instance, InstanceFacts, InstanceId, NodeKind, Observation, ServerName, UnknownKind};
use crate::transport::Outside;

/// Looks at every declared instance. Never fails: what could not be learned is unknown, and says why.
pub async fn observe(cluster: &Cluster, outside: &Outside, limits: &Limits) -> Observation {
    let instances: Vec<&Instance> = cluster.instances().collect();
    Observation { instances: look_at(&instances, outside, limits).await }
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
    join_all(merged.map(|(instance, mut facts)| {
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
    .collect()
}

fn by_server<'a>(instances: &[&'a Instance]) -> BTreeMap<&'a ServerName, Vec<&'a Instance>> {
    let mut servers: BTreeMap<&ServerName, Vec<&Instance>> = BTreeMap::new();
    for &instance in instances {
        servers.entry(&instance.id.server).or_default().push(instance);
    }
    servers
}
