//! SQL by which clients are held while a datanode's master moves (docs/explanation/hold.md).

use std::time::Duration;

use super::{Sql, identifier};

/// The statements of one attempt, in one session and in this order. The attempt is over after `attempt`, whatever it waits
/// for; the server ends the session after `longest` without a statement, and the locks with it.
pub fn hold_tables(tables: &[TableName], attempt: Duration, longest: Duration) -> Vec<Sql> {
    let milliseconds = attempt.as_millis();
    let mut all = vec![
        Sql::new("begin"),
        // A wait for one lock, and for all of them.
        Sql::new(format!("set local lock_timeout = {milliseconds}")),
        Sql::new(format!("set local statement_timeout = {milliseconds}")),
        Sql::new(format!("set local idle_in_transaction_session_timeout = {}", longest.as_millis())),
        // The locks are written to the WAL: their end must not wait for a standby.
        Sql::new("set local synchronous_commit = local"),
    ];
    if !tables.is_empty() {
        all.push(lock_tables(tables));
    }
    all
}

/// Waits for the transactions that use the tables, and makes later statements wait.
fn lock_tables(tables: &[TableName]) -> Sql {
    let list: Vec<String> = tables.iter().map(|table| format!("only {}", table.quoted())).collect();
    Sql::new(format!("lock table {} in access exclusive mode", list.join(", ")))
}

/// The same for people, without the names of all tables.
pub fn hold_tables_in_words(attempt: Duration) -> String {
    format!(
        "begin; set local lock_timeout = {}; lock table <every table> in access exclusive mode",
        attempt.as_millis()
    )
}

/// Ends the hold: everybody who waits goes on.
pub fn release_hold() -> Sql {
    Sql::new("commit")
}

/// Ends an attempt.
pub fn give_up_hold() -> Sql {
    Sql::new("rollback")
}

/// A table as pg_tables names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName {
    pub schema: String,
    pub table: String,
}

impl TableName {
    fn quoted(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.table))
    }
}

/// Tables that clients may use, in a fixed order: columns schemaname and tablename. The server's own are left out, and
/// temporary ones, which lie in schemas of their own (pg_temp_N).
pub fn client_tables() -> Sql {
    Sql::new(
        "select schemaname, tablename from pg_tables where schemaname not like 'pg\\_%' \
         and schemaname <> 'information_schema' order by schemaname, tablename",
    )
}

/// Databases in which clients may have tables: column datname.
pub fn client_databases() -> Sql {
    Sql::new("select datname from pg_database where datallowconn and not datistemplate order by datname")
}

/// The limits of a hold: columns name and setting; deadlock_timeout in milliseconds.
pub fn hold_bounds() -> Sql {
    Sql::new(
        "select name, setting from pg_settings where name in ('deadlock_timeout', 'max_connections', \
         'max_locks_per_transaction', 'max_prepared_transactions', 'forward_port')",
    )
}

/// The client sessions of this database with an open transaction, the oldest first, at most five: columns pid, usename,
/// application_name, began and now (seconds since 1970), query. Those that wait for a table themselves do not count.
pub fn open_transactions() -> Sql {
    Sql::new(
        "select pid, usename, application_name, extract(epoch from xact_start) as began, \
         extract(epoch from clock_timestamp()) as now, query from pg_stat_activity \
         where backend_type = 'client backend' and pid <> pg_backend_pid() and datname = current_database() \
         and xact_start is not null and application_name <> 'otb' and (wait_event is null or wait_event <> 'relation') \
         order by xact_start limit 5",
    )
}

/// How many connections of a datanode are kept by idle sessions of coordinators. One that was given back to the pooler was
/// reset by it (RESET ALL; seen live on v2.6); one that is new has run nothing. On v5 both look alike (`Remote Fragment`), so
/// it is not asked there.
pub fn connections_kept() -> Sql {
    Sql::new(format!("select count(*) from pg_stat_activity where pid <> pg_backend_pid() and {KEPT}"))
}

pub(super) const KEPT: &str = "backend_type = 'client backend' and application_name <> 'otb' and state = 'idle' \
                               and query <> '' and query not like 'RESET ALL%'";

/// The sessions of this database that wait for a table: columns waiting, oldest and now (seconds since 1970). On v5 a session
/// that waits shows no query_start (seen live).
pub fn waiting_sessions() -> Sql {
    Sql::new(
        "select count(*) as waiting, extract(epoch from min(state_change)) as oldest, \
         extract(epoch from clock_timestamp()) as now from pg_stat_activity \
         where datname = current_database() and wait_event = 'relation'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let table = |schema: &str, table: &str| TableName { schema: schema.to_owned(), table: table.to_owned() };
        let all = hold_tables(
            &[table("public", "acc"), table("My \"S\"", "t1")],
            Duration::from_millis(400),
            Duration::from_secs(30),
        );
        assert_eq!(
            all.last().unwrap().as_str(),
            "lock table only \"public\".\"acc\", only \"My \"\"S\"\"\".t1 in access exclusive mode"
        );
        assert_eq!(all[3].as_str(), "set local idle_in_transaction_session_timeout = 30000");
    }

    #[test]
    fn a_database_without_tables_is_held_without_a_lock() {
        assert_eq!(hold_tables(&[], Duration::from_millis(400), Duration::from_secs(30)).len(), 5);
    }
}
