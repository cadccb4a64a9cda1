//! The example cluster on two loopback addresses, and the settings of its servers.

use std::net::TcpListener;

use otb::model::{Endpoint, Instance, NodeKind};

use super::Hands;

/// Everything below ROOT; BOTH stands for an instance on either server, with the install of its own.
const CLUSTER: &str = "\
version: 1
cluster: opentenbase_cluster

connection: {user: USER, database: postgres}

defaults:
  install: ROOT/s29/install
  data: ROOT/{server}/{node}
  shell: SHELL

servers:
  s29: {address: NETWORK.29}
  s47: {address: NETWORK.47}

gtm:
  gtm_1:
    master: s29
    port: 21000
    data: ROOT/{server}/gtm
    instances: BOTH

coordinators:
  cn01:
    master: s29
    port: 15432
    instances: [{server: s29}]
  cn02:
    master: s47
    port: 15432
    instances: [ON47]

datanodes:
  dn01:
    master: s29
    port: 23001
    instances: BOTH
  dn02:
    master: s47
    port: 23002
    instances: BOTH

policy: {max_lag: 16MiB, old_master: rejoin}
";

/// The first three numbers of a loopback network on which the example cluster's ports are free.
pub(super) fn free_network() -> String {
    let begin = std::process::id();
    let numbers = (0..200).map(|n| begin.wrapping_mul(31).wrapping_add(n));
    let mut networks = numbers.map(|number| format!("127.{}.{}", 64 + number % 128, 1 + number / 128 % 250));
    networks.find(|network| TcpListener::bind(format!("{network}.29:21000")).is_ok()).expect("a free network")
}

/// cluster.yaml with the example cluster's names and ports.
pub(super) fn cluster_yaml(hands: &Hands, network: &str, wide: bool) -> String {
    let root = hands.root().to_str().unwrap();
    let shell = if hands.changes_over() {
        format!("{{via: local, run_as: {}}}", hands.user())
    } else {
        "{via: local}".to_owned()
    };
    let cluster = if wide {
        // On one server two coordinators cannot have one port.
        let cn02 = ("port: 15432\n    instances: [ON47]", "port: 15442\n    instances: BOTH");
        CLUSTER.replace("[{server: s29}]", "BOTH").replace(cn02.0, cn02.1)
    } else {
        CLUSTER.to_owned()
    };
    cluster
        .replace("BOTH", "[{server: s29}, ON47]")
        .replace("ON47", "{server: s47, install: ROOT/s47/install}")
        .replace("ROOT", root)
        .replace("NETWORK", network)
        .replace("SHELL", &shell)
        .replace("USER", hands.user())
}

/// The same file with one more copy of `node`, on a server of its own.
pub(super) fn with_a_third(declared: &str, node: &str, root: &str, network: &str) -> String {
    let s47 = format!("  s47: {{address: {network}.47}}\n");
    let begin = format!("  {node}:\n");
    let (head, rest) = declared.split_once(&begin).unwrap();
    let last = format!("install: {root}/s47/install}}]");
    let more = format!("install: {root}/s47/install}}, {{server: s63, install: {root}/s63/install}}]");
    let head = head.replace(&s47, &format!("{s47}  s63: {{address: {network}.63}}\n"));
    format!("{head}{begin}{}", rest.replacen(&last, &more, 1))
}

/// The directory of one server's unix sockets. Each has its own, as two machines would: on one machine the
/// seed's ports are taken twice.
pub(super) fn sockets(instance: &Instance) -> String {
    instance.install.replace("/install", "/sockets")
}

/// What a datanode's or coordinator's postgresql.conf says beyond initdb's.
pub(super) fn settings(instance: &Instance, v5: bool) -> String {
    let Endpoint { host, port } = &instance.endpoint;
    let pooler = port + 1000;
    // Unless told otherwise a forward process takes 2.3 GB.
    let of_v5 = format!(
        "forward_port = {}\nfn_shared_buffers = 16MB\ngtm_unix_socket_directory = '{}'\n",
        forward_port(instance),
        sockets(instance)
    );
    let common = format!(
        "\nlisten_addresses = '{host}'\nport = {port}\npooler_port = {pooler}\n\
         unix_socket_directories = '{}'\nmax_connections = 120\nmax_pool_size = 200\nshared_buffers = 32MB\n\
         max_prepared_transactions = 60\nwal_level = logical\nwal_log_hints = on\nmax_wal_senders = 10\n\
         wal_keep_segments = 32\nhot_standby = on\nlogging_collector = on\nlog_directory = 'log'\n\
         log_destination = 'stderr'\nlog_filename = 'pg.log'\nsynchronous_commit = local\nfsync = off\n",
        sockets(instance)
    );
    if v5 { common + &of_v5 } else { common }
}

/// Another one on each server, so that a move changes it. cluster.yaml does not say it: otb asks the processes.
pub(super) fn forward_port(instance: &Instance) -> u16 {
    let other = if instance.id.server.as_str() == "s29" { 0 } else { 5000 };
    instance.endpoint.port + 2000 + other
}

pub(super) const HBA: &str = "\
local all all trust
host all all 127.0.0.0/8 trust
host replication all 127.0.0.0/8 trust
local replication all trust
";

/// What gtm.conf says beyond initgtm's; a standby follows `active`.
pub(super) fn gtm_settings(instance: &Instance, active: &Instance) -> String {
    assert_eq!(instance.kind, NodeKind::Gtm);
    let Endpoint { host, port } = &instance.endpoint;
    let role = if instance.id == active.id {
        "startup = ACT\n".to_owned()
    } else {
        format!("startup = STANDBY\nactive_host = '{}'\nactive_port = {}\n", active.endpoint.host, active.endpoint.port)
    };
    format!(
        "\nnodename = '{}'\nlisten_addresses = '{host}'\nport = {port}\nunix_socket_directory = '{}'\n{role}",
        instance.id.node,
        sockets(instance)
    )
}
