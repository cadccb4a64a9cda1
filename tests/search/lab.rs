//! The seed's cluster, simulated, and what only an operator can mend.

use std::collections::BTreeMap;
use std::sync::Arc;

use otb::model::{InstanceId, NodeKind, NodeName, ServerName};
use otb::plan::{Check, Plan};
use otb::rehearsal::Lab;
use otb::sandbox::world::{DiskId, GtmLog, Recovery, World};
use otb::sandbox::{Flavor, Moment};

/// The example cluster, with a third server that holds a second standby of dn02.
const FILE: &str = "
version: 1
cluster: c
connection: {user: opentenbase, database: postgres}
defaults: {install: /i, data: '/d/{node}', shell: {via: local}}
servers: {s29: {address: 127.0.0.29}, s47: {address: 127.0.0.47}, s61: {address: 127.0.0.61}}
gtm: {gtm_1: {master: s29, port: 21000, data: /d/gtm, instances: [{server: s29}, {server: s47}]}}
coordinators:
  cn01: {master: s29, port: 15432, instances: [{server: s29}]}
  cn02: {master: s47, port: 15432, instances: [{server: s47}]}
datanodes:
  dn01: {master: s29, port: 23001, instances: [{server: s29}, {server: s47}]}
  dn02: {master: s47, port: 23002, instances: [{server: s29}, {server: s47}, {server: s61}]}
";

pub(crate) fn id(text: &str) -> InstanceId {
    InstanceId::try_from(text.to_owned()).unwrap()
}

pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

pub(crate) fn seed() -> Lab {
    seed_of(FILE)
}

/// The cluster of a file, laid down and started.
pub(crate) fn seed_of(file: &str) -> Lab {
    let cluster = otb::config::load("cluster.yaml", file).unwrap().cluster;
    let mut world = World::new(&cluster, Flavor::V2);
    let disks = world.lay_down(&cluster, Moment(1_000_000));
    let mut lab = Lab::new(cluster, world, disks);
    let nodes: Vec<_> = lab.cluster.nodes.values().cloned().collect();
    for node in nodes {
        let master = node.master_id();
        lab.start(&master).unwrap();
        for standby in node.standbys() {
            let upstream = node.master_instance().unwrap().endpoint.clone();
            lab.files_of(&standby.id).recovery = Some(Recovery::to(&upstream, false));
            lab.start(&standby.id).unwrap();
        }
    }
    let now = lab.now();
    lab.world.tick(now);
    lab
}

/// From here on commits on datanodes wait for a standby.
pub(crate) fn wait_for_standbys(lab: &mut Lab) {
    let pairs = [("synchronous_commit", "on"), ("synchronous_standby_names", "*")];
    let settings: BTreeMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let datanodes = lab.cluster.instances().filter(|instance| instance.kind == NodeKind::Datanode);
    lab.settings = Arc::new(datanodes.map(|instance| (instance.id.clone(), settings.clone())).collect());
    for (id, disk) in lab.disks.clone() {
        let settings = lab.settings_of(&id);
        lab.world.reload(disk, settings);
    }
}

pub(crate) fn declare(lab: &mut Lab, name: &str, server: &str) {
    let node = Arc::make_mut(&mut lab.cluster).nodes.get_mut(&node(name)).unwrap();
    node.master = ServerName::new(server).unwrap();
}

/// docs/limits.md: a GTM that had to take over before it had redone a record has lost its log, and nobody can follow
/// it until it is started anew. The operator does.
pub(crate) fn restart_broken_gtms(lab: &mut Lab) {
    let lost = |lab: &Lab, disk: DiskId| {
        let process = lab.world.gtm(disk).and_then(|gtm| gtm.process.as_ref());
        process.is_some_and(|process| process.log == GtmLog::Lost)
    };
    let broken: Vec<InstanceId> =
        lab.disks.iter().filter(|(_, disk)| lost(lab, **disk)).map(|(id, _)| id.clone()).collect();
    for id in broken {
        lab.world.stop_gtm(lab.disk(&id));
        lab.start(&id).unwrap();
    }
}

/// docs/limits.md: a GTM whose gtm.conf was made read-only just before its promotion did not write there that it is
/// the active one. Dead, it is a standby by its own account, and only a person can know better.
pub(crate) fn make_a_gtm_active(lab: &mut Lab, plan: &Plan) {
    let refuses = |check: &Check| check.verdict.refuses() && check.id.as_str() == "standby:gtm_1";
    let gtms = lab.disks.iter().filter(|(id, _)| id.node.as_str() == "gtm_1");
    let none_is_active = gtms.into_iter().all(|(_, disk)| lab.world.word(*disk) != "master");
    if none_is_active && plan.checks.iter().any(refuses) {
        let declared = lab.cluster.nodes[&node("gtm_1")].master_id();
        lab.files_of(&declared).recovery = None;
        lab.start(&declared).unwrap();
    }
}
