//! The pooler is not the catalog (opentenbase-v2.6-live.md, "Routes and poolers").

use std::sync::Arc;

use crate::model::NodeKind;
use crate::sandbox::sql::SqlError;
use crate::sandbox::{Flavor, Moment};

use super::World;
use super::answer::{Outcome, Stop, Wait};
use super::data::Routes;
use super::effect::Effect;
use super::instance::{DiskId, FaultMode, Pooler, Waiters};
use super::net::Reach;
use super::session::{Session, SessionId};
use super::settings::millis;

impl Pooler {
    pub(super) fn from_routes(routes: &Routes, fault_mode: FaultMode) -> Self {
        let routes = Arc::clone(routes);
        Self {
            routes,
            fault_mode,
            failures: std::collections::BTreeMap::new(),
            used: std::collections::BTreeSet::new(),
        }
    }

    /// The address that it uses for `node`.
    pub fn address(&self, node: &str) -> Option<(String, u16)> {
        address(&self.routes, node)
    }

    /// Lets `node` lead to host:port.
    pub(super) fn redirect(&mut self, node: &str, host: &str, port: u16) {
        if let Some(row) = Arc::make_mut(&mut self.routes).get_mut(node) {
            let row = Arc::make_mut(row);
            host.clone_into(&mut row.host);
            row.port = port;
        }
    }

    /// Whether it goes where `routes` say to reach `node`.
    fn leads_as(&self, routes: &Routes, node: &str) -> bool {
        Arc::ptr_eq(&self.routes, routes) || self.address(node) == address(routes, node)
    }
}

impl World {
    /// pgxc_pool_reload().
    pub(super) fn pool_reload(&mut self, disk: DiskId) {
        let Some(copy) = self.postgres.get_mut(&disk) else { return };
        if let Some(process) = &mut copy.process {
            let new = Pooler::from_routes(&copy.data.routes, process.pooler.fault_mode);
            let old = std::mem::replace(&mut process.pooler, new);
            // Connections to a node that has not moved are kept (seen live).
            let kept = old.used.iter().filter(|node| process.pooler.leads_as(&old.routes, node));
            let kept = kept.cloned().collect();
            process.pooler.used = kept;
        }
    }

    /// v5's pool reload ends every other session that holds a connection to a node, changed or not; v2.6's ends none (both
    /// seen live). A session gives its connections back persistent_connections_timeout after its last transaction.
    pub(super) fn end_holders(&mut self, own: SessionId, disk: DiskId, now: Moment) {
        if self.flavor != Flavor::V5 {
            return;
        }
        let keeps = |id: SessionId, session: &Session| {
            let text = self.setting(Some(id), disk, "persistent_connections_timeout").unwrap_or_default();
            let idle = now.0.saturating_sub(session.activity.state_change.0) / 1000;
            text == "-1" || millis(&text).is_some_and(|kept| idle < kept)
        };
        let holds = |id: SessionId, session: &Session| {
            !session.pooled.is_empty() && (session.transaction.is_some() || keeps(id, session))
        };
        let others = self.sessions.iter().filter(|(id, session)| **id != own && session.disk == disk);
        let ended: Vec<SessionId> = others.filter(|(id, session)| holds(**id, session)).map(|(id, _)| *id).collect();
        for id in ended {
            self.close(id);
            self.effects.push(Effect::SessionEnded(id));
        }
    }

    /// pgxc_pool_check(): on a coordinator whether the nodes that the pool holds connections to are where pgxc_node
    /// says, always true on a datanode (seen live).
    pub fn pool_agrees(&self, disk: DiskId) -> bool {
        let Some(copy) = self.postgres.get(&disk) else { return false };
        let Some(process) = &copy.process else { return false };
        match copy.home.kind {
            NodeKind::Coordinator => {
                let pooler = &process.pooler;
                pooler.used.iter().all(|node| pooler.leads_as(&copy.data.routes, node))
            }
            NodeKind::Datanode | NodeKind::Gtm => true,
        }
    }

    /// CHECKPOINT; on a coordinator's master also on every datanode, once its own is done (utility.c: EXEC_ON_DATANODES;
    /// seen live).
    pub(super) fn checkpoint_by(&mut self, id: SessionId, disk: DiskId, now: Moment) -> Result<Outcome, Stop> {
        let copy = self.postgres.get(&disk).filter(|copy| copy.home.kind == NodeKind::Coordinator && copy.is_master());
        let datanodes = copy.map(|copy| copy.data.datanodes()).unwrap_or_default();
        let others: Result<Vec<DiskId>, Stop> = datanodes.iter().map(|node| self.pooled(id, disk, node)).collect();
        if let Err(wait @ Stop::Wait(_)) = others {
            return Err(wait);
        }
        // A checkpoint writes every page that has changed.
        let waiters = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref()).map(|process| process.waiters);
        if waiters == Some(Waiters::WaitToWrite) && self.is_stuck(disk) {
            return Err(Wait::Page.into());
        }
        self.checkpoint(disk, now);
        others?.into_iter().for_each(|other| self.checkpoint(other, now));
        self.settle(now);
        Ok(Outcome { delay: 100, ..Outcome::done("CHECKPOINT") })
    }

    /// The process that the pooler of `router` reaches under the name of `node`. `id` is the session that needs it.
    pub(super) fn pooled(&mut self, id: SessionId, router: DiskId, node: &str) -> Result<DiskId, Stop> {
        let Some(copy) = self.postgres.get(&router) else { return Err(unreachable(self.flavor, None).into()) };
        let from = copy.home.server.clone();
        let own = copy.home.node.as_str() == node;
        if own {
            return Ok(router);
        }
        let address = copy.process.as_ref().and_then(|process| process.pooler.address(node));
        let Some((host, port)) = address else {
            return Err(SqlError::new("42704", format!("PGXC Node {node}: object not defined")).into());
        };
        match self.reach(&from, &host, port) {
            Reach::Live(disk) if self.postgres.get(&disk).is_some_and(takes_connections) => {
                self.pool_worked(router, node);
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.pooled.insert(node.to_owned(), (host, port));
                }
                Ok(disk)
            }
            Reach::Silent => Err(Wait::Peer.into()),
            Reach::Live(_) | Reach::Refused => {
                self.pool_failed(router, node);
                Err(unreachable(self.flavor, Some((node, &host, port))).into())
            }
        }
    }

    fn pool_worked(&mut self, router: DiskId, node: &str) {
        if let Some(process) = self.postgres.get_mut(&router).and_then(|copy| copy.process.as_mut()) {
            process.pooler.failures.remove(node);
            if !process.pooler.used.contains(node) {
                process.pooler.used.insert(node.to_owned());
            }
        }
    }

    fn pool_failed(&mut self, router: DiskId, node: &str) {
        let Some(copy) = self.postgres.get_mut(&router) else { return };
        let Some(process) = &mut copy.process else { return };
        let failures = process.pooler.failures.entry(node.to_owned()).or_default();
        *failures = failures.saturating_add(1);
        if process.pooler.fault_mode == FaultMode::Heals && *failures >= 2 {
            process.pooler.failures.remove(node);
            if let Some(row) = copy.data.routes.get(node) {
                process.pooler.redirect(node, &row.host, row.port);
            }
        }
    }
}

fn takes_connections(copy: &super::Postgres) -> bool {
    copy.process.as_ref().is_some_and(|process| !process.crash_loops())
}

/// Nobody asks a pooler for the GTM or for standbys.
fn address(routes: &Routes, node: &str) -> Option<(String, u16)> {
    let row = routes.get(node).filter(|row| matches!(row.kind, 'C' | 'D'))?;
    Some((row.host.clone(), row.port))
}

/// pgxcnode.c's words; v5's say where the pooler tried to connect.
fn unreachable(flavor: Flavor, at: Option<(&str, &str, u16)>) -> SqlError {
    let failed = "Failed to get pooled connections".to_owned();
    let (text, more) = match (flavor, at) {
        (Flavor::V5, Some((node, host, port))) => (
            format!(
                "{failed}: connect for {node}({host}:{port}) failed, errmsg: could not connect to server: Connection \
                 refused\n\tIs the server running on host \"{host}\" and accepting\n\tTCP/IP connections on port {port}?\n"
            ),
            "pooler_scale_factor, ",
        ),
        _ => (failed, ""),
    };
    SqlError::new("53000", text).hint(format!(
        "This may happen because one or more nodes are currently unreachable, either because of node or \
         network failure.\n Its also possible that the target node may have hit the connection limit or the \
         pooler is configured with low connections.\n Please check if all nodes are running fine and also \
         review {more}max_connections and max_pool_size configuration parameters"
    ))
}
