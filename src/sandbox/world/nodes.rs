//! ALTER NODE, ALTER GTM NODE, CREATE NODE, DROP NODE (opentenbase-v2.6-live.md, "Routes and poolers").

use crate::sandbox::Flavor;
use crate::sandbox::moment::Moment;
use crate::sandbox::sql::{AlterNode, SqlError};

use super::World;
use super::answer::{Outcome, Stop, Wait};
use super::cluster::node_id;
use super::data::{Change, Data, RouteRow};
use super::instance::DiskId;
use super::session::SessionId;

impl World {
    pub(super) fn alter_node(&mut self, id: SessionId, alter: &AlterNode, now: Moment) -> Result<Outcome, Stop> {
        let disk = self.lockable(id)?;
        let data = self.own_data(id, disk);
        let Some(row) = data.routes.get(alter.name.as_str()) else { return Err(undefined(&alter.name)) };
        self.knows_forward(alter)?;
        // ALTER GTM NODE of a datanode is accepted as well (seen live).
        if alter.gtm && (alter.host.is_none() || alter.port.is_none()) {
            let text = format!("PGXC node {}: host, port should be specified", alter.name);
            return Err(SqlError::syntax(text).into());
        }
        let mut row = RouteRow::clone(row);
        // Else the table, which is shared, would be copied for each row that changes.
        drop(data);
        if let Some(host) = &alter.host {
            row.host = cut(host);
        }
        row.port = alter.port.unwrap_or(row.port);
        // v5 keeps the old one (nodemgr.c, PgxcNodeAlter).
        row.forward = alter.forward.unwrap_or(row.forward);
        row.primary = alter.primary.unwrap_or(row.primary);
        row.preferred = alter.preferred.unwrap_or(row.preferred);
        self.lock_row(id, disk, &alter.name)?;
        self.change_routes(id, disk, Change::Route(row), "ALTER NODE", now)
    }

    pub(super) fn create_node(&mut self, id: SessionId, node: &AlterNode, now: Moment) -> Result<Outcome, Stop> {
        let disk = self.lockable(id)?;
        if self.own_data(id, disk).routes.contains_key(node.name.as_str()) {
            let cluster = &self.cluster;
            let text = format!("PGXC Node {} Cluster {cluster}: object already defined", node.name);
            return Err(SqlError::new("42710", text).into());
        }
        self.knows_forward(node)?;
        let kind = match node.kind.as_deref() {
            Some("coordinator") => 'C',
            Some("datanode") => 'D',
            Some("gtm") => 'G',
            Some(_) => {
                let text = match self.flavor {
                    Flavor::V2 => "type value is incorrect, specify 'coordinator or 'datanode' or 'gtm'",
                    Flavor::V5 => "type value is incorrect, specify 'coordinator' or 'datanode' or 'gtm'",
                };
                return Err(SqlError::new("22023", text).into());
            }
            None => return Err(SqlError::syntax(format!("PGXC node {}: Node type not specified", node.name)).into()),
        };
        if let Some(last) = self
            .own_data(id, disk)
            .routes
            .values()
            .rfind(|row| row.kind == kind && (kind == 'D' || kind == 'C' && self.flavor == Flavor::V5))
            && node.name < last.node
        {
            let (name, cluster, last) = (&node.name, &self.cluster, &last.node);
            let text = format!(
                "PGXC Node name {name} cluster {cluster} must be defined in ascii order existing node name {last} \
                 cluster {cluster}"
            );
            return Err(SqlError::new("42704", text).into());
        }
        let row = RouteRow {
            node: cut(&node.name),
            kind,
            host: cut(node.host.as_deref().unwrap_or("localhost")),
            port: node.port.unwrap_or(5432),
            forward: node.forward.unwrap_or(0),
            primary: node.primary.unwrap_or(false),
            preferred: node.preferred.unwrap_or(false),
            id: node_id(&node.name),
            cluster: self.cluster.to_string(),
        };
        self.lock_row(id, disk, &node.name)?;
        self.change_routes(id, disk, Change::Route(row), "CREATE NODE", now)
    }

    pub(super) fn drop_node(&mut self, id: SessionId, name: &str, now: Moment) -> Result<Outcome, Stop> {
        let disk = self.lockable(id)?;
        if !self.own_data(id, disk).routes.contains_key(name) {
            return Err(undefined(name));
        }
        if self.home(disk).is_some_and(|home| home.node.as_str() == name) {
            return Err(SqlError::syntax(format!("PGXC Node {name}: cannot drop local node")).into());
        }
        self.lock_row(id, disk, name)?;
        self.change_routes(id, disk, Change::DropRoute(name.to_owned()), "DROP NODE", now)
    }

    fn knows_forward(&self, node: &AlterNode) -> Result<(), Stop> {
        match (self.flavor, node.forward) {
            (Flavor::V2, Some(_)) => Err(SqlError::syntax("incorrect option: forward").into()),
            _ => Ok(()),
        }
    }

    /// The session's disk, if its process can take AccessExclusiveLock, or on v5 change a row at all: a standby cannot (seen
    /// live).
    fn lockable(&self, id: SessionId) -> Result<DiskId, Stop> {
        let disk = self.sessions.get(&id).map(|session| session.disk);
        match disk {
            Some(disk) if self.postgres.get(&disk).is_some_and(super::Postgres::is_master) => Ok(disk),
            _ if self.flavor == Flavor::V5 => {
                Err(SqlError::new("XX000", "cannot assign TransactionIds during recovery").into())
            }
            _ => Err(SqlError::new(
                "55000",
                "cannot acquire lock mode AccessExclusiveLock on database objects while recovery is in progress",
            )
            .hint("Only RowExclusiveLock or less can be acquired on database objects during recovery.")
            .into()),
        }
    }

    /// Live: an open transaction that has altered the same row is waited for, on v2.6 also one that has read pgxc_node; there
    /// new logins queue behind the one that waits. On v5 the row that has changed meanwhile is an error.
    fn lock_row(&mut self, id: SessionId, disk: DiskId, node: &str) -> Result<(), Stop> {
        let blocks = |other: &super::Session| {
            other.disk == disk
                && other.transaction.as_ref().is_some_and(|open| {
                    open.read_routes && self.flavor == Flavor::V2
                        || open.local.iter().any(|change| match change {
                            Change::Route(row) => row.node == node,
                            Change::DropRoute(dropped) => dropped == node,
                            _ => false,
                        })
                })
        };
        let blocked = self.sessions.iter().any(|(other, session)| *other != id && blocks(session));
        if self.flavor == Flavor::V5 {
            return self.lock_row_of_v5(id, disk, node, blocked);
        }
        let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) else {
            return Err(SqlError::fatal("57P01", "terminating connection due to administrator command").into());
        };
        if blocked || process.routes_read_by_fault {
            process.alters_waiting.insert(id);
            return Err(Wait::Lock.into());
        }
        process.alters_waiting.remove(&id);
        Ok(())
    }

    fn lock_row_of_v5(&mut self, id: SessionId, disk: DiskId, node: &str, blocked: bool) -> Result<(), Stop> {
        let now = self.postgres.get(&disk).and_then(|copy| copy.data.routes.get(node).cloned());
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        if blocked {
            session.waits_for_row = session.waits_for_row.take().or(now);
            return Err(Wait::Lock.into());
        }
        match session.waits_for_row.take() {
            Some(before) if now.as_ref() != Some(&before) => {
                Err(SqlError::new("XX000", "tuple concurrently updated").into())
            }
            _ => Ok(()),
        }
    }

    fn change_routes(
        &mut self,
        id: SessionId,
        disk: DiskId,
        change: Change,
        tag: &'static str,
        now: Moment,
    ) -> Result<Outcome, Stop> {
        let open = self.sessions.get_mut(&id).and_then(|session| session.transaction.as_mut());
        if let Some(transaction) = open {
            transaction.local.push(change);
            return Ok(Outcome::done(tag));
        }
        let sync = self.write_local(id, disk, vec![change], now)?;
        Ok(Outcome { sync, ..Outcome::done(tag) })
    }

    /// The node's data as this session sees it: with its own uncommitted changes.
    pub(super) fn own_data(&self, id: SessionId, disk: DiskId) -> Data {
        let mut data = Data::default();
        if let Some(copy) = self.postgres.get(&disk) {
            data.routes = std::sync::Arc::clone(&copy.data.routes);
            data.prepared.clone_from(&copy.data.prepared);
        }
        let open = self.sessions.get(&id).and_then(|session| session.transaction.as_ref());
        for change in open.iter().flat_map(|transaction| &transaction.local) {
            data.apply(change);
        }
        data
    }
}

fn undefined(name: &str) -> Stop {
    SqlError::new("42704", format!("PGXC Node {name}: object not defined")).into()
}

/// Names and hosts are cut to 63 bytes without a word (opentenbase-v2.6-live.md, "Routes and poolers").
fn cut(text: &str) -> String {
    let mut end = text.len().min(63);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
