//! The functions there are: one table of signatures, and the bodies of those that need no server.

use super::{Kind, SqlError, Value};

/// A function's name, argument counts and result type.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    pub name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
}

#[derive(Debug, Clone, Copy)]
enum Returns {
    Kind(Kind),
    /// The type of the first argument.
    First,
}

const fn function(name: &'static str, min: usize, max: usize, kind: Kind) -> Signature {
    Signature { name, min, max, returns: Returns::Kind(kind) }
}

const fn polymorphic(name: &'static str, min: usize, max: usize) -> Signature {
    Signature { name, min, max, returns: Returns::First }
}

const MANY: usize = 64;

/// Aggregates.
const AGGREGATES: &[Signature] = &[
    function("count", 0, 1, Kind::Int8),
    function("sum", 1, 1, Kind::Int8),
    polymorphic("max", 1, 1),
    polymorphic("min", 1, 1),
    function("string_agg", 2, 2, Kind::Text),
    function("bool_and", 1, 1, Kind::Bool),
    function("bool_or", 1, 1, Kind::Bool),
    function("every", 1, 1, Kind::Bool),
];

/// Functions of their arguments alone.
const PURE: &[Signature] = &[
    polymorphic("coalesce", 1, MANY),
    polymorphic("nullif", 2, 2),
    polymorphic("greatest", 1, MANY),
    polymorphic("least", 1, MANY),
    polymorphic("abs", 1, 1),
    function("lower", 1, 1, Kind::Text),
    function("upper", 1, 1, Kind::Text),
    function("length", 1, 1, Kind::Int4),
    function("concat", 1, MANY, Kind::Text),
    function("substr", 2, 3, Kind::Text),
    function("replace", 3, 3, Kind::Text),
    function("split_part", 3, 3, Kind::Text),
    function("quote_literal", 1, 1, Kind::Text),
    function("pg_wal_lsn_diff", 2, 2, Kind::Numeric),
    function("host", 1, 1, Kind::Text),
    function("md5", 1, 1, Kind::Text),
    function("row", 1, MANY, Kind::Text),
    function("date_part_epoch", 1, 1, Kind::Numeric),
];

/// Functions that the server answers.
const SERVER: &[Signature] = &[
    function("pg_is_in_recovery", 0, 0, Kind::Bool),
    function("pg_postmaster_start_time", 0, 0, Kind::TimestampTz),
    function("pg_current_wal_lsn", 0, 0, Kind::Lsn),
    function("pg_current_wal_insert_lsn", 0, 0, Kind::Lsn),
    function("pg_current_wal_flush_lsn", 0, 0, Kind::Lsn),
    function("pg_walfile_name", 1, 1, Kind::Text),
    function("pg_switch_wal", 0, 0, Kind::Lsn),
    function("pg_logical_emit_message", 3, 3, Kind::Lsn),
    function("pg_last_wal_receive_lsn", 0, 0, Kind::Lsn),
    function("pg_last_wal_replay_lsn", 0, 0, Kind::Lsn),
    function("pg_is_wal_replay_paused", 0, 0, Kind::Bool),
    function("pg_wal_replay_pause", 0, 0, Kind::Text),
    function("pg_wal_replay_resume", 0, 0, Kind::Text),
    function("pg_last_xact_replay_timestamp", 0, 0, Kind::TimestampTz),
    function("pg_is_in_backup", 0, 0, Kind::Bool),
    function("pgxc_pool_reload", 0, 0, Kind::Bool),
    function("pgxc_pool_check", 0, 0, Kind::Bool),
    function("pg_read_file", 1, 1, Kind::Text),
    function("pg_reload_conf", 0, 0, Kind::Bool),
    function("pg_backend_pid", 0, 0, Kind::Int4),
    function("pg_try_advisory_lock", 1, 2, Kind::Bool),
    function("pg_advisory_unlock", 1, 2, Kind::Bool),
    function("pg_advisory_unlock_all", 0, 0, Kind::Text),
    function("now", 0, 0, Kind::TimestampTz),
    function("clock_timestamp", 0, 0, Kind::TimestampTz),
    function("statement_timestamp", 0, 0, Kind::TimestampTz),
    function("transaction_timestamp", 0, 0, Kind::TimestampTz),
    function("current_timestamp", 0, 0, Kind::TimestampTz),
    function("version", 0, 0, Kind::Text),
    function("current_setting", 1, 2, Kind::Text),
    function("current_database", 0, 0, Kind::Name),
    function("current_catalog", 0, 0, Kind::Name),
    function("current_user", 0, 0, Kind::Name),
    function("session_user", 0, 0, Kind::Name),
    function("user", 0, 0, Kind::Name),
    function("inet_server_addr", 0, 0, Kind::Inet),
    function("inet_server_port", 0, 0, Kind::Int4),
    function("inet_client_addr", 0, 0, Kind::Inet),
    function("inet_client_port", 0, 0, Kind::Int4),
];

/// Finds a function and checks its argument count.
pub fn signature(name: &str, arguments: usize) -> Result<&'static Signature, SqlError> {
    [AGGREGATES, PURE, SERVER]
        .into_iter()
        .flatten()
        .find(|function| function.name == name && (function.min..=function.max).contains(&arguments))
        .ok_or_else(|| SqlError::no_function(&format!("{name}({})", vec!["unknown"; arguments].join(", "))))
}

impl Signature {
    /// The result type, given the first argument's.
    pub fn kind(&self, first: Option<Kind>) -> Kind {
        match self.returns {
            Returns::Kind(kind) => kind,
            Returns::First => first.unwrap_or(Kind::Text),
        }
    }
}

pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.iter().any(|function| function.name == name)
}

fn integer(value: &Value) -> Result<i64, SqlError> {
    match value.cast(Kind::Int8)? {
        Value::Int(n) => Ok(n),
        _ => Ok(0),
    }
}

/// Runs a function that needs no server; `None` means that the function is the server's.
pub(super) fn pure(name: &str, args: &[Value]) -> Option<Result<Value, SqlError>> {
    let lenient = matches!(name, "coalesce" | "nullif" | "greatest" | "least" | "concat" | "row");
    if !PURE.iter().any(|function| function.name == name) {
        return None;
    }
    if !lenient && args.contains(&Value::Null) {
        return Some(Ok(Value::Null));
    }
    let texts: Vec<String> = args.iter().map(|arg| arg.to_text().unwrap_or_default()).collect();
    let text = |n: usize| texts.get(n).map_or("", String::as_str);
    Some(match name {
        "coalesce" => Ok(args.iter().find(|arg| **arg != Value::Null).cloned().unwrap_or(Value::Null)),
        "nullif" => nullif(args),
        "greatest" | "least" => extreme(args, name == "greatest"),
        "abs" => integer(&args[0]).map(|n| Value::Int(n.abs())),
        "lower" => Ok(Value::text(text(0).to_lowercase())),
        "upper" => Ok(Value::text(text(0).to_uppercase())),
        "length" => Ok(Value::count(text(0).chars().count())),
        "concat" => Ok(Value::text(texts.concat())),
        "substr" => substr(args, text(0)),
        "replace" => Ok(Value::text(text(0).replace(text(1), text(2)))),
        "split_part" => integer(&args[2]).map(|n| {
            let index = usize::try_from(n).unwrap_or(0).saturating_sub(1);
            Value::text(text(0).split(text(1)).nth(index).unwrap_or_default())
        }),
        "quote_literal" => Ok(Value::text(format!("'{}'", text(0).replace('\'', "''")))),
        "pg_wal_lsn_diff" => lsn_diff(args),
        "host" => Ok(Value::text(text(0))),
        "md5" => Ok(Value::Text(md5(text(0)))),
        "row" => Ok(Value::Text(record(args))),
        // extract(epoch from ...): a double in PostgreSQL 10, whose text has fifteen digits (seen live).
        "date_part_epoch" => match &args[0] {
            Value::Time(moment) => Ok(Value::text(moment.epoch_text())),
            other => Err(SqlError::unsupported(format!("extract(epoch from {other:?})"))),
        },
        _ => Err(SqlError::no_function(name)),
    })
}

fn md5(text: &str) -> String {
    use ::md5::Digest as _;
    use std::fmt::Write as _;
    ::md5::Md5::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A row as `record_out` writes it: what is empty or could be misread is quoted, NULL is nothing.
fn record(args: &[Value]) -> String {
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',') || c.is_ascii_whitespace() || c == '\u{b}';
    let fields = args.iter().map(|value| match value.to_text() {
        Some(text) if text.is_empty() || text.contains(special) => {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
        }
        text => text.unwrap_or_default(),
    });
    format!("({})", fields.collect::<Vec<_>>().join(","))
}

fn nullif(args: &[Value]) -> Result<Value, SqlError> {
    let equal = args[0] != Value::Null && args[1] != Value::Null && args[0].compare(&args[1])?.is_eq();
    Ok(if equal { Value::Null } else { args[0].clone() })
}

/// The largest or smallest value that is not NULL.
pub(super) fn extreme(values: &[Value], largest: bool) -> Result<Value, SqlError> {
    let mut best = Value::Null;
    for value in values.iter().filter(|value| **value != Value::Null) {
        let better = best == Value::Null || value.compare(&best)?.is_gt() == largest;
        if better {
            best = value.clone();
        }
    }
    Ok(best)
}

fn substr(args: &[Value], text: &str) -> Result<Value, SqlError> {
    let start = usize::try_from(integer(&args[1])?).unwrap_or(1).saturating_sub(1);
    let length = match args.get(2) {
        Some(length) => usize::try_from(integer(length)?).unwrap_or(0),
        None => usize::MAX,
    };
    Ok(Value::text(text.chars().skip(start).take(length).collect::<String>()))
}

fn lsn_diff(args: &[Value]) -> Result<Value, SqlError> {
    let (Value::Lsn(a), Value::Lsn(b)) = (args[0].cast(Kind::Lsn)?, args[1].cast(Kind::Lsn)?) else {
        return Ok(Value::Null);
    };
    let difference = i128::from(a.0) - i128::from(b.0);
    Ok(Value::count(difference))
}
