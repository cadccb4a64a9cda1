//! The cluster a sandbox simulates: the example cluster generalised, or one from a file, moved to loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytesize::ByteSize;

use crate::model::{
    Cluster, ClusterName, Connection, Endpoint, Host, Instance, InstanceId, NameError, Node, NodeKind, NodeName,
    OldMaster, Policy, Server, ServerName, ShellAccess, ShellVia, SslMode,
};

use super::args::UpArgs;

/// The example cluster's two servers.
const SERVERS: [&str; 2] = ["s29", "s47"];

/// The example cluster (opentenbase-v2.6-live.md, "Routes and poolers") with as many coordinators and datanodes as asked for.
pub(super) fn seed(args: &UpArgs) -> Result<Cluster, NameError> {
    let mut cluster = empty(&SERVERS)?;
    add(&mut cluster, "gtm_1", NodeKind::Gtm, 0, 21_000, true)?;
    for n in 1..=usize::from(args.coordinators) {
        // Neighbours are on different servers and share a port, as those of the example cluster do, unless both servers have both.
        let place = if args.coordinator_standbys { n - 1 } else { (n - 1) / 2 };
        // Beyond 700 the tens would run into the datanodes' ports.
        let port = if place < 700 { port_after(15_432, 10 * place) } else { port_after(30_000, n) };
        add(&mut cluster, &format!("cn{n:02}"), NodeKind::Coordinator, n - 1, port, args.coordinator_standbys)?;
    }
    for n in 1..=usize::from(args.datanodes) {
        add(&mut cluster, &format!("dn{n:02}"), NodeKind::Datanode, n - 1, port_after(23_000, n), true)?;
    }
    Ok(cluster)
}

/// Gives v5's instances without a forward port one: another one on each server, so that a move changes it.
pub(super) fn give_forward_ports(cluster: &mut Cluster) {
    let servers: Vec<ServerName> = cluster.servers.keys().cloned().collect();
    let instances = cluster.nodes.values_mut().flat_map(|node| node.instances.values_mut());
    for instance in instances.filter(|instance| instance.kind.is_router() && instance.forward_port.is_none()) {
        let at = servers.iter().position(|server| *server == instance.id.server).unwrap_or_default();
        instance.forward_port = Some(port_after(instance.endpoint.port, 2_000 + 5_000 * at));
    }
}

fn port_after(base: u16, offset: usize) -> u16 {
    u16::try_from(offset).ok().and_then(|offset| base.checked_add(offset)).unwrap_or(u16::MAX)
}

fn empty(servers: &[&str]) -> Result<Cluster, NameError> {
    let mut map = BTreeMap::new();
    for name in servers {
        let name = ServerName::new(*name)?;
        let shell = ShellAccess { via: ShellVia::Local, run_as: None };
        map.insert(name.clone(), Server { name, address: Host::new("127.0.0.1")?, shell });
    }
    Ok(Cluster {
        name: ClusterName::new("opentenbase_cluster")?,
        connection: Connection {
            user: "opentenbase".to_owned(),
            database: "postgres".to_owned(),
            sslmode: SslMode::Disable,
            sslrootcert: None,
        },
        servers: map,
        nodes: BTreeMap::new(),
        policy: Policy::default(),
    })
}

/// Adds a node whose master lies on server `first` (modulo two) and whose standby, if any, on the other.
fn add(
    cluster: &mut Cluster,
    name: &str,
    kind: NodeKind,
    first: usize,
    port: u16,
    standby: bool,
) -> Result<(), NameError> {
    let name = NodeName::new(name)?;
    let master = ServerName::new(SERVERS[first % 2])?;
    let mut instances = BTreeMap::new();
    for offset in 0..=usize::from(standby) {
        let server = ServerName::new(SERVERS[(first + offset) % 2])?;
        let instance = Instance {
            id: InstanceId::new(name.clone(), server.clone()),
            kind,
            endpoint: Endpoint { host: Host::new("127.0.0.1")?, port },
            forward_port: None,
            data: String::new(),
            install: String::new(),
        };
        instances.insert(server, instance);
    }
    cluster.nodes.insert(name.clone(), Node { name, kind, master, instances });
    Ok(())
}

/// Every port the cluster's instances use.
pub(super) fn ports(cluster: &Cluster) -> BTreeSet<u16> {
    cluster.instances().map(|instance| instance.endpoint.port).collect()
}

/// The last octet of each server's loopback address: the number its name ends with, if that is free.
pub(super) fn octets(cluster: &Cluster) -> BTreeMap<ServerName, u8> {
    let mut taken = BTreeSet::new();
    let mut octets = BTreeMap::new();
    for name in cluster.servers.keys() {
        let digits: String = name.as_str().chars().rev().take_while(char::is_ascii_digit).collect();
        let own = digits.chars().rev().collect::<String>().parse::<u8>().ok();
        let octet = own.filter(|octet| (2..=250).contains(octet) && !taken.contains(octet));
        let octet = octet.or_else(|| (2..=250).find(|octet| !taken.contains(octet))).unwrap_or(1);
        taken.insert(octet);
        octets.insert(name.clone(), octet);
    }
    octets
}

/// Moves the cluster to loopback addresses 127.A.B.x and to directories below `dir`.
pub(super) fn settle(cluster: &mut Cluster, dir: &Path, high: u8, low: u8) -> Result<(), NameError> {
    let octets = octets(cluster);
    let address = |server: &ServerName| {
        let octet = octets.get(server).copied().unwrap_or(1);
        Host::new(format!("127.{high}.{low}.{octet}"))
    };
    cluster.connection.sslmode = SslMode::Disable;
    cluster.connection.sslrootcert = None;
    for server in cluster.servers.values_mut() {
        server.address = address(&server.name)?;
        server.shell = ShellAccess { via: ShellVia::Local, run_as: None };
    }
    for node in cluster.nodes.values_mut() {
        for instance in node.instances.values_mut() {
            instance.endpoint.host = address(&instance.id.server)?;
            // The guide calls every GTM's directory gtm.
            let leaf = if node.kind == NodeKind::Gtm { "gtm" } else { instance.id.node.as_str() };
            instance.data = dir.join(instance.id.server.as_str()).join(leaf).display().to_string();
            instance.install = dir.join("install").display().to_string();
        }
    }
    Ok(())
}

/// cluster.yaml for the sandbox, with comments for its reader.
pub(super) fn yaml(cluster: &Cluster, dir: &Path) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let shown = dir.display();
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "# An otb sandbox: an embedded OpenTenBase cluster on loopback.\n\
         # Move a master by changing its `master:` line, then run: otb plan -f {shown}/cluster.yaml\n\
         version: 1\n\
         cluster: {}\n\n\
         connection: {{user: {}, database: {}, sslmode: disable}}\n\n\
         defaults:\n  install: {shown}/install\n  shell: {{via: local}}   # its pg_ctl, gtm_ctl, … are the sandbox's own\n\n\
         servers:\n",
        cluster.name, cluster.connection.user, cluster.connection.database
    );
    for server in cluster.servers.values() {
        let _ = writeln!(text, "  {}: {{address: {}}}", server.name, server.address);
    }
    for (section, kind) in
        [("gtm", NodeKind::Gtm), ("coordinators", NodeKind::Coordinator), ("datanodes", NodeKind::Datanode)]
    {
        let _ = write!(text, "\n{section}:\n");
        for node in cluster.nodes_of(kind) {
            node_yaml(&mut text, node);
        }
    }
    let policy = &cluster.policy;
    let old = match policy.old_master {
        OldMaster::Rejoin => "rejoin",
        OldMaster::Leave => "leave",
    };
    let _ = write!(text, "\npolicy: {{max_lag: {}, old_master: {old}}}\n", lag(policy.max_lag));
    text
}

fn lag(size: ByteSize) -> String {
    const MIB: u64 = 1024 * 1024;
    match size.as_u64() {
        bytes if bytes % MIB == 0 => format!("{}MiB", bytes / MIB),
        bytes => format!("{bytes}B"),
    }
}

fn node_yaml(text: &mut String, node: &Node) {
    use std::fmt::Write;
    let port = node.master_instance().map_or(0, |master| master.endpoint.port);
    let _ = write!(text, "  {}:\n    master: {}\n    port: {port}\n    instances:\n", node.name, node.master);
    for instance in node.instances.values() {
        let own_port =
            if instance.endpoint.port == port { String::new() } else { format!(", port: {}", instance.endpoint.port) };
        let forward = instance.forward_port.map(|port| format!(", forward_port: {port}")).unwrap_or_default();
        let _ =
            writeln!(text, "      - {{server: {}{own_port}{forward}, data: {}}}", instance.id.server, instance.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(coordinators: u16, datanodes: u16) -> UpArgs {
        UpArgs {
            dir: "/s".into(),
            from: None,
            like_live: None,
            coordinators,
            datanodes,
            coordinator_standbys: false,
            flavor: crate::sandbox::Flavor::V2,
            latency: 0,
            password: None,
            ttl: None,
        }
    }

    #[test]
    fn the_seed_is_laid_out_as_in_the_guide() {
        let mut cluster = seed(&args(2, 2)).unwrap();
        settle(&mut cluster, Path::new("/s"), 0, 0).unwrap();
        let shown: Vec<String> = cluster
            .instances()
            .map(|instance| {
                let role = if cluster.nodes[&instance.id.node].master == instance.id.server { "m" } else { "s" };
                format!("{} {role} {}", instance.id, instance.endpoint)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "cn01@s29 m 127.0.0.29:15432",
                "cn02@s47 m 127.0.0.47:15432",
                "dn01@s29 m 127.0.0.29:23001",
                "dn01@s47 s 127.0.0.47:23001",
                "dn02@s29 s 127.0.0.29:23002",
                "dn02@s47 m 127.0.0.47:23002",
                "gtm_1@s29 m 127.0.0.29:21000",
                "gtm_1@s47 s 127.0.0.47:21000",
            ]
        );
        assert!(yaml(&cluster, Path::new("/s")).contains("  dn01:\n    master: s29\n    port: 23001\n"));
    }

    #[test]
    fn many_nodes_have_distinct_endpoints() {
        let mut cluster = seed(&args(1024, 1024)).unwrap();
        settle(&mut cluster, Path::new("/s"), 0, 0).unwrap();
        let endpoints: BTreeSet<String> = cluster.instances().map(|instance| instance.endpoint.to_string()).collect();
        assert_eq!(endpoints.len(), cluster.instances().count());
    }
}
