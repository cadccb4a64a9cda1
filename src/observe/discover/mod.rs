//! A cluster found from one coordinator: its pgxc_node names the masters, the masters name their standbys'
//! servers, and on the servers lie the directories.
//!
//! Whatever is found is asked what it is before it counts: a process that says another node's name, or keeps
//! its data elsewhere than the directory that was found, is not the one. Read only, as [`super::observe`].

mod ask;
mod found;
mod gtm;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::Limits;
use super::answer::{self, fact};
use crate::model::{
    ClusterName, Connection, Discovery, Endpoint, Fact, FoundServer, Host, NodeKind, NodeName, Route, RouteKind,
    Server, ServerName, ShellAccess, ShellVia, UnknownKind,
};
use crate::opentenbase::{DataDirScan, data_dir_scan_script, query, read_data_dir_scan};
use crate::transport::{Connections, ConnectionsError, SqlError};
use ask::{NodeAnswers, Who};

/// How to get in.
#[derive(Debug, Clone)]
pub struct Way {
    pub coordinator: Endpoint,
    pub connection: Connection,
    /// For every server; an ssh destination is the server's address.
    pub shell: ShellAccess,
}

/// Why nothing can be found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error(transparent)]
    Connections(#[from] ConnectionsError),
    #[error("failed to log in to a coordinator: {0}")]
    NoSession(SqlError),
    #[error("{0} is not an OpenTenBase coordinator: {1}")]
    NoNode(Endpoint, String),
    #[error("{at} is the datanode {name}, not a coordinator")]
    Datanode { at: Endpoint, name: NodeName, coordinators: Vec<String> },
    #[error("the coordinator at {0} has no pgxc_node that otb can read: {1}")]
    NoRoutes(Endpoint, String),
}

/// One node while its copies are looked for.
struct Row {
    name: NodeName,
    kind: NodeKind,
    at: Endpoint,
    /// Not a GTM's, which forwards nothing.
    forward: Option<u16>,
}

/// Looks around.
pub async fn discover(way: &Way, limits: &Limits) -> Result<Discovery, DiscoverError> {
    let first = first_look(way, limits).await?;
    let (rows, left_out) = rows(&first);
    let hosts: BTreeSet<Host> = rows.iter().map(|row| row.at.host.clone()).collect();
    let to_masters = way_to(way, &hosts)?;
    let sockets = Semaphore::new(limits.sockets.get());
    let masters = masters(&rows, &to_masters, &sockets, limits).await;
    to_masters.close().await;

    let hosts = with_standbys(hosts, &masters);
    let connections = way_to(way, &hosts)?;
    let data_dir_scan = data_dir_scan(&hosts, &masters, &connections, limits).await;
    let look = found::Look {
        rows: &rows,
        masters: &masters,
        data_dir_scan: &data_dir_scan,
        ssh: way.shell.via != ShellVia::Local,
    };
    let hosts = look.real_servers(&hosts);
    let asked = join_all(look.candidates(&hosts).into_iter().map(|who| {
        let (connections, sockets) = (&connections, &sockets);
        async move { (who.clone(), ask::ask(&who, connections, sockets, limits).await) }
    }))
    .await;
    connections.close().await;
    let nodes = look.nodes(&hosts, &asked);
    let servers = hosts.into_iter().map(|host| {
        let name = data_dir_scan.get(&host).map_or_else(|| Fact::not_asked("it was not asked"), name_of);
        (host, FoundServer { name })
    });
    Ok(Discovery { cluster: first.cluster, servers: servers.collect(), nodes, left_out })
}

fn name_of(data_dir_scan: &Fact<DataDirScan>) -> Fact<String> {
    match data_dir_scan {
        Fact::Known(DataDirScan { name: Some(name), .. }) => Fact::Known(name.clone()),
        Fact::Known(_) => Fact::unknown(UnknownKind::Unreadable, "uname -n printed nothing"),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    }
}

/// The coordinator's answers about itself and the other nodes.
struct First {
    cluster: Fact<ClusterName>,
    routes: std::sync::Arc<Vec<Route>>,
}

async fn first_look(way: &Way, limits: &Limits) -> Result<First, DiscoverError> {
    let at = &way.coordinator;
    let connections = way_to(way, &BTreeSet::new())?;
    let session = connections.session_at(at, NodeKind::Coordinator, limits.answer).await;
    let session = session.map_err(DiscoverError::NoSession)?;
    let questions = [query::stay_read_only(), query::node_name(), query::cluster_name(), query::routes()];
    let answers = session.query_all(&questions, limits.answer).await;
    session.close().await;
    let [_, name, cluster, routes] = answers.as_slice() else {
        return Err(DiscoverError::NoNode(at.clone(), "it did not answer".to_owned()));
    };
    let name = match fact(name, answer::node_name) {
        Fact::Known(name) => name,
        Fact::Unknown(why) => return Err(DiscoverError::NoNode(at.clone(), why.to_string())),
    };
    let routes = match fact(routes, answer::routes) {
        Fact::Known(routes) => routes,
        Fact::Unknown(why) => return Err(DiscoverError::NoRoutes(at.clone(), why.to_string())),
    };
    let own = routes.iter().find(|row| row.node == name.as_str());
    if own.is_some_and(|row| row.kind == RouteKind::Datanode) {
        let coordinators = routes.iter().filter(|row| row.kind == RouteKind::Coordinator);
        let coordinators = coordinators.map(|row| format!("{} at {}:{}", row.node, row.host, row.port)).collect();
        return Err(DiscoverError::Datanode { at: at.clone(), name, coordinators });
    }
    let cluster = fact(cluster, |rows| {
        let text = answer::one_word(rows)?;
        ClusterName::new(text).map_err(|error| format!("{text:?} is no cluster name: {error}"))
    });
    Ok(First { cluster, routes })
}

/// The rows that can be declared, and a sentence for each that cannot.
fn rows(first: &First) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for route in first.routes.iter() {
        let kind = match route.kind {
            RouteKind::Coordinator => NodeKind::Coordinator,
            RouteKind::Datanode => NodeKind::Datanode,
            RouteKind::Gtm => NodeKind::Gtm,
            RouteKind::Standby => continue,
        };
        let shown = format!("the row {} ({}:{}) of pgxc_node", route.node, route.host, route.port);
        let other = first.cluster.known().is_some_and(|own| !route.cluster.is_empty() && route.cluster != own.as_str());
        match (NodeName::new(&*route.node), Host::new(&*route.host)) {
            _ if other => left_out.push(format!("{shown} belongs to the cluster {}", route.cluster)),
            (Ok(name), Ok(host)) => {
                let forward = route.forward.filter(|_| kind.is_router());
                rows.push(Row { name, kind, at: Endpoint { host, port: route.port }, forward });
            }
            (Err(error), _) => left_out.push(format!("{shown} has a name that cannot be declared: {error}")),
            (_, Err(error)) => left_out.push(format!("{shown} has a host that cannot be declared: {error}")),
        }
    }
    (rows, left_out)
}

/// The way to servers that have no names yet.
fn way_to(way: &Way, hosts: &BTreeSet<Host>) -> Result<Connections, ConnectionsError> {
    let server = |(n, host): (usize, &Host)| {
        let name = server_name(n)?;
        let via = match &way.shell.via {
            ShellVia::Ssh { user, port, .. } => {
                ShellVia::Ssh { user: user.clone(), host: host.as_str().to_owned(), port: *port }
            }
            other @ (ShellVia::Local | ShellVia::Exec { .. }) => other.clone(),
        };
        let shell = ShellAccess { via, run_as: way.shell.run_as.clone() };
        Some((name.clone(), Server { name, address: host.clone(), shell }))
    };
    let servers = hosts.iter().enumerate().filter_map(server).collect();
    Connections::to(&way.connection, &servers)
}

/// Only for telling the shells apart.
fn server_name(n: usize) -> Option<ServerName> {
    ServerName::new(format!("server-{n}")).ok()
}

type Masters = BTreeMap<NodeName, NodeAnswers>;

async fn masters(rows: &[Row], connections: &Connections, sockets: &Semaphore, limits: &Limits) -> Masters {
    join_all(rows.iter().map(|row| async {
        let who = Who { kind: row.kind, at: row.at.clone() };
        (row.name.clone(), ask::ask(&who, connections, sockets, limits).await)
    }))
    .await
    .into_iter()
    .collect()
}

/// Adds the addresses from which standbys replicate. On loopback that is 127.0.0.1 whatever the standby's own
/// address is (opentenbase-v2.6-live.md, "WAL and timelines"): it names no server.
fn with_standbys(mut hosts: BTreeSet<Host>, masters: &Masters) -> BTreeSet<Host> {
    let named = masters.values().flat_map(|said| &said.standbys).filter_map(|standby| standby.host.as_deref());
    let loopback = |host: &str| host == "localhost" || host == "::1" || host.starts_with("127.");
    hosts.extend(named.filter(|host| !loopback(host)).filter_map(|host| Host::new(host).ok()));
    hosts
}

async fn data_dir_scan(
    hosts: &BTreeSet<Host>,
    masters: &Masters,
    connections: &Connections,
    limits: &Limits,
) -> BTreeMap<Host, Fact<DataDirScan>> {
    let shells = Semaphore::new(limits.shells.get());
    let known = masters.values().filter_map(|said| said.data.known());
    let parents: BTreeSet<&str> = known.filter_map(|data| Some(data.rsplit_once('/')?.0)).collect();
    let script = data_dir_scan_script(parents.iter().filter(|parent| !parent.is_empty()).copied());
    join_all(hosts.iter().enumerate().map(|(n, host)| {
        let (shells, script) = (&shells, &script);
        async move {
            let _permit = shells.acquire().await.ok();
            let data_dir_scan = match server_name(n) {
                Some(server) => match connections.shells.run(&server, script, limits.shell).await {
                    Ok(output) => read_data_dir_scan(&output.text).map_or_else(
                        || Fact::unknown(UnknownKind::Unreadable, "its shell did not answer completely"),
                        Fact::Known,
                    ),
                    Err(error) => Fact::Unknown(error.unknown()),
                },
                None => Fact::not_asked("it has no name"),
            };
            (host.clone(), data_dir_scan)
        }
    }))
    .await
    .into_iter()
    .collect()
}
