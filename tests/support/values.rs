//! Clusters as values: declared by a file's text, and observed as running and right but for where masters are. For

#![allow(dead_code, reason = "each test that shares this file uses a part of it")]
//! views and figures, which need no servers.

use std::fmt::Write as _;

use otb::model::{
    Cluster, DataDir, Endpoint, Fact, Finding, Instance, InstanceFacts, Lsn, Node, NodeKind, Observation, Process,
    RecoveryFile, Role, Route, RouteKind, Sender, StandbyFacts, SystemId, Timeline, UnknownKind,
};
use otb::plan::{Input, Plan, Waiver, plan};

/// How a cluster looks.
pub(crate) struct Shape {
    pub(crate) servers: usize,
    pub(crate) coordinators: usize,
    pub(crate) datanodes: usize,
    /// How many datanodes are declared elsewhere than they run.
    pub(crate) moved: usize,
    /// Put before each datanode's number.
    pub(crate) name: &'static str,
}

impl Shape {
    /// 512 nodes: a GTM, 31 coordinators, 480 datanodes.
    pub(crate) fn large(moved: usize) -> Self {
        Self { servers: 64, coordinators: 31, datanodes: 480, moved, name: "dn" }
    }

    /// The declared cluster, and the one that runs.
    pub(crate) fn clusters(&self) -> (Cluster, Cluster) {
        let read = |moved: usize| otb::config::load("cluster.yaml", &self.text(moved)).expect("a valid file").cluster;
        (read(self.moved), read(0))
    }

    fn text(&self, moved: usize) -> String {
        let mut text = String::from(
            "version: 1\ncluster: large_cluster\ndefaults: {install: /opt/otb, data: '/data/{node}', shell: {via: local}}\nservers:\n",
        );
        for n in 0..self.servers {
            writeln!(text, "  s{n}: {{address: 10.1.{}.{}}}", n / 200, n % 200 + 1).unwrap();
        }
        text.push_str(
            "gtm:\n  gtm_1: {master: s0, port: 6000, instances: [{server: s0}, {server: s1}]}\ncoordinators:\n",
        );
        for n in 0..self.coordinators {
            let at = n % self.servers;
            writeln!(text, "  cn{n:04}: {{master: s{at}, port: {}, instances: [{{server: s{at}}}]}}", 7000 + n)
                .unwrap();
        }
        text.push_str("datanodes:\n");
        for n in 0..self.datanodes {
            let (here, there) = (n % self.servers, (n + 1) % self.servers);
            let master = if n < moved { there } else { here };
            // A JSON string is a YAML one, whatever is in it.
            let name = serde_json::to_string(&format!("{}{n:04}", self.name)).unwrap();
            let instances = format!("[{{server: s{here}}}, {{server: s{there}}}]");
            writeln!(text, "  {name}: {{master: s{master}, port: {}, instances: {instances}}}", 8000 + n).unwrap();
        }
        text
    }

    /// The plan of the moves, on a cluster that runs as it should.
    pub(crate) fn plan(&self) -> Plan {
        let (declared, live) = self.clusters();
        planned(&declared, &observed(&live), &[])
    }
}

pub(crate) fn planned(cluster: &Cluster, seen: &Observation, waivers: &[Waiver]) -> Plan {
    plan(&Input {
        cluster,
        seen,
        targets: &[],
        waivers,
        observed_at: "2026-01-01T00:00:00Z".to_owned(),
        owes_reloads: false,
    })
}

/// What is wrong with the cluster in the eyes of `declared`.
pub(crate) fn diagnosed(cluster: &Cluster, seen: &Observation) -> Vec<Finding> {
    let plan = planned(cluster, seen, &[]);
    otb::diagnosis::findings(&otb::diagnosis::Input { cluster, seen, plan: &plan, otb: "otb" })
}

/// `live` as it would be seen if everything in it ran as it declares.
pub(crate) fn observed(live: &Cluster) -> Observation {
    let rows: Vec<Route> = live.nodes.values().map(|node| route(live, node)).collect();
    let facts = live.nodes.values().flat_map(|node| {
        let rows = &rows;
        node.instances.values().map(move |instance| (instance.id.clone(), running(node, instance, rows)))
    });
    Observation { instances: facts.collect(), ..Observation::default() }
}

fn running(node: &Node, instance: &Instance, rows: &[Route]) -> InstanceFacts {
    let upstream = &node.master_instance().unwrap().endpoint;
    let is_master = instance.id.server == node.master;
    let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "not asked");
    facts.process = Fact::Known(Process::Running);
    facts.role = Fact::Known(if is_master { Role::Master } else { Role::Standby });
    facts.node_name = Fact::Known(node.name.clone());
    facts.version = Fact::Known("10.0 OpenTenBase V2".to_owned());
    facts.system_id = Fact::Known(SystemId(u64::from(instance.endpoint.port)));
    facts.timeline = Fact::Known(Timeline(1));
    facts.newest_history = Fact::Known(Timeline(1));
    facts.history = Fact::Known(Vec::new());
    facts.wal_end = Fact::Known(Lsn(1000));
    if node.kind.is_router() {
        facts.routes = Fact::Known(rows.to_vec().into());
        facts.pool_agrees = Fact::Known(true);
    }
    let recovery_conf = (!is_master).then(|| recovery(upstream));
    facts.data_dir = Fact::Known(DataDir {
        present: true,
        recovery_conf,
        promotion_asked: false,
        free_bytes: Some(1 << 40),
        pid_file: Fact::not_asked("not asked"),
    });
    if is_master {
        facts.senders = Fact::Known(vec![sender()]);
    } else {
        facts.standby = Fact::Known(StandbyFacts {
            received: Some(Lsn(1000)),
            replayed: Some(Lsn(1000)),
            replay_paused: false,
            last_replay: None,
            streaming: true,
            upstream: Some(upstream.clone()),
        });
    }
    facts
}

fn recovery(upstream: &Endpoint) -> RecoveryFile {
    RecoveryFile {
        writable: true,
        rights: "otb:600".to_owned(),
        upstream: Some(upstream.clone()),
        user: None,
        application_name: None,
        fence: false,
        own: otb::model::RecoverySettings::default(),
    }
}

fn sender() -> Sender {
    Sender {
        application_name: "standby".to_owned(),
        client_addr: None,
        state: "streaming".to_owned(),
        sent: Some(Lsn(1000)),
        replayed: Some(Lsn(1000)),
        sync_state: "async".to_owned(),
    }
}

fn route(live: &Cluster, node: &Node) -> Route {
    let endpoint = &node.master_instance().unwrap().endpoint;
    Route {
        node: node.name.to_string(),
        kind: match node.kind {
            NodeKind::Gtm => RouteKind::Gtm,
            NodeKind::Coordinator => RouteKind::Coordinator,
            NodeKind::Datanode => RouteKind::Datanode,
        },
        host: endpoint.host.to_string(),
        port: endpoint.port,
        forward: None,
        cluster: live.name.to_string(),
    }
}
