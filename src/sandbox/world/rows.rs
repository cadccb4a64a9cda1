//! User tables: defined on every node, their rows sharded over the datanodes. Enough for a steady writer
//! and for proving that no committed row is lost.

use crate::model::NodeKind;
use crate::sandbox::Flavor;
use crate::sandbox::moment::Moment;
use crate::sandbox::sql::{Column, CreateTable, Expr, Kind, Operator, Relation, SqlError, Value};

use super::World;
use super::answer::{Answer, Outcome, Stop};
use super::data::{Change, Table};
use super::instance::DiskId;
use super::session::{SessionId, Write};

/// A row and where it lies.
pub(super) struct Held {
    pub disk: DiskId,
    pub key: i64,
    pub row: Vec<Value>,
}

impl Table {
    pub(super) fn relation_columns(&self) -> Vec<Column> {
        self.columns.iter().map(|(name, kind)| Column::new(name.clone(), *kind)).collect()
    }

    pub(super) fn column(&self, name: &str) -> Result<usize, SqlError> {
        let index = self.columns.iter().position(|(column, _)| column == name);
        index.ok_or_else(|| {
            SqlError::new("42703", format!("column \"{name}\" of relation \"{}\" does not exist", self.name))
        })
    }

    /// The value that `filter` pins the distribution column to, if it does: then one datanode is enough.
    pub(super) fn pinned<'f>(&self, filter: Option<&'f Expr>) -> Option<&'f Expr> {
        let (shard, _) = self.columns.get(self.shard_by)?;
        match filter? {
            Expr::Binary(left, Operator::And, right) => self.pinned(Some(left)).or_else(|| self.pinned(Some(right))),
            Expr::Binary(left, Operator::Equal, right) => match (&**left, &**right) {
                (Expr::Column(name), value) | (value, Expr::Column(name)) if name == shard && is_constant(value) => {
                    Some(value)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) | Expr::Param(_) => true,
        Expr::Cast(inner, _) | Expr::Negate(inner) => is_constant(inner),
        _ => false,
    }
}

/// Fits a value into a column.
pub(super) fn fit(value: &Value, kind: Kind) -> Result<Value, SqlError> {
    let value = value.cast(kind)?;
    match (&value, kind) {
        (Value::Int(n), Kind::Int4) if i32::try_from(*n).is_err() => {
            Err(SqlError::new("22003", "integer out of range"))
        }
        _ => Ok(value),
    }
}

impl World {
    /// The definition of a user table as a node knows it, without its rows.
    pub(super) fn table(&self, disk: DiskId, name: &str) -> Result<Table, SqlError> {
        let table = self.postgres.get(&disk).and_then(|copy| copy.data.tables.get(name));
        let table = table.ok_or_else(|| SqlError::no_relation(name))?;
        Ok(Table {
            name: table.name.clone(),
            columns: table.columns.clone(),
            primary_key: table.primary_key,
            shard_by: table.shard_by,
            nodes: table.nodes.clone(),
            rows: std::collections::BTreeMap::new(),
        })
    }

    /// The processes that hold a table's rows, seen from `disk`: through the pooler from a coordinator.
    pub(super) fn places(
        &mut self,
        id: SessionId,
        disk: DiskId,
        table: &Table,
        only: Option<&str>,
    ) -> Result<Vec<DiskId>, Stop> {
        let coordinator = self.home(disk).is_some_and(|home| home.kind == NodeKind::Coordinator);
        if !coordinator {
            return Ok(vec![disk]);
        }
        let wanted = table.nodes.iter().filter(|node| only.is_none_or(|only| only == node.as_str()));
        wanted.map(|node| self.pooled(id, disk, node)).collect()
    }

    /// Every row of a table that `only` may hold, with the session's own uncommitted changes.
    pub(super) fn held(
        &mut self,
        id: SessionId,
        disk: DiskId,
        table: &Table,
        only: Option<&str>,
    ) -> Result<Vec<Held>, Stop> {
        let mut held = Vec::new();
        for place in self.places(id, disk, table, only)? {
            let copy = self.postgres.get(&place);
            let there = copy.and_then(|copy| copy.data.tables.get(&table.name));
            let mut rows = there.ok_or_else(|| SqlError::no_relation(&table.name))?.rows.clone();
            let open = self.sessions.get(&id).and_then(|session| session.transaction.as_ref());
            for write in open.iter().flat_map(|open| &open.remote).filter(|write| write.disk == place) {
                match &write.change {
                    Change::Put { table: name, key, row } if *name == table.name => {
                        rows.insert(*key, row.clone());
                    }
                    Change::Remove { table: name, key } if *name == table.name => {
                        rows.remove(key);
                    }
                    _ => {}
                }
            }
            held.extend(rows.into_iter().map(|(key, row)| Held { disk: place, key, row }));
        }
        Ok(held)
    }

    pub(super) fn read_rows(
        &mut self,
        id: SessionId,
        disk: DiskId,
        name: &str,
        pin: Option<&Value>,
    ) -> Result<Relation, Stop> {
        let table = self.table(disk, name)?;
        let only = pin.and_then(|value| table.node_of(value)).map(str::to_owned);
        let rows = self.held(id, disk, &table, only.as_deref())?.into_iter().map(|held| held.row).collect();
        Ok(Relation { columns: table.relation_columns(), rows })
    }

    pub(super) fn create_table(
        &mut self,
        id: SessionId,
        disk: DiskId,
        create: &CreateTable,
        now: Moment,
    ) -> Result<Outcome, Stop> {
        if self.table(disk, &create.name).is_ok() {
            let text = format!("relation \"{}\" already exists", create.name);
            if create.if_not_exists {
                let warnings = vec![format!("{text}, skipping")];
                return Ok(Outcome { warnings, ..Outcome::done("CREATE TABLE") });
            }
            return Err(SqlError::new("42P07", text).into());
        }
        let nodes = self.postgres.get(&disk).map(|copy| copy.data.datanodes()).unwrap_or_default();
        let mut table = Table {
            name: create.name.clone(),
            columns: create.columns.clone(),
            primary_key: create.primary_key,
            shard_by: 0,
            nodes,
            rows: std::collections::BTreeMap::new(),
        };
        if let Some(column) = &create.shard_by {
            table.shard_by = table.column(column)?;
        }
        self.everywhere(id, disk, &Change::CreateTable(Box::new(table)), "CREATE TABLE", now)
    }

    pub(super) fn drop_table(
        &mut self,
        id: SessionId,
        disk: DiskId,
        name: &str,
        if_exists: bool,
        now: Moment,
    ) -> Result<Outcome, Stop> {
        if self.table(disk, name).is_ok() {
            self.use_table(id, disk, name)?;
        } else {
            if if_exists {
                let warnings = vec![format!("table \"{name}\" does not exist, skipping")];
                return Ok(Outcome { warnings, ..Outcome::done("DROP TABLE") });
            }
            return Err(SqlError::new("42P01", format!("table \"{name}\" does not exist")).into());
        }
        self.everywhere(id, disk, &Change::DropTable(name.to_owned()), "DROP TABLE", now)
    }

    /// DDL runs on every coordinator and datanode, or nowhere.
    fn everywhere(
        &mut self,
        id: SessionId,
        disk: DiskId,
        change: &Change,
        tag: &'static str,
        now: Moment,
    ) -> Result<Outcome, Stop> {
        if self.home(disk).is_none_or(|home| home.kind != NodeKind::Coordinator) {
            return Err(SqlError::unsupported("DDL through a datanode").into());
        }
        let routes = self.postgres.get(&disk).map(|copy| copy.data.routes.clone()).unwrap_or_default();
        let mut writes = Vec::new();
        for row in routes.values().filter(|row| matches!(row.kind, 'C' | 'D')) {
            let place = self.pooled(id, disk, &row.node)?;
            writes.push(self.write_at(place, change.clone(), tag)?);
        }
        self.finish(id, writes, tag, None, now)
    }

    /// A change for the process on `place`, if that is a master.
    pub(super) fn write_at(&self, place: DiskId, change: Change, tag: &str) -> Result<Write, SqlError> {
        let copy = self.postgres.get(&place);
        match copy.and_then(|copy| copy.process.as_ref().map(|process| (copy, process))) {
            Some((_, process)) if process.is_master() => {
                Ok(Write { disk: place, process_started: process.started, change })
            }
            Some((copy, process)) => {
                let (node, pid) = (&copy.home.node, process.pid);
                let why = format!("cannot execute {tag} in a read-only transaction");
                // The pooler led to a standby (opentenbase-v2.6-live.md, "Routes and poolers"); live texts.
                Err(SqlError::new(
                    "25006",
                    match self.flavor {
                        Flavor::V2 => {
                            format!("node:{node}, backend_pid:{pid}, nodename:{node},backend_pid:{pid},message:{why}")
                        }
                        Flavor::V5 => why,
                    },
                ))
            }
            None => Err(SqlError::new("08006", "the datanode's process is gone")),
        }
    }

    /// Keeps the writes for the open transaction's commit, or commits them now.
    pub(super) fn finish(
        &mut self,
        id: SessionId,
        writes: Vec<Write>,
        tag: &'static str,
        rows: Option<usize>,
        now: Moment,
    ) -> Result<Outcome, Stop> {
        let answer = Outcome::ok(Answer::Done { tag, rows });
        let open = self.sessions.get_mut(&id).and_then(|session| session.transaction.as_mut());
        if let Some(transaction) = open {
            transaction.remote.extend(writes);
            return Ok(answer);
        }
        let sync = self.write_remote(id, writes, now)?;
        Ok(Outcome { sync, ..answer })
    }
}
