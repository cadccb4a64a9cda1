//! The SQL that the sandbox understands: text → [`Statement`], and evaluation over relations.
//! Pure: what a name or function means is asked of a [`Context`], which the world implements.

mod aggregate;
mod command;
mod convert;
mod convert_query;
mod error;
mod eval;
mod functions;
mod parse;
mod select;
mod statement;
mod tokens;
mod value;

pub use error::{Severity, SqlError};
pub use eval::{Context, evaluate};
pub use functions::{Signature, signature};
pub use parse::{parse, split};
pub use select::{describe, describe_items, select};
pub use statement::{
    AlterNode, Call, CreateTable, Expr, From, Insert, Item, Operator, Order, Query, Source, Statement,
};
pub use value::{Column, Kind, Relation, Value};
