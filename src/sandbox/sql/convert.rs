//! `sqlparser`'s tree → the sandbox's statements. A part without a counterpart is refused by name.

use sqlparser::ast;

use super::convert_query::{expr, order_by, query};
use super::{CreateTable, Expr, From, Insert, Kind, Source, SqlError, Statement};

pub(super) fn statement(parsed: ast::Statement, shard_by: Option<String>) -> Result<Statement, SqlError> {
    match parsed {
        ast::Statement::Query(parsed) => match *parsed.body {
            ast::SetExpr::Values(values) => Ok(Statement::Values(rows(values)?)),
            _ => Ok(Statement::Select(Box::new(query(*parsed)?))),
        },
        ast::Statement::CreateTable(create) => create_table(&create, shard_by),
        ast::Statement::Drop { object_type: ast::ObjectType::Table, if_exists, mut names, .. } => {
            match (names.pop(), names.is_empty()) {
                (Some(name), true) => Ok(Statement::DropTable { name: object(&name), if_exists }),
                _ => Err(SqlError::unsupported("DROP TABLE of several tables")),
            }
        }
        ast::Statement::Insert(parsed) => insert(parsed),
        ast::Statement::Update(parsed) => update(parsed),
        ast::Statement::Delete(parsed) => delete(parsed),
        other => {
            let words: Vec<String> = other.to_string().split_whitespace().take(2).map(str::to_owned).collect();
            Err(SqlError::unsupported(words.join(" ")))
        }
    }
}

/// An identifier as PostgreSQL folds it.
pub(super) fn ident(ident: &ast::Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// An object name without its schema: the sandbox has one.
pub(super) fn object(name: &ast::ObjectName) -> String {
    match name.0.last() {
        Some(ast::ObjectNamePart::Identifier(last)) => ident(last),
        _ => name.to_string(),
    }
}

pub(super) fn kind(data_type: &ast::DataType) -> Result<Kind, SqlError> {
    let text = data_type.to_string().to_lowercase();
    let base = text.split('(').next().unwrap_or(&text).trim();
    let base = base.strip_prefix("pg_catalog.").unwrap_or(base);
    Ok(match base {
        "name" => Kind::Name,
        "text" | "varchar" | "character varying" | "char varying" | "char" | "character" | "bpchar" | "regclass" => {
            Kind::Text
        }
        "int" | "integer" | "int4" | "smallint" | "int2" => Kind::Int4,
        "bigint" | "int8" => Kind::Int8,
        "numeric" | "decimal" => Kind::Numeric,
        "oid" => Kind::Oid,
        "xid" => Kind::Xid,
        "bool" | "boolean" => Kind::Bool,
        "pg_lsn" => Kind::Lsn,
        "timestamptz" | "timestamp with time zone" | "timestamp" => Kind::TimestampTz,
        "interval" => Kind::Interval,
        "inet" | "cidr" => Kind::Inet,
        _ => return Err(SqlError::unsupported(format!("type \"{base}\""))),
    })
}

fn create_table(create: &ast::CreateTable, shard_by: Option<String>) -> Result<Statement, SqlError> {
    if create.query.is_some() || create.like.is_some() || create.partition_of.is_some() {
        return Err(SqlError::unsupported("CREATE TABLE from something else"));
    }
    let mut columns = Vec::new();
    let mut primary_key = None;
    for column in &create.columns {
        for option in &column.options {
            match option.option {
                ast::ColumnOption::PrimaryKey(_) => primary_key = Some(columns.len()),
                ast::ColumnOption::Null | ast::ColumnOption::NotNull => {}
                _ => return Err(SqlError::unsupported(format!("column option {}", option.option))),
            }
        }
        columns.push((ident(&column.name), kind(&column.data_type)?));
    }
    for constraint in &create.constraints {
        let ast::TableConstraint::PrimaryKey(key) = constraint else {
            return Err(SqlError::unsupported(format!("constraint {constraint}")));
        };
        let [only] = key.columns.as_slice() else {
            return Err(SqlError::unsupported("a primary key over several columns"));
        };
        let name = only.column.expr.to_string().trim_matches('"').to_lowercase();
        primary_key = columns.iter().position(|(column, _)| *column == name);
    }
    let name = object(&create.name);
    Ok(Statement::CreateTable(CreateTable {
        name,
        if_not_exists: create.if_not_exists,
        columns,
        primary_key,
        shard_by,
    }))
}

fn rows(values: ast::Values) -> Result<Vec<Vec<Expr>>, SqlError> {
    values.rows.into_iter().map(|row| row.content.into_iter().map(expr).collect()).collect()
}

fn insert(parsed: ast::Insert) -> Result<Statement, SqlError> {
    let ast::TableObject::TableName(table) = &parsed.table else {
        return Err(SqlError::unsupported("INSERT into something that is no table"));
    };
    if parsed.returning.is_some() {
        return Err(SqlError::unsupported("RETURNING"));
    }
    let skip_conflicts = match &parsed.on {
        None => false,
        Some(ast::OnInsert::OnConflict(on)) if matches!(on.action, ast::OnConflictAction::DoNothing) => true,
        Some(_) => return Err(SqlError::unsupported("ON CONFLICT DO UPDATE")),
    };
    let source = parsed.source.ok_or_else(|| SqlError::unsupported("INSERT of default values"))?;
    let source = match *source.body {
        ast::SetExpr::Values(values) => Source::Values(rows(values)?),
        _ => Source::Query(Box::new(query(*source)?)),
    };
    let columns = parsed.columns.iter().map(object).collect();
    Ok(Statement::Insert(Insert { table: object(table), columns, source, skip_conflicts }))
}

fn update(parsed: ast::Update) -> Result<Statement, SqlError> {
    if parsed.from.is_some() || parsed.returning.is_some() {
        return Err(SqlError::unsupported("UPDATE with FROM or RETURNING"));
    }
    let table = table(&parsed.table)?;
    let mut set = Vec::new();
    for assignment in parsed.assignments {
        let ast::AssignmentTarget::ColumnName(column) = &assignment.target else {
            return Err(SqlError::unsupported("assigning to several columns at once"));
        };
        set.push((object(column), expr(assignment.value)?));
    }
    Ok(Statement::Update { table, set, filter: parsed.selection.map(expr).transpose()? })
}

fn delete(parsed: ast::Delete) -> Result<Statement, SqlError> {
    if parsed.using.is_some() || parsed.returning.is_some() {
        return Err(SqlError::unsupported("DELETE with USING or RETURNING"));
    }
    let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) = &parsed.from;
    let [from] = from.as_slice() else {
        return Err(SqlError::unsupported("DELETE from several tables"));
    };
    Ok(Statement::Delete { table: table(from)?, filter: parsed.selection.map(expr).transpose()? })
}

fn table(from: &ast::TableWithJoins) -> Result<String, SqlError> {
    match (&from.relation, from.joins.is_empty()) {
        (ast::TableFactor::Table { name, .. }, true) => Ok(object(name)),
        _ => Err(SqlError::unsupported("a join")),
    }
}

/// FROM's one entry.
pub(super) fn source(from: Vec<ast::TableWithJoins>) -> Result<Option<From>, SqlError> {
    let mut from = from.into_iter();
    let Some(first) = from.next() else { return Ok(None) };
    if from.next().is_some() || !first.joins.is_empty() {
        return Err(SqlError::unsupported("selecting from several relations"));
    }
    match first.relation {
        ast::TableFactor::Table { name, alias, args: Some(args), .. } => {
            let args = args.args.into_iter().map(super::convert_query::argument).collect::<Result<_, _>>()?;
            Ok(Some(From::Function { name: object(&name), args, alias: alias.map(|alias| ident(&alias.name)) }))
        }
        ast::TableFactor::Table { name, args: None, .. } => Ok(Some(From::Table { name: object(&name) })),
        ast::TableFactor::Derived { subquery, .. } => Ok(Some(From::Query { query: Box::new(query(*subquery)?) })),
        other => Err(SqlError::unsupported(format!("selecting from {other}"))),
    }
}

/// ORDER BY of a query.
pub(super) fn order(parsed: Option<ast::OrderBy>) -> Result<Vec<super::Order>, SqlError> {
    match parsed.map(|order| order.kind) {
        None => Ok(Vec::new()),
        Some(ast::OrderByKind::Expressions(keys)) => keys.into_iter().map(order_by).collect(),
        Some(ast::OrderByKind::All(_)) => Err(SqlError::unsupported("ORDER BY ALL")),
    }
}
