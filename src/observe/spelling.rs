//! Host names and addresses: what an instance writes in another way than the file is brought to the file's way.
//!
//! Only where a host is written that no server of the file has, names are resolved: on the server where it is written, for
//! its processes connect by that server's resolver; without a shell there, here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;

use super::Limits;
use crate::model::{Cluster, Endpoint, Fact, Host, Instances, Route, ServerName, Spelling, WrittenIn};
use crate::opentenbase::{Addresses, read_addresses, resolve_script};
use crate::transport::{Connections, resolve_here};

/// The file's way to write hosts, by the way that was found.
type Ways = BTreeMap<String, Host>;

/// Brings all hosts of `instances` to the file's way, and returns those that were written in another one.
pub(super) async fn settle(
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
    instances: &mut Instances,
) -> Vec<Spelling> {
    let questions = questions(cluster, instances);
    let asked = questions.into_iter().map(async |(server, hosts)| {
        let ways = ask(cluster, &server, &hosts, connections, limits).await;
        (server, ways)
    });
    let ways: BTreeMap<ServerName, Ways> = join_all(asked).await.into_iter().collect();
    let mut found = Vec::new();
    let mut rewritten: HashMap<(*const Vec<Route>, &Ways), Arc<Vec<Route>>> = HashMap::new();
    for (id, facts) in instances.iter_mut() {
        let Some(ways) = ways.get(&id.server).filter(|ways| !ways.is_empty()) else { continue };
        let mut note = |place, host: &str, declared: &Host| {
            found.push(Spelling { instance: id.clone(), place, found: host.to_owned(), declared: declared.clone() });
        };
        if let Fact::Known(rows) = &mut facts.routes {
            let other: BTreeSet<&str> = rows.iter().map(|row| row.host.as_str()).collect();
            for (host, declared) in ways.iter().filter(|(host, _)| other.contains(host.as_str())) {
                note(WrittenIn::PgxcNode, host, declared);
            }
            let new = rewritten.entry((Arc::as_ptr(rows), ways)).or_insert_with(|| in_the_files_way(rows, ways));
            *rows = Arc::clone(new);
        }
        let mut settle = |upstream: &mut Option<Endpoint>| {
            if let Some(upstream) = upstream
                && let Some(declared) = ways.get(upstream.host.as_str())
            {
                note(WrittenIn::Upstream, upstream.host.as_str(), declared);
                upstream.host = declared.clone();
            }
        };
        if let Fact::Known(standby) = &mut facts.standby {
            settle(&mut standby.upstream);
        }
        if let Fact::Known(dir) = &mut facts.data_dir
            && let Some(file) = &mut dir.recovery_conf
        {
            settle(&mut file.upstream);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn in_the_files_way(rows: &Arc<Vec<Route>>, ways: &Ways) -> Arc<Vec<Route>> {
    if !rows.iter().any(|row| ways.contains_key(&row.host)) {
        return Arc::clone(rows);
    }
    let way = |row: &Route| {
        let host = ways.get(&row.host).map_or_else(|| row.host.clone(), ToString::to_string);
        Route { host, ..row.clone() }
    };
    Arc::new(rows.iter().map(way).collect())
}

/// The hosts that no server of the file has, by the server where they are written.
fn questions(cluster: &Cluster, instances: &Instances) -> BTreeMap<ServerName, BTreeSet<String>> {
    let declared: BTreeSet<&str> = cluster.servers.values().map(|server| server.address.as_str()).collect();
    let is_only_addresses = declared.iter().all(|host| host.parse::<IpAddr>().is_ok());
    // An address is never another address.
    let is_open = |host: &str| {
        let is_other_address = is_only_addresses && host.parse::<IpAddr>().is_ok_and(|at| at.is_ipv4());
        !declared.contains(host) && !is_other_address
    };
    let mut tables: HashMap<*const Vec<Route>, BTreeSet<&str>> = HashMap::new();
    let mut open: BTreeMap<ServerName, BTreeSet<String>> = BTreeMap::new();
    for (id, facts) in instances {
        let mut hosts: BTreeSet<&str> = BTreeSet::new();
        if let Some(rows) = facts.routes.known() {
            let of = || rows.iter().map(|row| row.host.as_str()).filter(|host| is_open(host)).collect();
            hosts.extend(tables.entry(Arc::as_ptr(rows)).or_insert_with(of).iter());
        }
        let file = facts.data_dir.known().and_then(|dir| dir.recovery_conf.as_ref()?.upstream.as_ref());
        let standby = facts.standby.known().and_then(|standby| standby.upstream.as_ref());
        hosts.extend([file, standby].into_iter().flatten().map(|at| at.host.as_str()).filter(|host| is_open(host)));
        if !hosts.is_empty() {
            open.entry(id.server.clone()).or_default().extend(hosts.into_iter().map(str::to_owned));
        }
    }
    open
}

async fn ask(
    cluster: &Cluster,
    server: &ServerName,
    hosts: &BTreeSet<String>,
    connections: &Connections,
    limits: &Limits,
) -> Ways {
    let declared = cluster.servers.values().map(|server| server.address.as_str());
    let all: Vec<&str> = hosts.iter().map(String::as_str).chain(declared).collect();
    match connections.shells.run(server, &resolve_script(&all), limits.shell).await {
        Ok(output) => ways(cluster, Some(server), hosts, &read_addresses(&all, &output.text)),
        Err(_) => ways(cluster, None, hosts, &resolve_here(&all, limits.answer).await),
    }
}

/// The servers of the file that the hosts lead to, each where it is only one. `on` is the server that resolved them, which
/// may resolve its own name to a loopback address; `None` means this machine.
fn ways(cluster: &Cluster, on: Option<&ServerName>, hosts: &BTreeSet<String>, addresses: &Addresses) -> Ways {
    let of = |host: &str| -> BTreeSet<IpAddr> {
        let literal = host.parse().ok().map(|address: IpAddr| address.to_canonical());
        let known = addresses.get(host).into_iter().flatten().map(IpAddr::to_canonical);
        known.chain(literal).collect()
    };
    let servers: Vec<(&ServerName, &Host, BTreeSet<IpAddr>)> =
        cluster.servers.iter().map(|(name, server)| (name, &server.address, of(server.address.as_str()))).collect();
    let way = |host: &String| {
        let own = of(host);
        let is_here = !own.is_empty() && own.iter().all(IpAddr::is_loopback);
        let same = |known: &BTreeSet<IpAddr>| known.intersection(&own).next().is_some();
        let mut meant: Vec<&Host> =
            servers.iter().filter(|(_, _, at)| same(at)).map(|(_, address, _)| *address).collect();
        if meant.is_empty() && is_here {
            meant = servers.iter().filter(|(name, ..)| Some(*name) == on).map(|(_, address, _)| *address).collect();
        }
        meant.dedup();
        match meant.as_slice() {
            [only] => Some((host.clone(), (*only).clone())),
            _ => None,
        }
    };
    hosts.iter().filter_map(way).collect()
}
