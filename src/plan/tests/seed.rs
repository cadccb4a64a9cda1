//! The example cluster as data: declared, observed healthy, and changed by the steps of a plan.

use std::collections::BTreeMap;

use crate::model::*;
use crate::plan::{Action, Input, Plan, plan};

pub(super) fn id(text: &str) -> InstanceId {
    InstanceId::try_from(text.to_owned()).unwrap()
}

fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

fn node(name: &str, kind: NodeKind, port: u16, master: &str, on: &[&str]) -> Node {
    let name = NodeName::new(name).unwrap();
    let instance = |at: &&str| {
        let instance = Instance {
            id: InstanceId::new(name.clone(), server(at)),
            kind,
            endpoint: Endpoint { host: Host::new(format!("172.16.0.{}", &at[1..])).unwrap(), port },
            forward_port: None,
            data: format!("/data/{name}"),
            install: "/install".to_owned(),
        };
        (server(at), instance)
    };
    Node { instances: on.iter().map(instance).collect(), name, kind, master: server(master) }
}

/// The example cluster with dn01 declared on `dn01_on`.
pub(super) fn cluster(dn01_on: &str) -> Cluster {
    let nodes = [
        node("gtm_1", NodeKind::Gtm, 21000, "s29", &["s29", "s47"]),
        node("cn01", NodeKind::Coordinator, 15432, "s29", &["s29"]),
        node("cn02", NodeKind::Coordinator, 15432, "s47", &["s47"]),
        node("dn01", NodeKind::Datanode, 23001, dn01_on, &["s29", "s47"]),
        node("dn02", NodeKind::Datanode, 23002, "s47", &["s29", "s47"]),
    ];
    let shell = ShellAccess { via: ShellVia::Local, run_as: None };
    let machine = |name: &str| Server {
        name: server(name),
        address: Host::new(format!("172.16.0.{}", &name[1..])).unwrap(),
        shell: shell.clone(),
    };
    Cluster {
        name: ClusterName::new("opentenbase_cluster").unwrap(),
        connection: Connection {
            user: "opentenbase".to_owned(),
            database: "postgres".to_owned(),
            sslmode: SslMode::Prefer,
            sslrootcert: None,
        },
        servers: ["s29", "s47"].iter().map(|name| (server(name), machine(name))).collect(),
        nodes: nodes.into_iter().map(|node| (node.name.clone(), node)).collect(),
        policy: Policy::default(),
    }
}

/// The cluster as the example has it, running and right, whatever `declared` asks for.
pub(super) fn healthy(declared: &Cluster) -> Observation {
    let live = cluster("s29");
    let instances = declared.instances().map(|instance| {
        let node = &live.nodes[&instance.id.node];
        let role = if instance.id == node.master_id() { Role::Master } else { Role::Standby };
        (instance.id.clone(), running(&live, node, instance, role))
    });
    Observation { instances: instances.collect(), ..Observation::default() }
}

fn running(live: &Cluster, node: &Node, instance: &Instance, role: Role) -> InstanceFacts {
    let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "not asked");
    facts.process = Fact::Known(Process::Running);
    facts.role = Fact::Known(role);
    facts.node_name = Fact::Known(node.name.clone());
    facts.version = Fact::Known("10.0 OpenTenBase V2".to_owned());
    facts.system_id = Fact::Known(SystemId(u64::from(instance.endpoint.port)));
    facts.timeline = Fact::Known(Timeline(1));
    facts.wal_end = Fact::Known(Lsn(1000));
    facts.history = Fact::Known(Vec::new());
    facts.newest_history = Fact::Known(Timeline(1));
    facts.routes = Fact::Known(routes(live).into());
    facts.pool_agrees = Fact::Known(true);
    facts.pid_file = Fact::Known(PidFile { pid: 7, directory: instance.data.clone(), started: 1_700_000_000 });
    let upstream = node.master_instance().unwrap().endpoint.clone();
    let recovery = RecoveryFile {
        writable: true,
        rights: "otb:600".to_owned(),
        upstream: Some(upstream.clone()),
        user: None,
        application_name: None,
        fence: false,
        own: crate::model::RecoverySettings::default(),
    };
    let is_standby = role == Role::Standby;
    if node.kind == NodeKind::Gtm {
        let not_asked = || Fact::unknown(UnknownKind::NotAsked, "a GTM has none");
        (facts.system_id, facts.routes, facts.pool_agrees) =
            (Fact::not_asked("a GTM has none"), Fact::not_asked("a GTM has none"), Fact::not_asked("a GTM has none"));
        (facts.timeline, facts.history, facts.newest_history) = (not_asked(), Fact::not_asked(""), not_asked());
        facts.pid_file = Fact::not_asked("a GTM has none");
    }
    facts.data_dir = Fact::Known(DataDir {
        present: true,
        recovery_conf: is_standby.then_some(recovery),
        promotion_asked: false,
        free_bytes: Some(1 << 40),
        pid_file: facts.pid_file.map(|file| Some(file.clone())),
    });
    facts.settings = Fact::Known(settings(live));
    facts.prepared = Fact::Known(PreparedTransactions::default());
    facts.load = Fact::Known(Load { pg_clean: true, ..Load::default() });
    facts.host_environment = Fact::Known(HostEnvironment {
        clock: Some(ClockOffset { at_least_ms: 0, at_most_ms: 10 }),
        ..HostEnvironment::default()
    });
    if is_standby {
        facts.standby = Fact::Known(StandbyFacts {
            received: Some(Lsn(1000)),
            replayed: Some(Lsn(1000)),
            replay_paused: false,
            last_replay: None,
            streaming: true,
            upstream: Some(upstream),
        });
    } else {
        facts.senders = Fact::Known(vec![sender()]);
        facts.replication_access = Fact::Known(ReplicationAccess::Admitted { user: "opentenbase".to_owned() });
    }
    facts
}

fn settings(live: &Cluster) -> Settings {
    let pairs = [
        ("archive_mode", "off"),
        ("hot_standby", "on"),
        ("is_superuser", "on"),
        ("max_prepared_transactions", "60"),
        ("max_replication_slots", "10"),
        ("max_wal_senders", "10"),
        ("pgxc_cluster_name", live.name.as_str()),
        ("synchronous_commit", "local"),
        ("synchronous_standby_names", ""),
        ("wal_keep_segments", "32"),
    ];
    Settings(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

fn sender() -> Sender {
    Sender {
        application_name: "standby".to_owned(),
        client_addr: Some("127.0.0.1".to_owned()),
        state: "streaming".to_owned(),
        sent: Some(Lsn(1000)),
        replayed: Some(Lsn(1000)),
        sync_state: "async".to_owned(),
    }
}

fn routes(live: &Cluster) -> Vec<Route> {
    let route = |node: &Node| Route {
        node: node.name.to_string(),
        kind: match node.kind {
            NodeKind::Gtm => RouteKind::Gtm,
            NodeKind::Coordinator => RouteKind::Coordinator,
            NodeKind::Datanode => RouteKind::Datanode,
        },
        host: node.master_instance().unwrap().endpoint.host.to_string(),
        port: node.master_instance().unwrap().endpoint.port,
        forward: None,
        cluster: live.name.to_string(),
    };
    live.nodes.values().map(route).collect()
}

/// A process that does not run, with its control file in `state`.
pub(super) fn stop(seen: &mut Observation, at: &str, state: ControlState) {
    let facts = seen.instances.get_mut(&id(at)).unwrap();
    let end = facts.wal_end.known().copied().unwrap();
    facts.process = Fact::Known(Process::Stopped);
    facts.role = Fact::unknown(UnknownKind::Refused, "connection refused");
    facts.routes = Fact::unknown(UnknownKind::Refused, "connection refused");
    facts.standby = Fact::unknown(UnknownKind::Refused, "connection refused");
    facts.pid_file = Fact::unknown(UnknownKind::Refused, "connection refused");
    // A GTM has none.
    let (Some(system_id), Some(timeline)) = (facts.system_id.known().copied(), facts.timeline.known().copied()) else {
        return;
    };
    facts.control = Fact::Known(control(state, system_id, timeline, end));
}

pub(super) fn control(state: ControlState, system_id: SystemId, timeline: Timeline, end: Lsn) -> Control {
    Control {
        state,
        system_id,
        timeline,
        checkpoint_timeline: timeline,
        checkpoint: end,
        redo: end,
        wal_segment_bytes: 16 << 20,
    }
}

pub(super) fn fence(seen: &mut Observation, at: &str, upstream: &Endpoint) {
    let facts = seen.instances.get_mut(&id(at)).unwrap();
    if let Fact::Known(dir) = &mut facts.data_dir {
        let file = RecoveryFile {
            writable: true,
            rights: "otb:600".to_owned(),
            upstream: Some(upstream.clone()),
            user: None,
            application_name: None,
            fence: true,
            own: crate::model::RecoverySettings::default(),
        };
        dir.recovery_conf = Some(file);
    }
}

pub(super) fn make_plan(cluster: &Cluster, seen: &Observation) -> Plan {
    make_plan_of(&[], cluster, seen)
}

/// With `--target`.
pub(super) fn make_plan_of(targets: &[&str], cluster: &Cluster, seen: &Observation) -> Plan {
    let targets: Vec<NodeName> = targets.iter().map(|name| NodeName::new(*name).unwrap()).collect();
    plan(&Input {
        cluster,
        seen,
        targets: &targets,
        waivers: &[],
        observed_at: "2026-01-01T00:00:00Z".to_owned(),
        owes_reloads: false,
    })
}

/// What a step does to the cluster, as far as an observation shows it.
pub(super) fn perform(action: &Action, cluster: &Cluster, seen: &mut Observation) {
    let endpoint = |id: &InstanceId| cluster.instance(id).unwrap().endpoint.clone();
    match action {
        Action::StageFence { .. }
        | Action::Checkpoint { .. }
        | Action::AwaitRedo { .. }
        | Action::CatchUp { .. }
        | Action::Prove { .. }
        | Action::ProveCommit { .. }
        | Action::Hold { .. }
        | Action::Release { .. } => {}
        Action::Settle { .. } => seen.in_doubt.clear(),
        Action::Fence { instance, upstream } => fence(seen, &instance.to_string(), &endpoint(upstream)),
        Action::Stop { instance, fenced } => {
            stop(seen, &instance.to_string(), ControlState::ShutDown);
            if *fenced {
                let to = cluster.nodes[&instance.node].master_id();
                fence(seen, &instance.to_string(), &endpoint(&to));
            }
        }
        Action::End { instance } => {
            stop(seen, &instance.to_string(), ControlState::InProduction);
            let to = cluster.nodes[&instance.node].master_id();
            fence(seen, &instance.to_string(), &endpoint(&to));
        }
        Action::RepointGtm { router, route, .. } => {
            reroute(seen, &router.node, route.node.as_str(), route.to.host.as_str(), route.to.port);
        }
        Action::Salvage { standby, to, .. } => salvage(seen, standby, *to),
        Action::Promote { instance } => promote(instance, cluster, seen),
        Action::Restart { instance, .. } => start(instance, Role::Master, None, cluster, seen),
        Action::Reroute { router, routes } => {
            for change in routes.iter() {
                reroute(seen, &router.node, change.node.as_str(), change.to.host.as_str(), change.to.port);
            }
            seen.instances.get_mut(router).unwrap().pool_agrees = Fact::Known(false);
        }
        Action::Reload { router } => seen.instances.get_mut(router).unwrap().pool_agrees = Fact::Known(true),
        Action::Return { instance, upstream, .. } => {
            start(instance, Role::Standby, Some(upstream), cluster, seen);
            fence(seen, &instance.to_string(), &endpoint(upstream));
        }
        Action::Rejoin { instance, upstream, .. } => {
            start(instance, Role::Standby, Some(upstream), cluster, seen);
        }
    }
}

/// Changes a row of a router; its standbys have it by WAL.
pub(super) fn reroute(seen: &mut Observation, router: &NodeName, row: &str, host: &str, port: u16) {
    for (_, facts) in seen.instances.iter_mut().filter(|(id, _)| id.node == *router) {
        if let Fact::Known(rows) = &mut facts.routes {
            let row = std::sync::Arc::make_mut(rows).iter_mut().find(|route| route.node == row).unwrap();
            (row.host, row.port) = (host.to_owned(), port);
        }
    }
}

fn promote(instance: &InstanceId, cluster: &Cluster, seen: &mut Observation) {
    let facts = seen.instances.get_mut(instance).unwrap();
    assert!(facts.is_running(Role::Standby), "{instance} is promoted while it is no standby");
    let timeline = facts.timeline.known().copied();
    let at = facts.wal_end.known().copied().unwrap();
    start(instance, Role::Master, None, cluster, seen);
    let (Some(timeline), facts) = (timeline, seen.instances.get_mut(instance).unwrap()) else { return };
    facts.timeline = Fact::Known(Timeline(timeline.0 + 1));
    facts.history = Fact::Known(vec![TimelineSwitch { timeline, at }]);
}

fn start(instance: &InstanceId, role: Role, upstream: Option<&InstanceId>, cluster: &Cluster, seen: &mut Observation) {
    let node = &cluster.nodes[&instance.node];
    let copies: BTreeMap<_, _> =
        seen.instances.iter().filter(|(id, _)| id.node == node.name).map(|(id, f)| (id.clone(), f.clone())).collect();
    let rows = copies.values().find_map(|facts| facts.routes.known()).cloned();
    let timeline = copies.values().filter_map(|facts| facts.timeline.known()).max().copied();
    let mut new = running(cluster, node, cluster.instance(instance).unwrap(), role);
    new.timeline = timeline.map_or_else(|| Fact::not_asked("a GTM has none"), Fact::Known);
    // The table travels with the data, not with the file.
    new.routes = match (&copies[instance].routes, rows) {
        (Fact::Known(own), _) => Fact::Known(own.clone()),
        (Fact::Unknown(_), Some(other)) => Fact::Known(other),
        (Fact::Unknown(_), None) => new.routes,
    };
    if let (Fact::Known(standby), Some(upstream)) = (&mut new.standby, upstream) {
        standby.upstream = Some(cluster.instance(upstream).unwrap().endpoint.clone());
    }
    seen.instances.insert(instance.clone(), new);
}

fn salvage(seen: &mut Observation, standby: &InstanceId, to: Lsn) {
    let facts = seen.instances.get_mut(standby).unwrap();
    facts.wal_end = Fact::Known(to);
    if let Fact::Known(standby) = &mut facts.standby {
        (standby.received, standby.replayed) = (Some(to), Some(to));
    }
}
