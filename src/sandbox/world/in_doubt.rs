//! Two-phase transactions in doubt, and what pg_clean makes of them (contrib/pg_clean/pg_clean.c; seen live on v2.6).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sandbox::Flavor;
use crate::sandbox::moment::Moment;
use crate::sandbox::sql::{SqlError, Value};

use super::World;
use super::data::{Change, Prepared};
use super::instance::DiskId;
use super::session::SessionId;
use super::wal::Body;

/// How old a transaction is that a fault leaves in doubt.
const OLD: Duration = Duration::from_secs(60);

/// The outcome of a transaction on its other participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    Committed,
    Aborted,
    Prepared,
    /// Prepared, and the session of the coordinator lives: it is slow.
    Slow,
    /// The other participant is not a node of this cluster: the outcome is not known.
    Unknown,
    /// No other participant: a client prepared it on this node.
    Client,
}

/// A session that is in the middle of a commit over several nodes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Committing {
    pub(super) coordinator: DiskId,
    pub(super) xid: i64,
    /// It ends with its server.
    pub(super) begun: Moment,
}

/// pg_clean's word for what became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Initial,
    Prepared,
    Committed,
    Aborted,
    Unknown,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Initial => "TXN_STATUS_INITIAL",
            Self::Prepared => "TXN_STATUS_PREPARED",
            Self::Committed => "TXN_STATUS_COMMITTED",
            Self::Aborted => "TXN_STATUS_ABORTED",
            Self::Unknown => "TXN_STATUS_UNKNOWN",
        }
    }

    fn operation(self) -> &'static str {
        match self {
            Self::Committed => "COMMIT",
            Self::Aborted => "ABORT",
            Self::Initial | Self::Prepared | Self::Unknown => "UNDO",
        }
    }
}

/// One transaction as pg_clean collects it.
struct Collected {
    prepared: Prepared,
    on: Vec<DiskId>,
    /// By node, for every node that the coordinator knows.
    states: Vec<(String, Status)>,
    global: Status,
}

impl World {
    /// A commit over `disk`'s node and another datanode is cut in half, or a client has prepared something here.
    pub fn leave_in_doubt(&mut self, disk: DiskId, elsewhere: Elsewhere, now: Moment) -> bool {
        let Some(own) = self.postgres.get(&disk).filter(|copy| copy.is_master()) else { return false };
        let node = own.home.node.to_string();
        let other = own.data.datanodes().into_iter().find(|other| *other != node).unwrap_or_default();
        let number = own.wal.len();
        let (gid, participants) = match elsewhere {
            Elsewhere::Client => (format!("client-{number}"), vec![node]),
            Elsewhere::Unknown => (format!("_$XC${number}:cn01:F:2:0"), vec![node, "gone".to_owned()]),
            _ => (format!("_$XC${number}:cn01:F:2:0"), vec![node, other.clone()]),
        };
        let at = now.before(OLD);
        let prepared =
            Prepared { gid: gid.clone(), at, owner: self.user.clone(), database: "postgres".into(), participants };
        let cn01 = crate::model::NodeName::new("cn01").ok().and_then(|cn01| self.master(&cn01));
        if let (Elsewhere::Slow, Some(coordinator), Ok(xid)) = (elsewhere, cn01, i64::try_from(number)) {
            self.committing.insert(gid.clone(), Committing { coordinator, xid, begun: now });
        }
        let there = match elsewhere {
            Elsewhere::Committed => Some(Change::FinishPrepared { gid, committed: Some(true) }),
            Elsewhere::Aborted => Some(Change::FinishPrepared { gid, committed: Some(false) }),
            Elsewhere::Prepared | Elsewhere::Slow => Some(Change::Prepare(prepared.clone())),
            Elsewhere::Unknown | Elsewhere::Client => None,
        };
        let place = crate::model::NodeName::new(other).ok().and_then(|other| self.master(&other));
        match (there, place) {
            (Some(change), Some(place)) => self.append(place, Body::Commit(vec![change]), now),
            (Some(_), None) => return false,
            (None, _) => {}
        }
        self.append(disk, Body::Commit(vec![Change::Prepare(prepared)]), now);
        self.settle(now);
        true
    }

    /// pg_clean_check_txn, and with `execute` pg_clean_execute.
    pub(super) fn pg_clean(
        &mut self,
        session: SessionId,
        coordinator: DiskId,
        seconds: i64,
        execute: bool,
        now: Moment,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        if !self.has_pg_clean {
            let name = if execute { "pg_clean_execute" } else { "pg_clean_check_txn" };
            return Err(SqlError::no_function(&format!("{name}(integer)")));
        }
        let copy = self.postgres.get(&coordinator);
        let Some(copy) = copy.filter(|copy| copy.home.kind == crate::model::NodeKind::Coordinator) else {
            return Err(SqlError::new("XX000", "can only called on coordinator"));
        };
        let routes = copy.data.routes.clone();
        let nodes: Vec<String> =
            routes.values().filter(|row| matches!(row.kind, 'C' | 'D')).map(|row| row.node.clone()).collect();
        // A node that does not answer is not asked again; of it nothing is known.
        let places: Vec<(String, Option<DiskId>)> =
            nodes.into_iter().map(|node| (node.clone(), self.pooled(session, coordinator, &node).ok())).collect();
        let least = if self.flavor == Flavor::V5 { 10 } else { 3 };
        let age = Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(least));
        let mut rows = Vec::new();
        for one in self.collect(&places, age, now) {
            let states: Vec<String> =
                one.states.iter().map(|(node, state)| format!("{node:<12}:{}", state.word())).collect();
            let (gid, global) = (Value::text(&one.prepared.gid), Value::text(one.global.word()));
            if !execute {
                rows.push(vec![gid, Value::text(&one.prepared.database), global, Value::Text(states.join("\n"))]);
                continue;
            }
            self.finish_everywhere(&one, now);
            rows.push(vec![gid, global, Value::text(one.global.operation()), Value::text("success")]);
        }
        Ok(rows)
    }

    fn collect(&self, places: &[(String, Option<DiskId>)], age: Duration, now: Moment) -> Vec<Collected> {
        let mut found: BTreeMap<String, (Prepared, Vec<DiskId>)> = BTreeMap::new();
        for disk in places.iter().filter_map(|(_, disk)| *disk) {
            let held = self.postgres.get(&disk).into_iter().flat_map(|copy| copy.data.prepared.values());
            for prepared in held.filter(|prepared| prepared.at <= now.before(age)) {
                found.entry(prepared.gid.clone()).or_insert_with(|| (prepared.clone(), Vec::new())).1.push(disk);
            }
        }
        let collect = |(prepared, on): (Prepared, Vec<DiskId>)| {
            let states: Vec<_> =
                places.iter().map(|(node, disk)| (node.clone(), self.state_on(&prepared, node, *disk))).collect();
            let is = |status| states.iter().any(|(_, state)| *state == status);
            let known = |node: &String| states.iter().any(|(name, state)| name == node && *state != Status::Unknown);
            let global = match () {
                () if is(Status::Committed) => Status::Committed,
                () if is(Status::Aborted) => Status::Aborted,
                // Prepared everywhere and not decided, or a client's: pg_clean rolls it back (seen live).
                () if prepared.participants.iter().all(known) => Status::Aborted,
                () => Status::Unknown,
            };
            Collected { prepared, on, states, global }
        };
        found.into_values().map(collect).collect()
    }

    fn state_on(&self, prepared: &Prepared, node: &str, disk: Option<DiskId>) -> Status {
        let takes_part = prepared.participants.iter().any(|participant| participant == node);
        let Some(data) = disk.and_then(|disk| self.postgres.get(&disk)).map(|copy| &copy.data) else {
            return if takes_part { Status::Unknown } else { Status::Initial };
        };
        match data.finished.get(&prepared.gid) {
            Some(true) => Status::Committed,
            Some(false) => Status::Aborted,
            None if data.prepared.contains_key(&prepared.gid) => Status::Prepared,
            None => Status::Initial,
        }
    }

    fn finish_everywhere(&mut self, one: &Collected, now: Moment) {
        let committed = match one.global {
            Status::Committed => true,
            Status::Aborted => false,
            Status::Initial | Status::Prepared | Status::Unknown => return,
        };
        for disk in &one.on {
            let finish = Change::FinishPrepared { gid: one.prepared.gid.clone(), committed: Some(committed) };
            self.append(*disk, Body::Commit(vec![finish]), now);
        }
        self.settle(now);
    }
}
