//! Text → statements. PostgreSQL's own grammar goes through `sqlparser`; what only OpenTenBase knows
//! goes through the small parser in `command`.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::command;
use super::convert;
use super::{SqlError, Statement};

/// Parses one statement (without or with its semicolon).
pub fn parse(sql: &str) -> Result<Statement, SqlError> {
    if let Some(statement) = command::parse(sql)? {
        return Ok(statement);
    }
    let (sql, shard_by) = command::take_distribution(sql);
    let mut parsed = Parser::parse_sql(&PostgreSqlDialect {}, &sql).map_err(|e| syntax(&e.to_string()))?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(statement), true) => convert::statement(statement, shard_by),
        _ => Err(SqlError::syntax("cannot insert multiple commands into a prepared statement")),
    }
}

/// `sqlparser` says `sql parser error: Expected: X, found: Y at Line: 1, Column: 8`.
fn syntax(said: &str) -> SqlError {
    let found = said.split("found: ").nth(1).and_then(|rest| rest.split(" at Line").next()).unwrap_or("");
    match found {
        "EOF" | "" => SqlError::syntax_near(""),
        token => SqlError::syntax_near(token.trim_matches('\'')),
    }
}

/// Splits a simple query at its semicolons, minding quotes, dollar quotes and comments.
pub fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let skip = quoted_length(rest).unwrap_or_else(|| {
            if rest.starts_with(';') {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            rest.chars().next().map_or(1, char::len_utf8)
        });
        at += skip;
    }
    parts.push(&text[start..]);
    parts.retain(|part| !is_blank(part));
    parts
}

/// Whether only white space and comments are left.
fn is_blank(text: &str) -> bool {
    let mut rest = text.trim_start();
    while rest.starts_with("--") || rest.starts_with("/*") {
        let length = quoted_length(rest).unwrap_or(rest.len());
        rest = rest.get(length..).unwrap_or("").trim_start();
    }
    rest.is_empty()
}

/// If `text` begins with a quoted piece or a comment, its length in bytes.
fn quoted_length(text: &str) -> Option<usize> {
    let until = |open: usize, close: &str| {
        let end = text[open..].find(close).map_or(text.len(), |found| open + found + close.len());
        Some(end)
    };
    match text.as_bytes().first()? {
        b'\'' => until(1, "'"),
        b'"' => until(1, "\""),
        b'-' if text.starts_with("--") => until(2, "\n"),
        b'/' if text.starts_with("/*") => until(2, "*/"),
        b'$' => {
            let tag_end = text[1..].find('$')? + 2;
            let tag = &text[..tag_end];
            tag[1..tag_end - 1].chars().all(|c| c.is_alphanumeric() || c == '_').then(|| until(tag_end, tag))?
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_semicolons_outside_quotes() {
        assert_eq!(split("select 1; select ';' ;"), ["select 1", " select ';' "]);
        assert_eq!(split("do $x$ a; b $x$; -- c;\n select 2"), ["do $x$ a; b $x$", " -- c;\n select 2"]);
        assert!(split(" ; -- nothing").is_empty());
        assert_eq!(split("select $1"), ["select $1"]);
    }

    #[test]
    fn syntax_errors_name_the_token() {
        assert_eq!(parse("selec 1").unwrap_err().code, "42601");
        assert_eq!(parse("select 1 from").unwrap_err().code, "42601");
        assert_eq!(parse("select 1 +").unwrap_err().message, "syntax error at end of input");
    }
}
