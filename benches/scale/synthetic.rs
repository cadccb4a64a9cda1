//! A cluster of any size as observation would hand it to the planner.

use std::collections::BTreeMap;
use std::sync::Arc;

use otb::model::{
    Cluster, ClusterName, Connection, DataDir, Endpoint, Fact, Host, Instance, InstanceFacts, InstanceId, Lsn, Node,
    NodeKind, NodeName, Observation, Policy, Process, Role, Route, RouteKind, Sender, Server, ServerName, ShellAccess,
    ShellVia, SslMode, StandbyFacts, SystemId, Timeline, UnknownKind,
};

const SERVERS: [&str; 2] = ["s1", "s2"];

/// `datanodes` datanodes with a standby each and one GTM; the first `moving` of them shall move to their standby.
pub fn cluster(datanodes: usize, moving: usize) -> (Cluster, Observation) {
    let mut declared = empty();
    for n in 0..datanodes {
        add(&mut declared, &format!("dn{n:04}"), NodeKind::Datanode, u16::try_from(10_000 + n).unwrap());
    }
    add(&mut declared, "gtm_1", NodeKind::Gtm, 9_999);
    let seen = observe(&declared);
    for n in 0..moving {
        let name = NodeName::new(format!("dn{n:04}")).unwrap();
        declared.nodes.get_mut(&name).unwrap().master = ServerName::new(SERVERS[1]).unwrap();
    }
    (declared, seen)
}

fn empty() -> Cluster {
    let server = |n: usize| {
        let (name, address) = (ServerName::new(SERVERS[n]).unwrap(), Host::new(format!("10.0.0.{n}")).unwrap());
        (name.clone(), Server { name, address, shell: ShellAccess { via: ShellVia::Local, run_as: None } })
    };
    Cluster {
        name: ClusterName::new("bench").unwrap(),
        connection: Connection {
            user: "opentenbase".to_owned(),
            database: "postgres".to_owned(),
            sslmode: SslMode::Disable,
            sslrootcert: None,
        },
        servers: (0..2).map(server).collect(),
        nodes: BTreeMap::new(),
        policy: Policy::default(),
    }
}

fn add(cluster: &mut Cluster, name: &str, kind: NodeKind, port: u16) {
    let name = NodeName::new(name).unwrap();
    let instance = |(n, server): (usize, &&str)| {
        let server = ServerName::new(*server).unwrap();
        let instance = Instance {
            forward_port: None,
            id: InstanceId::new(name.clone(), server.clone()),
            kind,
            endpoint: Endpoint { host: Host::new(format!("10.0.0.{n}")).unwrap(), port },
            data: format!("/data/{name}"),
            install: "/opt/opentenbase".to_owned(),
        };
        (server, instance)
    };
    let instances: BTreeMap<ServerName, Instance> = SERVERS.iter().enumerate().map(instance).collect();
    let master = ServerName::new(SERVERS[0]).unwrap();
    cluster.nodes.insert(name.clone(), Node { name, kind, master, instances });
}

/// Everything as declared; every router's table is equal, and shared.
fn observe(cluster: &Cluster) -> Observation {
    let rows = cluster.nodes.values().map(|node| {
        let at = &node.master_instance().unwrap().endpoint;
        Route {
            node: node.name.to_string(),
            kind: if node.kind == NodeKind::Gtm { RouteKind::Gtm } else { RouteKind::Datanode },
            host: at.host.to_string(),
            port: at.port,
            forward: None,
            cluster: cluster.name.to_string(),
        }
    });
    let table = Arc::new(rows.collect::<Vec<_>>());
    let look = |node: &Node, instance: &Instance| (instance.id.clone(), facts(node, instance, &table));
    let instances = cluster.nodes.values().flat_map(|node| node.instances.values().map(move |at| look(node, at)));
    Observation { instances: instances.collect(), ..Observation::default() }
}

fn facts(node: &Node, instance: &Instance, table: &Arc<Vec<Route>>) -> InstanceFacts {
    let master = node.master_instance().unwrap();
    let is_master = master.id == instance.id;
    let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "it does not apply");
    facts.process = Fact::Known(Process::Running);
    facts.role = Fact::Known(if is_master { Role::Master } else { Role::Standby });
    facts.node_name = Fact::Known(node.name.clone());
    facts.wal_end = Fact::Known(Lsn(0x0300_0028));
    if instance.kind.is_router() {
        facts.system_id = Fact::Known(SystemId(7));
        facts.timeline = Fact::Known(Timeline(1));
        facts.routes = Fact::Known(Arc::clone(table));
    }
    facts.data_dir = Fact::Known(DataDir {
        present: true,
        promotion_asked: false,
        recovery_conf: None,
        free_bytes: Some(1 << 40),
        pid_file: Fact::not_asked("not asked"),
    });
    if is_master {
        facts.senders = Fact::Known(vec![sender(node)]);
    } else {
        facts.standby = Fact::Known(StandbyFacts {
            received: Some(Lsn(0x0300_0028)),
            replayed: Some(Lsn(0x0300_0028)),
            replay_paused: false,
            streaming: true,
            upstream: Some(master.endpoint.clone()),
            last_replay: None,
        });
    }
    facts
}

fn sender(node: &Node) -> Sender {
    Sender {
        application_name: node.name.to_string(),
        client_addr: None,
        state: "streaming".to_owned(),
        sent: Some(Lsn(0x0300_0028)),
        replayed: Some(Lsn(0x0300_0028)),
        sync_state: "async".to_owned(),
    }
}
