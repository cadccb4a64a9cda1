//! Runs a SELECT over one relation: source, filter, aggregate or project, sort, limit.

use super::aggregate::{fold, has_aggregate};
use super::eval::{Context, Scope, eval};
use super::functions::signature;
use super::{Column, Expr, From, Item, Kind, Operator, Order, Query, Relation, SqlError, Value};

/// Runs `query`.
pub fn select(query: &Query, context: &mut dyn Context) -> Result<Relation, SqlError> {
    let source = filter(source(query.from.as_ref(), context)?, query.filter.as_ref(), context)?;
    let columns = describe_items(&query.items, &source.columns, context)?;
    let exprs = expand(&query.items, &source.columns);
    let mut result = if exprs.iter().any(has_aggregate) {
        let mut row = Vec::new();
        for expr in &exprs {
            row.push(eval(&fold(expr, &source, context)?, Scope::EMPTY, context)?);
        }
        Relation { columns, rows: vec![row] }
    } else {
        project(&exprs, columns, &source, &query.order, context)?
    };
    if query.distinct {
        let mut seen = Vec::new();
        result.rows.retain(|row| {
            !seen.contains(row) && {
                seen.push(row.clone());
                true
            }
        });
    }
    limit(&mut result.rows, query, context)?;
    Ok(result)
}

/// The result columns of `query`, without running it.
pub fn describe(query: &Query, context: &mut dyn Context) -> Result<Vec<Column>, SqlError> {
    let source = source_columns(query.from.as_ref(), context)?;
    describe_items(&query.items, &source, context)
}

/// The result columns of a select list over `source`.
pub fn describe_items(items: &[Item], source: &[Column], context: &mut dyn Context) -> Result<Vec<Column>, SqlError> {
    let mut columns = Vec::new();
    for item in items {
        match item {
            Item::Star => columns.extend_from_slice(source),
            Item::Expr { expr, name } => {
                let kind = kind_of(expr, source, context)?;
                let name = match name {
                    Some(name) => name.clone(),
                    None => column_name(expr, context)?,
                };
                columns.push(Column { name, kind });
            }
        }
    }
    Ok(columns)
}

fn source(from: Option<&From>, context: &mut dyn Context) -> Result<Relation, SqlError> {
    match from {
        None => Ok(Relation { columns: Vec::new(), rows: vec![Vec::new()] }),
        Some(From::Table { name }) => context.relation(name),
        Some(From::Query { query }) => select(query, context),
        Some(from @ From::Function { name, args, .. }) => {
            let args = args.iter().map(|arg| eval(arg, Scope::EMPTY, context)).collect::<Result<Vec<_>, _>>()?;
            let rows = context.function_relation(name, &args)?.rows;
            Ok(Relation { columns: source_columns(Some(from), context)?, rows })
        }
    }
}

fn source_columns(from: Option<&From>, context: &mut dyn Context) -> Result<Vec<Column>, SqlError> {
    match from {
        None => Ok(Vec::new()),
        Some(From::Table { name }) => context.columns(name),
        Some(From::Query { query }) => describe(query, context),
        Some(From::Function { name, alias, .. }) => {
            let mut columns = context.function_columns(name)?;
            // A function with one column is called by its alias: generate_series(1, 3) i.
            if let ([only], Some(alias)) = (columns.as_mut_slice(), alias) {
                only.name.clone_from(alias);
            }
            Ok(columns)
        }
    }
}

fn filter(mut source: Relation, filter: Option<&Expr>, context: &mut dyn Context) -> Result<Relation, SqlError> {
    let Some(filter) = filter else { return Ok(source) };
    let mut rows = Vec::new();
    for row in source.rows {
        if eval(filter, Scope { columns: &source.columns, values: &row }, context)?.is_true() {
            rows.push(row);
        }
    }
    source.rows = rows;
    Ok(source)
}

fn expand(items: &[Item], source: &[Column]) -> Vec<Expr> {
    let mut exprs = Vec::new();
    for item in items {
        match item {
            Item::Star => exprs.extend(source.iter().map(|column| Expr::Column(column.name.clone()))),
            Item::Expr { expr, .. } => exprs.push(expr.clone()),
        }
    }
    exprs
}

fn project(
    exprs: &[Expr],
    columns: Vec<Column>,
    source: &Relation,
    order: &[Order],
    context: &mut dyn Context,
) -> Result<Relation, SqlError> {
    let mut keyed = Vec::new();
    let exprs = if source.rows.is_empty() { exprs.to_vec() } else { once(exprs, context)? };
    for row in &source.rows {
        let scope = Scope { columns: &source.columns, values: row };
        let output = exprs.iter().map(|expr| eval(expr, scope, context)).collect::<Result<Vec<_>, _>>()?;
        let mut keys = Vec::new();
        for key in order {
            keys.push(sort_key(&key.expr, &columns, &output, scope, context)?);
        }
        keyed.push((keys, output));
    }
    sort_rows(&mut keyed, order)?;
    Ok(Relation { columns, rows: keyed.into_iter().map(|(_, output)| output).collect() })
}

/// No subquery sees the row around it, so each is run once for all rows, as PostgreSQL's InitPlan.
fn once(exprs: &[Expr], context: &mut dyn Context) -> Result<Vec<Expr>, SqlError> {
    let run = |expr: &Expr| match expr {
        Expr::Subquery(_) => eval(expr, Scope::EMPTY, context).map(Expr::Literal),
        other => Ok(other.clone()),
    };
    exprs.iter().map(run).collect()
}

/// ORDER BY takes an output position, an output name, or an expression over the source, in that order.
fn sort_key(
    expr: &Expr,
    columns: &[Column],
    output: &[Value],
    scope: Scope<'_>,
    context: &mut dyn Context,
) -> Result<Value, SqlError> {
    match expr {
        Expr::Literal(Value::Int(position)) => {
            let index = usize::try_from(*position).ok().and_then(|position| position.checked_sub(1));
            index
                .and_then(|index| output.get(index))
                .cloned()
                .ok_or_else(|| SqlError::new("42P10", format!("ORDER BY position {position} is not in select list")))
        }
        Expr::Column(name) => match columns.iter().position(|column| column.name == *name) {
            Some(index) => Ok(output.get(index).cloned().unwrap_or(Value::Null)),
            None => eval(expr, scope, context),
        },
        _ => eval(expr, scope, context),
    }
}

/// Sorts a relation's own rows (for ORDER BY inside an aggregate).
pub(super) fn sort(relation: &Relation, order: &[Order], context: &mut dyn Context) -> Result<Relation, SqlError> {
    let exprs = expand(&[Item::Star], &relation.columns);
    let columns = relation.columns.clone();
    project(&exprs, columns, relation, order, context)
}

fn sort_rows(keyed: &mut [(Vec<Value>, Vec<Value>)], order: &[Order]) -> Result<(), SqlError> {
    let mut failed = None;
    keyed.sort_by(|(a, _), (b, _)| {
        for (key, (x, y)) in order.iter().zip(a.iter().zip(b)) {
            let ordering = match (x, y) {
                (Value::Null, Value::Null) => std::cmp::Ordering::Equal,
                // NULLs sort as if larger than anything.
                (Value::Null, _) => std::cmp::Ordering::Greater,
                (_, Value::Null) => std::cmp::Ordering::Less,
                _ => x.compare(y).unwrap_or_else(|error| {
                    failed = Some(error);
                    std::cmp::Ordering::Equal
                }),
            };
            if ordering.is_ne() {
                return if key.descending { ordering.reverse() } else { ordering };
            }
        }
        std::cmp::Ordering::Equal
    });
    failed.map_or(Ok(()), Err)
}

fn limit(rows: &mut Vec<Vec<Value>>, query: &Query, context: &mut dyn Context) -> Result<(), SqlError> {
    let mut count = |expr: &Option<Expr>| -> Result<Option<usize>, SqlError> {
        let Some(expr) = expr else { return Ok(None) };
        match eval(expr, Scope::EMPTY, context)?.cast(Kind::Int8)? {
            Value::Int(n) => Ok(usize::try_from(n).ok()),
            _ => Ok(None),
        }
    };
    if let Some(offset) = count(&query.offset)? {
        rows.drain(..offset.min(rows.len()));
    }
    if let Some(limit) = count(&query.limit)? {
        rows.truncate(limit);
    }
    Ok(())
}

/// The name PostgreSQL gives to a column without an alias.
fn column_name(expr: &Expr, context: &mut dyn Context) -> Result<String, SqlError> {
    Ok(match expr {
        Expr::Column(name) => name.clone(),
        Expr::Call(call) => call.name.clone(),
        Expr::Cast(inner, kind) => match column_name(inner, context)?.as_str() {
            "?column?" => cast_name(*kind).to_owned(),
            name => name.to_owned(),
        },
        Expr::Case { .. } => "case".to_owned(),
        Expr::Exists(_) => "exists".to_owned(),
        Expr::Subquery(query) => {
            describe(query, context)?.first().map_or_else(String::new, |column| column.name.clone())
        }
        Expr::Literal(Value::Bool(_)) => "bool".to_owned(),
        _ => "?column?".to_owned(),
    })
}

fn cast_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int4 => "int4",
        Kind::Int8 => "int8",
        Kind::TimestampTz => "timestamptz",
        Kind::Char => "char",
        other => other.word(),
    }
}

/// The type of an expression over `source`.
fn kind_of(expr: &Expr, source: &[Column], context: &mut dyn Context) -> Result<Kind, SqlError> {
    Ok(match expr {
        Expr::Literal(Value::Int(n)) if i32::try_from(*n).is_ok() => Kind::Int4,
        Expr::Literal(Value::Text(_)) => Kind::Unknown,
        Expr::Literal(value) => value.natural_kind(),
        Expr::Column(name) => {
            source.iter().find(|column| column.name == *name).ok_or_else(|| SqlError::no_column(name))?.kind
        }
        Expr::Param(index) => context.parameter(*index).map_or(Kind::Text, |value| value.natural_kind()),
        Expr::Cast(_, kind) => *kind,
        Expr::Negate(inner) => kind_of(inner, source, context)?,
        Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(..)
        | Expr::In(..)
        | Expr::InQuery(..)
        | Expr::Like { .. }
        | Expr::Between(..)
        | Expr::Exists(_) => Kind::Bool,
        Expr::Binary(left, operator, right) => {
            binary_kind(*operator, kind_of(left, source, context)?, kind_of(right, source, context)?)
        }
        Expr::Case { branches, otherwise } => match (branches.first(), otherwise) {
            (Some((_, result)), _) => kind_of(result, source, context)?,
            (None, Some(other)) => kind_of(other, source, context)?,
            (None, None) => Kind::Text,
        },
        Expr::Call(call) => {
            let first = call.args.first().map(|arg| kind_of(arg, source, context)).transpose()?;
            signature(&call.name, call.args.len())?.kind(first)
        }
        Expr::Subquery(query) => describe(query, context)?.first().map_or(Kind::Text, |column| column.kind),
    })
}

fn binary_kind(operator: Operator, left: Kind, right: Kind) -> Kind {
    match operator {
        Operator::Concat => Kind::Text,
        Operator::Minus if left == Kind::Lsn => Kind::Numeric,
        Operator::Plus | Operator::Minus | Operator::Times | Operator::Divide | Operator::Modulo => {
            match (left, right) {
                (Kind::Int4, Kind::Int4) => Kind::Int4,
                (Kind::Numeric, _) | (_, Kind::Numeric) => Kind::Numeric,
                _ => Kind::Int8,
            }
        }
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessEqual
        | Operator::Greater
        | Operator::GreaterEqual
        | Operator::And
        | Operator::Or => Kind::Bool,
    }
}
