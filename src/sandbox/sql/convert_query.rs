//! `sqlparser`'s queries and expressions → the sandbox's.

use sqlparser::ast;

use super::convert::{ident, kind, object, order, source};
use super::{Call, Expr, Item, Kind, Operator, Order, Query, SqlError, Value};

pub(super) fn query(parsed: ast::Query) -> Result<Query, SqlError> {
    if parsed.with.is_some() {
        return Err(SqlError::unsupported("WITH"));
    }
    let (limit, offset) = match parsed.limit_clause {
        None => (None, None),
        Some(ast::LimitClause::LimitOffset { limit, offset, .. }) => (limit, offset.map(|offset| offset.value)),
        Some(ast::LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
    };
    let select = match *parsed.body {
        ast::SetExpr::Select(select) => *select,
        ast::SetExpr::Query(inner) => return query(*inner),
        _ => return Err(SqlError::unsupported("UNION and other set operations")),
    };
    let grouped = match &select.group_by {
        ast::GroupByExpr::All(_) => true,
        ast::GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
    };
    if grouped || select.having.is_some() {
        return Err(SqlError::unsupported("GROUP BY"));
    }
    Ok(Query {
        items: select.projection.into_iter().map(item).collect::<Result<_, _>>()?,
        from: source(select.from)?,
        filter: select.selection.map(expr).transpose()?,
        order: order(parsed.order_by)?,
        limit: limit.map(expr).transpose()?,
        offset: offset.map(expr).transpose()?,
        distinct: select.distinct.is_some(),
    })
}

fn item(parsed: ast::SelectItem) -> Result<Item, SqlError> {
    match parsed {
        ast::SelectItem::Wildcard(_) | ast::SelectItem::QualifiedWildcard(..) => Ok(Item::Star),
        ast::SelectItem::UnnamedExpr(parsed) => Ok(Item::Expr { expr: expr(parsed)?, name: None }),
        ast::SelectItem::ExprWithAlias { expr: parsed, alias } => {
            Ok(Item::Expr { expr: expr(parsed)?, name: Some(ident(&alias)) })
        }
        other @ ast::SelectItem::ExprWithAliases { .. } => Err(SqlError::unsupported(other)),
    }
}

pub(super) fn order_by(parsed: ast::OrderByExpr) -> Result<Order, SqlError> {
    let descending = matches!(parsed.options.sort, Some(ast::OrderBySort::Desc));
    Ok(Order { expr: expr(parsed.expr)?, descending })
}

fn boxed(parsed: ast::Expr) -> Result<Box<Expr>, SqlError> {
    expr(parsed).map(Box::new)
}

fn negate(inner: Expr, negated: bool) -> Expr {
    if negated { Expr::Not(Box::new(inner)) } else { inner }
}

pub(super) fn expr(parsed: ast::Expr) -> Result<Expr, SqlError> {
    use ast::Expr as E;
    Ok(match parsed {
        E::Identifier(name) => bare(&name),
        E::CompoundIdentifier(parts) => match parts.last() {
            Some(last) => Expr::Column(ident(last)),
            None => return Err(SqlError::syntax_near("")),
        },
        E::Nested(inner)
        | E::Collate { expr: inner, .. }
        | E::UnaryOp { op: ast::UnaryOperator::Plus, expr: inner } => expr(*inner)?,
        E::Value(value) => literal(value.value)?,
        E::IsNull(inner) => Expr::IsNull(boxed(*inner)?),
        E::IsNotNull(inner) => negate(Expr::IsNull(boxed(*inner)?), true),
        E::IsTrue(inner) => Expr::IsTrue(boxed(*inner)?, true),
        E::IsNotTrue(inner) => negate(Expr::IsTrue(boxed(*inner)?, true), true),
        E::IsFalse(inner) => Expr::IsTrue(boxed(*inner)?, false),
        E::IsNotFalse(inner) => negate(Expr::IsTrue(boxed(*inner)?, false), true),
        E::InList { expr: inner, list, negated } => {
            negate(Expr::In(boxed(*inner)?, list.into_iter().map(expr).collect::<Result<_, _>>()?), negated)
        }
        E::InSubquery { expr: inner, subquery, negated } => {
            negate(Expr::InQuery(boxed(*inner)?, Box::new(query(*subquery)?)), negated)
        }
        E::Between { expr: inner, negated, low, high } => {
            negate(Expr::Between(boxed(*inner)?, boxed(*low)?, boxed(*high)?), negated)
        }
        E::Like { negated, expr: inner, pattern, .. } => like(negated, *inner, *pattern, false)?,
        E::ILike { negated, expr: inner, pattern, .. } => like(negated, *inner, *pattern, true)?,
        E::BinaryOp { left, op, right } => Expr::Binary(boxed(*left)?, operator(&op)?, boxed(*right)?),
        E::UnaryOp { op: ast::UnaryOperator::Not, expr: inner } => Expr::Not(boxed(*inner)?),
        E::UnaryOp { op: ast::UnaryOperator::Minus, expr: inner } => Expr::Negate(boxed(*inner)?),
        E::Extract { field: ast::DateTimeField::Epoch, expr: inner, .. } => {
            Expr::Call(plain_call("date_part_epoch".to_owned(), vec![expr(*inner)?]))
        }
        E::Cast { expr: inner, data_type, .. } => Expr::Cast(boxed(*inner)?, kind(&data_type)?),
        E::Case { operand, conditions, else_result, .. } => case(operand, conditions, else_result)?,
        E::Function(call) => function(call)?,
        E::Subquery(inner) => Expr::Subquery(Box::new(query(*inner)?)),
        E::Exists { subquery, negated } => negate(Expr::Exists(Box::new(query(*subquery)?)), negated),
        other => return Err(SqlError::unsupported(format!("the expression {other}"))),
    })
}

/// Some words look like columns and are functions.
fn bare(name: &ast::Ident) -> Expr {
    let folded = ident(name);
    match folded.as_str() {
        "current_user" | "session_user" | "user" | "current_timestamp" | "current_database" | "current_catalog"
            if name.quote_style.is_none() =>
        {
            Expr::Call(plain_call(folded, Vec::new()))
        }
        _ => Expr::Column(folded),
    }
}

fn plain_call(name: String, args: Vec<Expr>) -> Call {
    Call { name, args, star: false, distinct: false, order: Vec::new(), filter: None }
}

fn like(negated: bool, inner: ast::Expr, pattern: ast::Expr, fold_case: bool) -> Result<Expr, SqlError> {
    Ok(negate(Expr::Like { expr: boxed(inner)?, pattern: boxed(pattern)?, fold_case }, negated))
}

fn case(
    operand: Option<Box<ast::Expr>>,
    conditions: Vec<ast::CaseWhen>,
    otherwise: Option<Box<ast::Expr>>,
) -> Result<Expr, SqlError> {
    let operand = operand.map(|operand| boxed(*operand)).transpose()?;
    let mut branches = Vec::new();
    for when in conditions {
        let condition = expr(when.condition)?;
        let condition = match &operand {
            Some(operand) => Expr::Binary(operand.clone(), Operator::Equal, Box::new(condition)),
            None => condition,
        };
        branches.push((condition, expr(when.result)?));
    }
    Ok(Expr::Case { branches, otherwise: otherwise.map(|other| boxed(*other)).transpose()? })
}

fn literal(value: ast::Value) -> Result<Expr, SqlError> {
    Ok(match value {
        ast::Value::Number(text, _) => match text.parse() {
            Ok(n) => Expr::Literal(Value::Int(n)),
            Err(_) => Expr::Cast(Box::new(Expr::Literal(Value::text(text))), Kind::Numeric),
        },
        ast::Value::Boolean(b) => Expr::Literal(Value::Bool(b)),
        ast::Value::Null => Expr::Literal(Value::Null),
        ast::Value::SingleQuotedString(text) | ast::Value::EscapedStringLiteral(text) => {
            Expr::Literal(Value::Text(text))
        }
        ast::Value::DollarQuotedString(text) => Expr::Literal(Value::Text(text.value)),
        ast::Value::Placeholder(name) => match name.trim_start_matches('$').parse::<usize>() {
            Ok(n) if n > 0 => Expr::Param(n - 1),
            _ => return Err(SqlError::syntax_near(&name)),
        },
        other => return Err(SqlError::unsupported(format!("the literal {other}"))),
    })
}

fn operator(op: &ast::BinaryOperator) -> Result<Operator, SqlError> {
    use ast::BinaryOperator as B;
    Ok(match op {
        B::Eq => Operator::Equal,
        B::NotEq => Operator::NotEqual,
        B::Lt => Operator::Less,
        B::LtEq => Operator::LessEqual,
        B::Gt => Operator::Greater,
        B::GtEq => Operator::GreaterEqual,
        B::And => Operator::And,
        B::Or => Operator::Or,
        B::StringConcat => Operator::Concat,
        B::Plus => Operator::Plus,
        B::Minus => Operator::Minus,
        B::Multiply => Operator::Times,
        B::Divide => Operator::Divide,
        B::Modulo => Operator::Modulo,
        other => return Err(SqlError::unsupported(format!("the operator {other}"))),
    })
}

pub(super) fn argument(parsed: ast::FunctionArg) -> Result<Expr, SqlError> {
    match parsed {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(inner)) => expr(inner),
        other => Err(SqlError::unsupported(format!("the argument {other}"))),
    }
}

fn function(parsed: ast::Function) -> Result<Expr, SqlError> {
    if parsed.over.is_some() || !parsed.within_group.is_empty() {
        return Err(SqlError::unsupported("a window function"));
    }
    let mut call = plain_call(object(&parsed.name), Vec::new());
    call.filter = parsed.filter.map(|filter| boxed(*filter)).transpose()?;
    match parsed.args {
        ast::FunctionArguments::None => {}
        ast::FunctionArguments::Subquery(_) => return Err(SqlError::unsupported("a subquery as the argument")),
        ast::FunctionArguments::List(list) => {
            call.distinct = matches!(list.duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
            for arg in list.args {
                if matches!(arg, ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)) {
                    call.star = true;
                } else {
                    call.args.push(argument(arg)?);
                }
            }
            for clause in list.clauses {
                match clause {
                    ast::FunctionArgumentClause::OrderBy(keys) => {
                        call.order = keys.into_iter().map(order_by).collect::<Result<_, _>>()?;
                    }
                    _ => return Err(SqlError::unsupported("a clause inside a call")),
                }
            }
        }
    }
    Ok(Expr::Call(call))
}
