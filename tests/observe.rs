//! One look at small clusters whose processes are listeners and whose tools are little scripts.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use otb::model::{
    Cluster, ClusterName, Connection, ControlState, Endpoint, Host, Instance, InstanceFacts, InstanceId, Node,
    NodeKind, NodeName, Policy, Process, Server, ServerName, ShellAccess, ShellVia, SslMode, UnknownKind,
};
use otb::observe::{Limits, observe};
use otb::opentenbase::command::{Patience, rewrite_gtm_conf, start, write_file};
use otb::opentenbase::{Script, gtm_standby_lines, read_gtm_conf};
use otb::transport::{Connections, Passwords, ShellSettings};
use tokio::net::TcpListener;

const CONTROL: &str = include_str!("support/controldata.txt");

#[cfg(test)]
#[path = "support/closed_port.rs"]
mod closed_port;
use closed_port::closed_port;

#[cfg(test)]
mod fixture {
    use super::*;

    /// A cluster of one instance, whose directories are below `root`.
    pub(crate) fn cluster(root: &Path, kind: NodeKind, port: u16) -> Cluster {
        let (server, node) = (ServerName::new("s1").unwrap(), NodeName::new("n1").unwrap());
        let address = Host::new("127.0.0.1").unwrap();
        let instance = Instance {
            id: InstanceId::new(node.clone(), server.clone()),
            kind,
            endpoint: Endpoint { host: address.clone(), port },
            forward_port: None,
            data: root.join("da ta").display().to_string(),
            install: root.join("in'stall").display().to_string(),
        };
        let instances = BTreeMap::from([(server.clone(), instance)]);
        let node = Node { name: node, kind, master: server.clone(), instances };
        let shell = ShellAccess { via: ShellVia::Local, run_as: None };
        Cluster {
            name: ClusterName::new("c").unwrap(),
            connection: Connection {
                user: "otb".to_owned(),
                database: "postgres".to_owned(),
                sslmode: SslMode::Disable,
                sslrootcert: None,
            },
            servers: BTreeMap::from([(server.clone(), Server { name: server, address, shell })]),
            nodes: BTreeMap::from([(node.name.clone(), node)]),
            policy: Policy::default(),
        }
    }

    pub(crate) fn only(cluster: &Cluster) -> &Instance {
        cluster.instances().next().unwrap()
    }

    pub(crate) fn connections(cluster: &Cluster) -> Connections {
        Connections::with(cluster, Passwords::default(), &ShellSettings::default()).unwrap()
    }

    /// A program below `install`.
    pub(crate) fn tool(root: &Path, name: &str, script: &str) {
        let bin = root.join("in'stall/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn file(root: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(root.join("da ta")).unwrap();
        std::fs::write(root.join("da ta").join(name), text).unwrap();
    }

    pub(crate) async fn look(cluster: &Cluster) -> InstanceFacts {
        look_within(cluster, Limits::default().answer).await
    }

    pub(crate) async fn look_within(cluster: &Cluster, answer: Duration) -> InstanceFacts {
        let limits = Limits { answer, ..Limits::default() };
        let connections = connections(cluster);
        observe(cluster, &connections, &limits).await.instances.swap_remove(&only(cluster).id).unwrap()
    }
}
use fixture::{cluster, connections, file, look, look_within, only, tool};

#[tokio::test]
async fn a_crashed_master() {
    let root = tempfile::tempdir().unwrap();
    tool(root.path(), "pg_ctl", "echo 'pg_ctl: no server running'; exit 3");
    tool(root.path(), "pg_controldata", &format!("cat <<'E'\n{CONTROL}E"));
    let end =
        "pg_waldump: FATAL:  error in WAL record at 0/3008970: invalid record length at 0/30089C8: wanted 24, got 0";
    tool(root.path(), "pg_waldump", &format!("echo '{end}' >&2; exit 1"));
    file(root.path(), "PG_VERSION", "10\n");
    file(root.path(), "postmaster.pid", "1\n/elsewhere\n");
    file(root.path(), "recovery.conf", "# otb fence\nstandby_mode = on\nprimary_conninfo = 'host=h port=1'\n");
    let facts = look(&cluster(root.path(), NodeKind::Datanode, closed_port("127.0.0.1"))).await;
    assert_eq!(facts.process.known(), Some(&Process::Stopped));
    assert_eq!(facts.control.known().unwrap().state, ControlState::InProduction);
    assert_eq!(facts.wal_end.known().unwrap().to_string(), "0/30089C8");
    assert_eq!(facts.system_id.known().unwrap().to_string(), "7711080223426993833");
    let dir = facts.data_dir.known().unwrap();
    let conf = dir.recovery_conf.as_ref().unwrap();
    assert!(dir.present && dir.free_bytes.is_some() && conf.fence && conf.writable, "{dir:?}");
}

#[tokio::test]
async fn a_clean_stop_without_pg_waldump_ends_at_its_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    tool(root.path(), "pg_ctl", "echo 'pg_ctl: no server running'; exit 3");
    tool(root.path(), "pg_controldata", &format!("cat <<'E'\n{}E", CONTROL.replace("in production", "shut down")));
    file(root.path(), "PG_VERSION", "10\n");
    let facts = look(&cluster(root.path(), NodeKind::Datanode, closed_port("127.0.0.1"))).await;
    assert!(facts.is_cleanly_stopped());
    assert_eq!(facts.wal_end.known().unwrap().to_string(), "0/30088F8");
}

#[tokio::test]
async fn nothing_answers_and_nothing_is_guessed() {
    let root = tempfile::tempdir().unwrap();
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = hanging.local_addr().unwrap().port();
    for kind in [NodeKind::Coordinator, NodeKind::Gtm] {
        let facts = look_within(&cluster(root.path(), kind, port), Duration::from_millis(500)).await;
        let why = facts.process.reason().unwrap();
        assert_eq!(why.kind, UnknownKind::TimedOut);
        assert!(why.why.starts_with(&format!("no answer from 127.0.0.1:{port} within 0.5 s, and ")), "{why}");
        assert!(!facts.data_dir.known().unwrap().present);
        assert!(!facts.is_stopped());
    }
}

#[tokio::test]
async fn a_refusing_port_with_a_running_process_is_running() {
    let root = tempfile::tempdir().unwrap();
    tool(root.path(), "pg_ctl", "echo 'pg_ctl: server is running (PID: 999999)'");
    file(root.path(), "PG_VERSION", "10\n");
    file(root.path(), "postmaster.pid", "999999\n");
    let facts = look(&cluster(root.path(), NodeKind::Datanode, closed_port("127.0.0.1"))).await;
    assert_eq!(facts.process.known(), Some(&Process::Running));
    assert_eq!(facts.role.reason().unwrap().kind, UnknownKind::Refused);
}

#[tokio::test]
async fn a_gtm_is_fenced_by_its_conf_and_the_rest_of_it_stays() {
    let root = tempfile::tempdir().unwrap();
    let cluster = cluster(root.path(), NodeKind::Gtm, closed_port("127.0.0.1"));
    file(root.path(), "gtm.conf", "port = 21000\nstartup = ACT\n# startup = ACT\n");
    let to = Endpoint { host: Host::new("127.0.0.47").unwrap(), port: 21100 };
    let (instance, connections) = (only(&cluster), connections(&cluster));
    for _ in 0..2 {
        let script = Script::at(instance).then(&rewrite_gtm_conf(
            instance,
            &gtm_standby_lines(&to, true),
            &otb::opentenbase::recovery_path(instance),
        ));
        let output =
            connections.shells.run(&instance.id.server, script.as_str(), Duration::from_secs(5)).await.unwrap();
        assert_eq!((output.status, output.text.as_str()), (0, ""));
    }
    let text = std::fs::read_to_string(root.path().join("da ta/gtm.conf")).unwrap();
    assert_eq!(text.matches("active_host").count(), 1);
    assert!(text.contains("port = 21000") && text.contains("# startup = ACT"));
    let conf = read_gtm_conf(&text);
    assert_eq!((conf.standby, conf.fence, conf.upstream), (true, true, Some(to.clone())));
    let file = look(&cluster).await.data_dir.known().unwrap().recovery_conf.clone().unwrap();
    assert_eq!((file.upstream, file.fence), (Some(to), true));
}

#[tokio::test]
async fn what_was_started_outlives_the_limit_of_the_script() {
    let root = tempfile::tempdir().unwrap();
    let (go, mark) = (root.path().join("go"), root.path().join("up"));
    let [wait, touch] = [&go, &mark].map(|path| otb::opentenbase::quote(path.to_str().unwrap()));
    tool(
        root.path(),
        "pg_ctl",
        &format!("timeout 30 sh -c 'while ! test -e \"$0\"; do sleep 0.05; done' {wait} && touch {touch}"),
    );
    file(root.path(), "PG_VERSION", "10\n");
    let cluster = cluster(root.path(), NodeKind::Datanode, 1);
    let (instance, connections) = (only(&cluster), connections(&cluster));
    let script = Script::at(instance).then(&start(instance, Patience(60)));
    let error = connections.shells.run(&instance.id.server, script.as_str(), Duration::from_secs(2)).await.unwrap_err();
    assert!(error.is_outcome_unknown());
    std::fs::write(&go, "").unwrap();
    let begun = Instant::now();
    while !mark.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the server was killed with the script that started it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_failed_start_tells_why() {
    let root = tempfile::tempdir().unwrap();
    tool(root.path(), "pg_ctl", "echo 'FATAL: no' >>\"$5\"; echo 'pg_ctl: could not start server'; exit 1");
    file(root.path(), "PG_VERSION", "10\n");
    let cluster = cluster(root.path(), NodeKind::Datanode, 1);
    let (instance, connections) = (only(&cluster), connections(&cluster));
    let written = write_file(&format!("{}/x", instance.data), "it's\n'$(x)\n");
    let script = Script::at(instance).then(&written).then(&start(instance, Patience(1)));
    let output = connections.shells.run(&instance.id.server, script.as_str(), Duration::from_secs(5)).await.unwrap();
    assert_eq!(output.status, 1);
    assert!(output.text.contains("could not start server"), "{output:?}");
    assert_eq!(std::fs::read_to_string(root.path().join("da ta/x")).unwrap(), "it's\n'$(x)\n");
}
