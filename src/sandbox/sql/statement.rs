//! Statements as the sandbox understands them: small enough to match exhaustively.

use super::{Kind, Value};

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    Select(Box<Query>),
    Values(Vec<Vec<Expr>>),
    Show(String),
    Set {
        name: String,
        value: Option<String>,
        /// Until the end of the transaction.
        local: bool,
    },
    /// LOCK TABLE … IN ACCESS EXCLUSIVE MODE.
    Lock(Vec<String>),
    Begin,
    Commit,
    Rollback,
    Checkpoint,
    Discard,
    AlterNode(AlterNode),
    CreateNode(AlterNode),
    DropNode(String),
    ExecuteDirect {
        node: String,
        sql: String,
    },
    CreateTable(CreateTable),
    DropTable {
        name: String,
        if_exists: bool,
    },
    Insert(Insert),
    Update {
        table: String,
        set: Vec<(String, Expr)>,
        filter: Option<Expr>,
    },
    Delete {
        table: String,
        filter: Option<Expr>,
    },
    /// Replication protocol.
    IdentifySystem,
    TimelineHistory(u32),
}

impl Statement {
    /// The command tag's first words.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Select(_) | Self::Values(_) | Self::IdentifySystem | Self::TimelineHistory(_) => "SELECT",
            Self::Show(_) => "SHOW",
            Self::Set { .. } => "SET",
            Self::Lock(_) => "LOCK TABLE",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Checkpoint => "CHECKPOINT",
            Self::Discard => "DISCARD ALL",
            // v2.6 says ALTER NODE for ALTER GTM NODE too (seen live).
            Self::AlterNode(_) => "ALTER NODE",
            Self::CreateNode(_) => "CREATE NODE",
            Self::DropNode(_) => "DROP NODE",
            Self::ExecuteDirect { .. } => "EXECUTE DIRECT",
            Self::CreateTable(_) => "CREATE TABLE",
            Self::DropTable { .. } => "DROP TABLE",
            Self::Insert(_) => "INSERT",
            Self::Update { .. } => "UPDATE",
            Self::Delete { .. } => "DELETE",
        }
    }

    /// Whether it changes rows or tables (what a read-only transaction refuses by its tag).
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::Insert(_) | Self::Update { .. } | Self::Delete { .. } | Self::CreateTable(_) | Self::DropTable { .. }
        )
    }
}

/// ALTER NODE, ALTER GTM NODE and CREATE NODE: what is not given keeps its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlterNode {
    pub name: String,
    /// ALTER GTM NODE.
    pub gtm: bool,
    pub host: Option<String>,
    pub port: Option<u16>,
    /// v5 only.
    pub forward: Option<u16>,
    pub primary: Option<bool>,
    pub preferred: Option<bool>,
    /// CREATE NODE's `type`: coordinator, datanode.
    pub kind: Option<String>,
}

/// CREATE TABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    pub name: String,
    pub if_not_exists: bool,
    pub columns: Vec<(String, Kind)>,
    /// Index of the single-column primary key.
    pub primary_key: Option<usize>,
    /// The column rows are distributed by; the first one if none was named.
    pub shard_by: Option<String>,
}

/// INSERT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    pub table: String,
    pub columns: Vec<String>,
    pub source: Source,
    /// ON CONFLICT DO NOTHING.
    pub skip_conflicts: bool,
}

/// The source of inserted rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Values(Vec<Vec<Expr>>),
    Query(Box<Query>),
}

/// SELECT over one relation or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub items: Vec<Item>,
    pub from: Option<From>,
    pub filter: Option<Expr>,
    pub order: Vec<Order>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
    pub distinct: bool,
}

/// One entry of a select list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Star,
    Expr { expr: Expr, name: Option<String> },
}

/// The relation selected from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    Table { name: String },
    Function { name: String, args: Vec<Expr>, alias: Option<String> },
    Query { query: Box<Query> },
}

/// One ORDER BY key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub expr: Expr,
    pub descending: bool,
}

/// A scalar expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    Literal(Value),
    Column(String),
    /// `$1` is 0.
    Param(usize),
    Cast(Box<Expr>, Kind),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    IsNull(Box<Expr>),
    IsTrue(Box<Expr>, bool),
    Binary(Box<Expr>, Operator, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
    InQuery(Box<Expr>, Box<Query>),
    Like {
        expr: Box<Expr>,
        pattern: Box<Expr>,
        fold_case: bool,
    },
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Call(Call),
    Subquery(Box<Query>),
    Exists(Box<Query>),
}

/// A function call; `count(*)` has `star`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub args: Vec<Expr>,
    pub star: bool,
    pub distinct: bool,
    /// ORDER BY inside an aggregate.
    pub order: Vec<Order>,
    pub filter: Option<Box<Expr>>,
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Concat,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}
