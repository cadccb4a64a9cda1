//! What `sqlparser` does not know: node commands, EXECUTE DIRECT, SHOW and SET of any name,
//! transaction words, the replication protocol.

use super::statement::AlterNode;
use super::tokens::{Reader, Token, tokens};
use super::{SqlError, Statement};

/// Parses the commands of this file; `None` means that `sqlparser` must parse it.
pub(super) fn parse(sql: &str) -> Result<Option<Statement>, SqlError> {
    let mut tokens = tokens(sql);
    while tokens.last() == Some(&Token::Sign(';')) {
        tokens.pop();
    }
    let words: Vec<&str> = tokens
        .iter()
        .map_while(|token| if let Token::Word(word) = token { Some(word.as_str()) } else { None })
        .collect();
    let skip = |n: usize| Reader { tokens: tokens.split_at(n).1.to_vec().into_iter() };
    let statement = match words.as_slice() {
        ["begin" | "start", ..] => Statement::Begin,
        ["commit" | "end" | "rollback", "prepared", ..] | ["prepare", "transaction", ..] => {
            return Err(SqlError::unsupported("a two-phase transaction command"));
        }
        ["commit" | "end", ..] => Statement::Commit,
        ["rollback" | "abort", ..] => Statement::Rollback,
        ["checkpoint"] => Statement::Checkpoint,
        ["discard", "all"] => Statement::Discard,
        ["show", ..] => show(skip(1))?,
        ["set", ..] => set(skip(1))?,
        ["reset", ..] => Statement::Set { name: skip(1).name()?, value: None, local: false },
        ["lock", "table", ..] => lock(skip(2))?,
        ["alter", "gtm", "node", ..] => Statement::AlterNode(node(skip(3), true)?),
        ["alter", "node", ..] => Statement::AlterNode(node(skip(2), false)?),
        ["alter", "cluster", "node", ..] => return Err(cluster_node()),
        ["create", "node", "group", ..] => return Err(SqlError::unsupported("CREATE NODE GROUP")),
        ["create", "node", ..] => Statement::CreateNode(node(skip(2), false)?),
        ["drop", "node", ..] => Statement::DropNode(skip(2).name()?),
        ["execute", "direct", ..] => execute_direct(skip(2))?,
        ["identify_system"] => Statement::IdentifySystem,
        ["timeline_history", number] => {
            Statement::TimelineHistory(number.parse().map_err(|_| SqlError::syntax_near(number))?)
        }
        _ => return Ok(None),
    };
    Ok(Some(statement))
}

/// It fails when a node has moved (docs/explanation/switchover.md), so the sandbox refuses it.
fn cluster_node() -> SqlError {
    SqlError::new("XX000", "Could not begin transaction on coordinators")
}

fn show(mut reader: Reader) -> Result<Statement, SqlError> {
    let mut name = reader.name()?;
    while let Some(token) = reader.tokens.next() {
        match token {
            Token::Sign('.') => name = format!("{name}.{}", reader.name()?),
            // SHOW TRANSACTION ISOLATION LEVEL
            Token::Word(word) => name = format!("{name}_{word}"),
            other => return Err(SqlError::syntax_near(&other.shown())),
        }
    }
    let name = if name == "transaction_isolation_level" { "transaction_isolation".to_owned() } else { name };
    Ok(Statement::Show(name))
}

/// `SET [SESSION|LOCAL] name {=|TO} value[, value]`, and the word forms of SET TRANSACTION.
fn set(mut reader: Reader) -> Result<Statement, SqlError> {
    let local = !reader.skip("session") && reader.skip("local");
    let name = reader.name()?;
    if matches!(name.as_str(), "transaction" | "characteristics") {
        return Ok(Statement::Set { name: "transaction_isolation".to_owned(), value: None, local });
    }
    match reader.next()? {
        Token::Sign('=') => {}
        token if token.is("to") => {}
        other => return Err(SqlError::syntax_near(&other.shown())),
    }
    let mut value = String::new();
    for token in reader.tokens {
        match token {
            Token::Text(text) | Token::Word(text) | Token::Quoted(text) => value.push_str(&text),
            Token::Sign(sign) => value.push(sign),
        }
    }
    if value.is_empty() {
        return Err(SqlError::syntax_near(""));
    }
    Ok(Statement::Set { name, value: Some(value).filter(|value| value != "default"), local })
}

/// `[ONLY] table[, …] IN ACCESS EXCLUSIVE MODE`; which schema a table is in the sandbox does not care.
fn lock(mut reader: Reader) -> Result<Statement, SqlError> {
    let mut tables = Vec::new();
    loop {
        reader.skip("only");
        let mut name = reader.name()?;
        let mut next = reader.next()?;
        if next == Token::Sign('.') {
            name = reader.name()?;
            next = reader.next()?;
        }
        tables.push(name);
        match next {
            Token::Sign(',') => {}
            token if token.is("in") => break,
            other => return Err(SqlError::syntax_near(&other.shown())),
        }
    }
    for word in ["access", "exclusive", "mode"] {
        reader.expect(&Token::Word(word.to_owned()))?;
    }
    reader.end()?;
    Ok(Statement::Lock(tables))
}

/// `name [OF CLUSTER c] WITH (key = value, …)`
fn node(mut reader: Reader, gtm: bool) -> Result<AlterNode, SqlError> {
    let mut node = AlterNode { name: reader.name()?, gtm, ..AlterNode::default() };
    if reader.skip("of") {
        reader.expect(&Token::Word("cluster".to_owned()))?;
        reader.name()?;
    }
    if reader.tokens.as_slice().is_empty() {
        return Err(SqlError::syntax("No options specified"));
    }
    if !reader.skip("with") {
        return Err(SqlError::syntax_near(&reader.tokens.next().map(|token| token.shown()).unwrap_or_default()));
    }
    reader.expect(&Token::Sign('('))?;
    loop {
        option(&mut reader, &mut node)?;
        match reader.next()? {
            Token::Sign(',') => {}
            Token::Sign(')') => break,
            other => return Err(SqlError::syntax_near(&other.shown())),
        }
    }
    reader.end()?;
    Ok(node)
}

fn option(reader: &mut Reader, node: &mut AlterNode) -> Result<(), SqlError> {
    let key = reader.name()?;
    let has_value = reader.tokens.as_slice().first() == Some(&Token::Sign('='));
    let value = if has_value {
        reader.next()?;
        match reader.next()? {
            Token::Word(text) | Token::Quoted(text) | Token::Text(text) => text,
            other @ Token::Sign(_) => return Err(SqlError::syntax_near(&other.shown())),
        }
    } else {
        "true".to_owned()
    };
    let boolean = || matches!(value.as_str(), "true" | "on" | "1" | "t");
    match key.as_str() {
        "host" => node.host = Some(value),
        "port" => node.port = Some(port(&value)?),
        "type" => node.kind = Some(value),
        "primary" => node.primary = Some(boolean()),
        "preferred" => node.preferred = Some(boolean()),
        // Only v5 knows it; the world refuses it elsewhere.
        "forward" => node.forward = Some(port(&value).map_err(forward)?),
        _ => return Err(SqlError::syntax(format!("incorrect option: {key}"))),
    }
    Ok(())
}

/// v5's words (nodemgr.c, check_node_options).
fn forward(error: SqlError) -> SqlError {
    if error.code == "22003" { SqlError::new("22003", "forward port value is out of range") } else { error }
}

/// PGXC's check_node_options: 1 to 65535 (seen live).
fn port(text: &str) -> Result<u16, SqlError> {
    match text.parse::<i64>().map(u16::try_from) {
        Ok(Ok(port)) if port > 0 => Ok(port),
        Ok(_) => Err(SqlError::new("22003", "port value is out of range")),
        Err(_) => Err(SqlError::syntax(format!("invalid argument for port: \"{text}\""))),
    }
}

/// `ON (node[, node]) 'query'`
fn execute_direct(mut reader: Reader) -> Result<Statement, SqlError> {
    reader.expect(&Token::Word("on".to_owned()))?;
    reader.expect(&Token::Sign('('))?;
    let node = reader.name()?;
    match reader.next()? {
        Token::Sign(')') => {}
        Token::Sign(',') => {
            return Err(SqlError::new("0A000", "Support for EXECUTE DIRECT on multiple nodes is not available yet"));
        }
        other => return Err(SqlError::syntax_near(&other.shown())),
    }
    match reader.next()? {
        Token::Text(sql) => {
            reader.end()?;
            Ok(Statement::ExecuteDirect { node, sql })
        }
        other => Err(SqlError::syntax_near(&other.shown())),
    }
}

/// Cuts `DISTRIBUTE BY SHARD(col)` (and `TO GROUP g`) off a CREATE TABLE, which `sqlparser` does not know.
pub(super) fn take_distribution(sql: &str) -> (String, Option<String>) {
    let lower = sql.to_ascii_lowercase();
    if !lower.trim_start().starts_with("create") {
        return (sql.to_owned(), None);
    }
    let Some(at) = lower.rfind("distribute by") else { return (sql.to_owned(), None) };
    let column = sql[at..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(column, _)| column.trim());
    (sql[..at].to_owned(), column.map(|column| column.trim_matches('"').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alter_node_keeps_what_is_not_given() {
        let Ok(Some(Statement::AlterNode(node))) = parse("ALTER NODE dn01 WITH (HOST='172.16.0.47', PORT=23001);")
        else {
            panic!("did not parse")
        };
        assert_eq!((node.name.as_str(), node.gtm), ("dn01", false));
        assert_eq!((node.host.as_deref(), node.port, node.primary), (Some("172.16.0.47"), Some(23001), None));
    }

    #[test]
    fn quoted_names_and_texts_keep_their_quotes_inside() {
        let Ok(Some(Statement::ExecuteDirect { node, sql })) = parse("execute direct on (\"Dn 1\") 'select ''x'', 1'")
        else {
            panic!("did not parse")
        };
        assert_eq!((node.as_str(), sql.as_str()), ("Dn 1", "select 'x', 1"));
    }

    #[test]
    fn set_and_show_of_any_name() {
        assert_eq!(
            parse("set lock_timeout = '2s'"),
            Ok(Some(Statement::Set { name: "lock_timeout".into(), value: Some("2s".into()), local: false }))
        );
        assert_eq!(
            parse("SET statement_timeout TO 300"),
            Ok(Some(Statement::Set { name: "statement_timeout".into(), value: Some("300".into()), local: false }))
        );
        assert_eq!(parse("show pgxc_node_name"), Ok(Some(Statement::Show("pgxc_node_name".into()))));
        assert_eq!(parse("select 1"), Ok(None));
    }

    #[test]
    fn nonsense_is_a_syntax_error() {
        for sql in ["alter node dn01", "alter node with (host='x')", "execute direct on dn01 'x'", "set x"] {
            assert_eq!(parse(sql).unwrap_err().code, "42601", "{sql}");
        }
    }

    #[test]
    fn distribution_is_cut_off() {
        let (sql, by) = take_distribution("create table t(id int primary key, v text) distribute by shard(id)");
        assert_eq!((sql.trim(), by.as_deref()), ("create table t(id int primary key, v text)", Some("id")));
    }
}
