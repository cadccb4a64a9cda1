//! What WAL records change: the shared catalog pgxc_node, user tables, prepared transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sandbox::moment::Moment;
use crate::sandbox::sql::{Kind, Value};

/// One row of pgxc_node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteRow {
    pub node: String,
    /// `C`, `D`, `G` or `S`.
    pub kind: char,
    pub host: String,
    pub port: u16,
    /// v5's node_forward_port; 0: none was ever given.
    pub forward: u16,
    pub primary: bool,
    pub preferred: bool,
    pub id: i32,
    pub cluster: String,
}

/// The rows of pgxc_node by node name. Copies share them until one changes: N routers hold N rows each.
pub(super) type Routes = Arc<BTreeMap<Arc<str>, Arc<RouteRow>>>;

/// A change that a commit record carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The table as initdb and CREATE NODE left it.
    FirstRoutes(Routes),
    Route(RouteRow),
    DropRoute(String),
    CreateTable(Box<Table>),
    DropTable(String),
    Put {
        table: String,
        key: i64,
        row: Vec<Value>,
    },
    Remove {
        table: String,
        key: i64,
    },
    Prepare(Prepared),
    /// `committed`: the outcome, for later queries of this node; `None` means that it is forgotten.
    FinishPrepared {
        gid: String,
        committed: Option<bool>,
    },
}

/// A two-phase transaction in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub gid: String,
    pub at: Moment,
    pub owner: String,
    pub database: String,
    /// The nodes that take part.
    pub participants: Vec<String>,
}

/// A user table: on coordinators its definition, on datanodes its rows too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<(String, Kind)>,
    pub primary_key: Option<usize>,
    /// The column whose value decides the datanode.
    pub shard_by: usize,
    /// The datanodes it is spread over, in shard order.
    pub nodes: Vec<String>,
    /// By primary key, or by a running number.
    pub rows: BTreeMap<i64, Vec<Value>>,
}

impl Table {
    /// The datanode that holds rows with this distribution value.
    pub fn node_of(&self, value: &Value) -> Option<&str> {
        let shard = match value {
            Value::Int(n) => n.unsigned_abs(),
            other => hash(other.to_text().unwrap_or_default().as_bytes()).into(),
        };
        let count = u64::try_from(self.nodes.len()).ok().filter(|count| *count > 0)?;
        self.nodes.get(usize::try_from(shard % count).ok()?).map(String::as_str)
    }
}

/// FNV-1a: stable, so that rows and node ids are the same in each run.
pub(super) fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Everything that replay builds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    pub routes: Routes,
    pub tables: BTreeMap<String, Table>,
    pub prepared: BTreeMap<String, Prepared>,
    /// Whether two-phase transactions that are over were committed here, by gid.
    pub finished: BTreeMap<String, bool>,
}

impl Data {
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::FirstRoutes(routes) => self.routes = Arc::clone(routes),
            Change::Route(row) => {
                Arc::make_mut(&mut self.routes).insert(row.node.as_str().into(), Arc::new(row.clone()));
            }
            Change::DropRoute(node) => {
                Arc::make_mut(&mut self.routes).remove(node.as_str());
            }
            Change::CreateTable(table) => {
                self.tables.insert(table.name.clone(), (**table).clone());
            }
            Change::DropTable(name) => {
                self.tables.remove(name);
            }
            Change::Put { table, key, row } => {
                if let Some(table) = self.tables.get_mut(table) {
                    table.rows.insert(*key, row.clone());
                }
            }
            Change::Remove { table, key } => {
                if let Some(table) = self.tables.get_mut(table) {
                    table.rows.remove(key);
                }
            }
            Change::Prepare(prepared) => {
                self.prepared.insert(prepared.gid.clone(), prepared.clone());
            }
            Change::FinishPrepared { gid, committed } => {
                self.prepared.remove(gid);
                self.finished.extend(committed.map(|committed| (gid.clone(), committed)));
            }
        }
    }

    /// The one GTM row.
    pub fn gtm_route(&self) -> Option<&RouteRow> {
        self.routes.values().map(Arc::as_ref).find(|row| row.kind == 'G')
    }

    /// Datanode names in the order of their shards.
    pub fn datanodes(&self) -> Vec<String> {
        self.routes.values().filter(|row| row.kind == 'D').map(|row| row.node.clone()).collect()
    }
}
