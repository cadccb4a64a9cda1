//! Parameter types of a prepared statement, and the values a client binds.

use pgwire::api::Type;
use pgwire::api::portal::Portal;
use pgwire::error::PgWireError;

use crate::sandbox::sql::{Column, Expr, Kind, Query, Source, Statement, Value};

/// The kind each parameter has by where it stands; text where that says nothing.
pub(super) fn parameter_kinds(statement: &Statement, columns: &dyn Fn(&str) -> Vec<Column>) -> Vec<Kind> {
    let mut kinds = Kinds::default();
    match statement {
        Statement::Select(query) => kinds.query(query, columns),
        Statement::Insert(insert) => {
            let table = columns(&insert.table);
            let targets: Vec<Kind> = if insert.columns.is_empty() {
                table.iter().map(|column| column.kind).collect()
            } else {
                insert.columns.iter().map(|name| kind_of(&table, name)).collect()
            };
            match &insert.source {
                Source::Values(rows) => {
                    for row in rows {
                        for (expr, kind) in row.iter().zip(&targets) {
                            kinds.walk(expr, &table, *kind);
                        }
                    }
                }
                Source::Query(query) => kinds.query(query, columns),
            }
        }
        Statement::Update { table, set, filter } => {
            let table = columns(table);
            for (name, expr) in set {
                kinds.walk(expr, &table, kind_of(&table, name));
            }
            if let Some(filter) = filter {
                kinds.walk(filter, &table, Kind::Bool);
            }
        }
        Statement::Delete { table, filter } => {
            let table = columns(table);
            if let Some(filter) = filter {
                kinds.walk(filter, &table, Kind::Bool);
            }
        }
        Statement::Values(rows) => {
            rows.iter().flatten().for_each(|expr| kinds.walk(expr, &[], Kind::Text));
        }
        _ => {}
    }
    kinds.0.into_iter().map(|kind| kind.unwrap_or(Kind::Text)).collect()
}

fn kind_of(columns: &[Column], name: &str) -> Kind {
    columns.iter().find(|column| column.name == name).map_or(Kind::Text, |column| column.kind)
}

#[derive(Default)]
struct Kinds(Vec<Option<Kind>>);

impl Kinds {
    fn query(&mut self, query: &Query, columns: &dyn Fn(&str) -> Vec<Column>) {
        let source = match &query.from {
            Some(crate::sandbox::sql::From::Table { name }) => columns(name),
            Some(crate::sandbox::sql::From::Function { args, .. }) => {
                for arg in args {
                    self.walk(arg, &[], Kind::Int8);
                }
                Vec::new()
            }
            Some(crate::sandbox::sql::From::Query { query }) => {
                self.query(query, columns);
                Vec::new()
            }
            None => Vec::new(),
        };
        for item in &query.items {
            if let crate::sandbox::sql::Item::Expr { expr, .. } = item {
                self.walk(expr, &source, Kind::Text);
            }
        }
        if let Some(filter) = &query.filter {
            self.walk(filter, &source, Kind::Bool);
        }
        query.limit.iter().chain(&query.offset).for_each(|limit| self.walk(limit, &source, Kind::Int8));
    }

    /// Notes the parameters of `expr`, which is expected to be of `kind`.
    fn walk(&mut self, expr: &Expr, columns: &[Column], kind: Kind) {
        match expr {
            Expr::Param(index) => {
                if self.0.len() <= *index {
                    self.0.resize(index + 1, None);
                }
                self.0[*index].get_or_insert(kind);
            }
            Expr::Cast(inner, to) => self.walk(inner, columns, *to),
            Expr::Not(inner) | Expr::IsNull(inner) | Expr::IsTrue(inner, _) => self.walk(inner, columns, Kind::Bool),
            Expr::Negate(inner) => self.walk(inner, columns, Kind::Int8),
            Expr::Binary(left, _, right) => {
                let (left_kind, right_kind) = (side(left, columns), side(right, columns));
                self.walk(left, columns, right_kind.unwrap_or(kind));
                self.walk(right, columns, left_kind.unwrap_or(kind));
            }
            Expr::In(inner, list) => {
                let kind = side(inner, columns).unwrap_or(Kind::Text);
                for item in list {
                    self.walk(item, columns, kind);
                }
            }
            Expr::Like { expr, pattern, .. } => {
                self.walk(expr, columns, Kind::Text);
                self.walk(pattern, columns, Kind::Text);
            }
            Expr::Between(a, b, c) => {
                let kind = side(a, columns).unwrap_or(Kind::Text);
                for part in [a, b, c] {
                    self.walk(part, columns, kind);
                }
            }
            Expr::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    self.walk(condition, columns, Kind::Bool);
                    self.walk(result, columns, kind);
                }
                if let Some(other) = otherwise {
                    self.walk(other, columns, kind);
                }
            }
            Expr::Call(call) => call.args.iter().for_each(|arg| {
                let kind = if call.name.contains("advisory") { Kind::Int8 } else { Kind::Text };
                self.walk(arg, columns, kind);
            }),
            Expr::Literal(_) | Expr::Column(_) | Expr::Subquery(_) | Expr::Exists(_) | Expr::InQuery(..) => {}
        }
    }
}

/// The kind an operand has by itself.
fn side(expr: &Expr, columns: &[Column]) -> Option<Kind> {
    match expr {
        Expr::Column(name) => columns.iter().find(|column| column.name == *name).map(|column| column.kind),
        Expr::Cast(_, kind) => Some(*kind),
        Expr::Literal(Value::Int(_)) => Some(Kind::Int8),
        Expr::Literal(Value::Text(_)) => Some(Kind::Text),
        Expr::Literal(Value::Bool(_)) => Some(Kind::Bool),
        _ => None,
    }
}

/// The values a portal was bound with.
pub(super) fn bound<S: Clone>(portal: &Portal<S>, kinds: &[Kind]) -> Result<Vec<Value>, PgWireError> {
    let types = &portal.statement.parameter_types;
    let value = |(index, bytes): (usize, &Option<_>)| {
        let Some(bytes) = bytes else { return Ok(Value::Null) };
        let bytes: &[u8] = AsRef::<[u8]>::as_ref(bytes);
        let is_text = match &portal.parameter_format {
            pgwire::api::portal::Format::Individual(codes) => codes.get(index).is_none_or(|code| *code == 0),
            pgwire::api::portal::Format::UnifiedText => true,
            pgwire::api::portal::Format::UnifiedBinary => false,
        };
        let declared = types.get(index).cloned().flatten().filter(|kind| *kind != Type::UNKNOWN);
        let oid = declared.map_or_else(|| kinds.get(index).map_or(25, |kind| kind.oid()), |kind| kind.oid());
        let read = if is_text { text(bytes, oid) } else { binary(bytes, oid) };
        read.ok_or_else(|| PgWireError::InvalidRustTypeForParameter(format!("oid {oid}")))
    };
    portal.parameters.iter().enumerate().map(value).collect()
}

fn text(bytes: &[u8], oid: u32) -> Option<Value> {
    let value = Value::text(std::str::from_utf8(bytes).ok()?);
    match oid {
        16 => value.cast(Kind::Bool).ok(),
        20 | 21 | 23 | 26 | 1700 => value.cast(Kind::Int8).ok(),
        3220 => value.cast(Kind::Lsn).ok(),
        _ => Some(value),
    }
}

fn binary(bytes: &[u8], oid: u32) -> Option<Value> {
    match oid {
        16 => Some(Value::Bool(*bytes.first()? != 0)),
        18 => Some(Value::text(char::from(*bytes.first()?).to_string())),
        19 | 25 | 1042 | 1043 | 705 => Some(Value::text(std::str::from_utf8(bytes).ok()?)),
        20 => bytes.try_into().ok().map(i64::from_be_bytes).map(Value::Int),
        21 => bytes.try_into().ok().map(i16::from_be_bytes).map(|n| Value::Int(n.into())),
        23 => bytes.try_into().ok().map(i32::from_be_bytes).map(|n| Value::Int(n.into())),
        26 | 28 => bytes.try_into().ok().map(u32::from_be_bytes).map(|n| Value::Int(n.into())),
        3220 => bytes.try_into().ok().map(u64::from_be_bytes).map(|lsn| Value::Lsn(crate::model::Lsn(lsn))),
        _ => None,
    }
}
