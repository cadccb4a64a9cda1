//! Evaluates expressions over one row.

use std::cmp::Ordering;

use super::functions::{is_aggregate, pure, signature};
use super::{Call, Column, Expr, Kind, Operator, Relation, SqlError, Value, select};

/// What a statement can ask its server.
pub trait Context {
    /// The columns of a table or view, without reading it.
    fn columns(&mut self, relation: &str) -> Result<Vec<Column>, SqlError>;
    /// The table or view itself.
    fn relation(&mut self, name: &str) -> Result<Relation, SqlError>;
    /// The columns of a set-returning function.
    fn function_columns(&mut self, name: &str) -> Result<Vec<Column>, SqlError>;
    /// A set-returning function's rows.
    fn function_relation(&mut self, name: &str, args: &[Value]) -> Result<Relation, SqlError>;
    /// A scalar function that only the server can answer.
    fn call(&mut self, name: &str, args: &[Value]) -> Result<Value, SqlError>;
    /// `$n`, counted from 0.
    fn parameter(&self, index: usize) -> Result<Value, SqlError>;
}

/// The row that column names refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub columns: &'a [Column],
    pub values: &'a [Value],
}

impl Scope<'_> {
    pub(super) const EMPTY: Scope<'static> = Scope { columns: &[], values: &[] };

    fn value(&self, name: &str) -> Result<Value, SqlError> {
        let index = self.columns.iter().position(|column| column.name == name);
        index.and_then(|index| self.values.get(index)).cloned().ok_or_else(|| SqlError::no_column(name))
    }
}

/// Evaluates over a row given by its columns and values.
pub fn evaluate(
    expr: &Expr,
    columns: &[Column],
    values: &[Value],
    context: &mut dyn Context,
) -> Result<Value, SqlError> {
    eval(expr, Scope { columns, values }, context)
}

pub(super) fn eval(expr: &Expr, scope: Scope<'_>, context: &mut dyn Context) -> Result<Value, SqlError> {
    match expr {
        Expr::Literal(value) => Ok(value.clone()),
        Expr::Column(name) => scope.value(name),
        Expr::Param(index) => context.parameter(*index),
        Expr::Cast(inner, kind) => eval(inner, scope, context)?.cast(*kind),
        Expr::Not(inner) => truth(&eval(inner, scope, context)?).map(|truth| logic(truth.map(|b| !b))),
        Expr::Negate(inner) => match eval(inner, scope, context)?.cast(Kind::Int8)? {
            Value::Int(n) => Ok(Value::Int(-n)),
            other => Ok(other),
        },
        Expr::IsNull(inner) => Ok(Value::Bool(eval(inner, scope, context)? == Value::Null)),
        Expr::IsTrue(inner, wanted) => Ok(Value::Bool(truth(&eval(inner, scope, context)?)? == Some(*wanted))),
        Expr::Binary(left, operator, right) => binary(left, *operator, right, scope, context),
        Expr::In(inner, list) => {
            let needle = eval(inner, scope, context)?;
            let list = list.iter().map(|item| eval(item, scope, context)).collect::<Result<Vec<_>, _>>()?;
            is_in(&needle, &list)
        }
        Expr::InQuery(inner, query) => {
            let needle = eval(inner, scope, context)?;
            let list: Vec<Value> = select(query, context)?.rows.into_iter().filter_map(|mut row| row.pop()).collect();
            is_in(&needle, &list)
        }
        Expr::Like { expr, pattern, fold_case } => {
            let (text, pattern) = (eval(expr, scope, context)?.to_text(), eval(pattern, scope, context)?.to_text());
            let (Some(mut text), Some(mut pattern)) = (text, pattern) else { return Ok(Value::Null) };
            if *fold_case {
                (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
            }
            Ok(Value::Bool(like(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())))
        }
        Expr::Between(inner, low, high) => {
            let value = eval(inner, scope, context)?;
            let (low, high) = (eval(low, scope, context)?, eval(high, scope, context)?);
            let above = compare(&value, Operator::GreaterEqual, &low)?;
            let below = compare(&value, Operator::LessEqual, &high)?;
            and(&above, &below)
        }
        Expr::Case { branches, otherwise } => {
            for (condition, result) in branches {
                if eval(condition, scope, context)?.is_true() {
                    return eval(result, scope, context);
                }
            }
            otherwise.as_ref().map_or(Ok(Value::Null), |other| eval(other, scope, context))
        }
        Expr::Call(call) => function(call, scope, context),
        Expr::Subquery(query) => {
            let mut rows = select(query, context)?.rows;
            if rows.len() > 1 {
                return Err(SqlError::new("21000", "more than one row returned by a subquery used as an expression"));
            }
            Ok(rows.pop().and_then(|row| row.into_iter().next()).unwrap_or(Value::Null))
        }
        Expr::Exists(query) => Ok(Value::Bool(!select(query, context)?.rows.is_empty())),
    }
}

fn function(call: &Call, scope: Scope<'_>, context: &mut dyn Context) -> Result<Value, SqlError> {
    if is_aggregate(&call.name) {
        return Err(SqlError::new("42803", "aggregate functions are not allowed here"));
    }
    signature(&call.name, call.args.len())?;
    let args = call.args.iter().map(|arg| eval(arg, scope, context)).collect::<Result<Vec<_>, _>>()?;
    match pure(&call.name, &args) {
        Some(result) => result,
        None => context.call(&call.name, &args),
    }
}

/// A boolean, or NULL.
fn truth(value: &Value) -> Result<Option<bool>, SqlError> {
    match value.cast(Kind::Bool)? {
        Value::Bool(b) => Ok(Some(b)),
        _ => Ok(None),
    }
}

fn logic(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, Value::Bool)
}

fn and(left: &Value, right: &Value) -> Result<Value, SqlError> {
    Ok(logic(match (truth(left)?, truth(right)?) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }))
}

fn binary(
    left: &Expr,
    operator: Operator,
    right: &Expr,
    scope: Scope<'_>,
    context: &mut dyn Context,
) -> Result<Value, SqlError> {
    let left = eval(left, scope, context)?;
    // AND and OR need not look at their right side, as PostgreSQL mostly does not.
    match operator {
        Operator::And if truth(&left)? == Some(false) => return Ok(Value::Bool(false)),
        Operator::Or if truth(&left)? == Some(true) => return Ok(Value::Bool(true)),
        _ => {}
    }
    let right = eval(right, scope, context)?;
    apply(&left, operator, &right)
}

/// Applies an operator to two values.
fn apply(left: &Value, operator: Operator, right: &Value) -> Result<Value, SqlError> {
    match operator {
        Operator::And => and(left, right),
        Operator::Or => Ok(logic(match (truth(left)?, truth(right)?) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        })),
        Operator::Concat => Ok(match (left.cast(Kind::Text)?, right.cast(Kind::Text)?) {
            (Value::Text(a), Value::Text(b)) => Value::Text(a + &b),
            _ => Value::Null,
        }),
        Operator::Plus | Operator::Minus | Operator::Times | Operator::Divide | Operator::Modulo => {
            arithmetic(left, operator, right)
        }
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessEqual
        | Operator::Greater
        | Operator::GreaterEqual => compare(left, operator, right),
    }
}

fn compare(left: &Value, operator: Operator, right: &Value) -> Result<Value, SqlError> {
    if *left == Value::Null || *right == Value::Null {
        return Ok(Value::Null);
    }
    let ordering = left.compare(right)?;
    Ok(Value::Bool(match operator {
        Operator::Equal => ordering == Ordering::Equal,
        Operator::NotEqual => ordering != Ordering::Equal,
        Operator::Less => ordering == Ordering::Less,
        Operator::LessEqual => ordering != Ordering::Greater,
        Operator::Greater => ordering == Ordering::Greater,
        Operator::GreaterEqual => ordering != Ordering::Less,
        _ => return Err(SqlError::unsupported("this comparison")),
    }))
}

fn arithmetic(left: &Value, operator: Operator, right: &Value) -> Result<Value, SqlError> {
    if let (Value::Lsn(a), Value::Lsn(b), Operator::Minus) = (left, right, operator) {
        return Ok(Value::count(i128::from(a.0) - i128::from(b.0)));
    }
    // The text of a double, as extract(epoch from ...) has it.
    let decimal =
        |value: &Value| value.to_text().filter(|text| text.contains('.')).and_then(|text| text.parse::<f64>().ok());
    if decimal(left).or(decimal(right)).is_some() && matches!(operator, Operator::Plus | Operator::Minus) {
        let number = |value: &Value| value.to_text().and_then(|text| text.parse::<f64>().ok());
        let (Some(a), Some(b)) = (number(left), number(right)) else { return Ok(Value::Null) };
        let sum = if operator == Operator::Plus { a + b } else { a - b };
        return Ok(Value::text(format!("{sum:.5}")));
    }
    let (Value::Int(a), Value::Int(b)) = (left.cast(Kind::Int8)?, right.cast(Kind::Int8)?) else {
        return Ok(Value::Null);
    };
    let result = match operator {
        Operator::Plus => a.checked_add(b),
        Operator::Minus => a.checked_sub(b),
        Operator::Times => a.checked_mul(b),
        _ if b == 0 => return Err(SqlError::new("22012", "division by zero")),
        Operator::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.map(Value::Int).ok_or_else(|| SqlError::new("22003", "bigint out of range"))
}

fn is_in(needle: &Value, list: &[Value]) -> Result<Value, SqlError> {
    let mut unknown = *needle == Value::Null && !list.is_empty();
    for item in list {
        match compare(needle, Operator::Equal, item)? {
            Value::Bool(true) => return Ok(Value::Bool(true)),
            Value::Null => unknown = true,
            _ => {}
        }
    }
    Ok(if unknown { Value::Null } else { Value::Bool(false) })
}

/// LIKE: `%` any run, `_` one character, `\` takes the next literally.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skip| like(&text[skip..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && like(&text[1..], rest),
    }
}
