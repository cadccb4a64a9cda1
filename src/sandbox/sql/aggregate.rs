//! Aggregates over all rows of a query (there is no GROUP BY).

use super::eval::{Context, Scope, eval};
use super::functions::{extreme, is_aggregate, signature};
use super::select::sort;
use super::{Call, Expr, Kind, Relation, SqlError, Value};

/// Whether an aggregate is called anywhere in it (outside subqueries).
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => is_aggregate(&call.name) || call.args.iter().any(has_aggregate),
        Expr::Cast(inner, _)
        | Expr::Not(inner)
        | Expr::Negate(inner)
        | Expr::IsNull(inner)
        | Expr::IsTrue(inner, _)
        | Expr::InQuery(inner, _) => has_aggregate(inner),
        Expr::Binary(left, _, right) => has_aggregate(left) || has_aggregate(right),
        Expr::In(inner, list) => has_aggregate(inner) || list.iter().any(has_aggregate),
        Expr::Like { expr, pattern, .. } => has_aggregate(expr) || has_aggregate(pattern),
        Expr::Between(a, b, c) => has_aggregate(a) || has_aggregate(b) || has_aggregate(c),
        Expr::Case { branches, otherwise } => {
            branches.iter().any(|(a, b)| has_aggregate(a) || has_aggregate(b))
                || otherwise.as_deref().is_some_and(has_aggregate)
        }
        Expr::Literal(_) | Expr::Column(_) | Expr::Param(_) | Expr::Subquery(_) | Expr::Exists(_) => false,
    }
}

/// The expression with every aggregate call replaced by its value.
pub(super) fn fold(expr: &Expr, rows: &Relation, context: &mut dyn Context) -> Result<Expr, SqlError> {
    let mut boxed = |inner: &Expr| fold(inner, rows, context).map(Box::new);
    Ok(match expr {
        Expr::Call(call) if is_aggregate(&call.name) => Expr::Literal(aggregate(call, rows, context)?),
        Expr::Call(call) => {
            let args = call.args.iter().map(|arg| fold(arg, rows, context)).collect::<Result<_, _>>()?;
            Expr::Call(Call { args, ..call.clone() })
        }
        Expr::Cast(inner, kind) => Expr::Cast(boxed(inner)?, *kind),
        Expr::Not(inner) => Expr::Not(boxed(inner)?),
        Expr::Negate(inner) => Expr::Negate(boxed(inner)?),
        Expr::IsNull(inner) => Expr::IsNull(boxed(inner)?),
        Expr::IsTrue(inner, wanted) => Expr::IsTrue(boxed(inner)?, *wanted),
        Expr::Binary(left, operator, right) => Expr::Binary(boxed(left)?, *operator, boxed(right)?),
        Expr::Like { expr, pattern, fold_case } => {
            Expr::Like { expr: boxed(expr)?, pattern: boxed(pattern)?, fold_case: *fold_case }
        }
        Expr::Between(a, b, c) => Expr::Between(boxed(a)?, boxed(b)?, boxed(c)?),
        Expr::In(inner, list) => {
            let inner = boxed(inner)?;
            Expr::In(inner, list.iter().map(|item| fold(item, rows, context)).collect::<Result<_, _>>()?)
        }
        Expr::Case { branches, otherwise } => {
            let mut folded = Vec::new();
            for (condition, result) in branches {
                folded.push((fold(condition, rows, context)?, fold(result, rows, context)?));
            }
            let otherwise = otherwise.as_deref().map(|other| fold(other, rows, context)).transpose()?.map(Box::new);
            Expr::Case { branches: folded, otherwise }
        }
        Expr::Column(name) => {
            return Err(SqlError::new(
                "42803",
                format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"),
            ));
        }
        Expr::Literal(_) | Expr::Param(_) | Expr::Subquery(_) | Expr::Exists(_) | Expr::InQuery(..) => expr.clone(),
    })
}

fn aggregate(call: &Call, rows: &Relation, context: &mut dyn Context) -> Result<Value, SqlError> {
    signature(&call.name, call.args.len())?;
    let mut picked = Vec::new();
    for row in &rows.rows {
        let scope = Scope { columns: &rows.columns, values: row };
        let wanted = match &call.filter {
            Some(filter) => eval(filter, scope, context)?.is_true(),
            None => true,
        };
        if wanted {
            picked.push(row.clone());
        }
    }
    if call.star || call.args.is_empty() {
        return Ok(Value::count(picked.len()));
    }
    let picked = Relation { columns: rows.columns.clone(), rows: picked };
    let picked = sort(&picked, &call.order, context)?;
    let mut values = Vec::new();
    for row in &picked.rows {
        let value = eval(&call.args[0], Scope { columns: &picked.columns, values: row }, context)?;
        if value != Value::Null && !(call.distinct && values.contains(&value)) {
            values.push(value);
        }
    }
    match call.name.as_str() {
        "count" => Ok(Value::count(values.len())),
        "sum" => sum(&values),
        "max" | "min" => extreme(&values, call.name == "max"),
        // Only a count of nothing is something.
        _ if values.is_empty() => Ok(Value::Null),
        "bool_and" | "every" => Ok(Value::Bool(values.iter().all(Value::is_true))),
        "bool_or" => Ok(Value::Bool(values.iter().any(Value::is_true))),
        "string_agg" => {
            let separator = eval(&call.args[1], Scope::EMPTY, context)?.to_text().unwrap_or_default();
            let texts: Vec<String> = values.iter().filter_map(Value::to_text).collect();
            Ok(Value::Text(texts.join(&separator)))
        }
        other => Err(SqlError::no_function(other)),
    }
}

fn sum(values: &[Value]) -> Result<Value, SqlError> {
    let mut total: Option<i64> = None;
    for value in values {
        if let Value::Int(n) = value.cast(Kind::Int8)? {
            total = Some(total.unwrap_or(0).saturating_add(n));
        }
    }
    Ok(total.map_or(Value::Null, Value::Int))
}
