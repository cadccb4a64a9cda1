//! The answers of pg_clean about transactions in doubt (contrib/pg_clean/pg_clean.c).

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Sql, quote};
use crate::model::{Endpoint, IN_DOUBT_SECONDS, NodeName, TransactionState};

/// The youngest transaction that pg_clean finishes, in seconds (LEAST_CLEAN_TIME_INTERVAL, pg_clean.c; v5 takes 10 for a
/// smaller number and says so in a warning, seen live).
pub const LEAST_AGE_SECONDS: u64 = 3;

/// So many prepared transactions of one master are read at once.
pub const MOST_PREPARED: usize = 5000;

/// Finishes the transactions of this database that are in doubt: what is committed on one node is committed on all, what
/// is aborted on one node or was never decided is rolled back on all (check_txn_global_status, pg_clean.c). At most a
/// thousand in one call.
///
/// It takes what a client has prepared by PREPARE TRANSACTION for one of these, and rolls it back (seen live on v2.6):
/// never call it where there is such a transaction.
pub fn finish_in_doubt() -> Sql {
    Sql::new(format!("select * from pg_clean_execute({LEAST_AGE_SECONDS})"))
}

/// Whether sessions wait for a page behind a transaction in doubt: columns waiting (how many have waited for some seconds)
/// and gid (the oldest transaction that is in doubt). A writer among them has a page to itself, and neither a checkpoint nor
/// a fast stop ends then (seen live on v2.6).
pub fn waits_for_a_page() -> Sql {
    Sql::new(format!(
        "select (select count(*) from pg_stat_activity where wait_event = 'buffer_content' \
         and extract(epoch from state_change) + {WAITS_SECONDS} < extract(epoch from clock_timestamp())) as waiting, \
         (select gid from pg_prepared_xacts where extract(epoch from prepared) + {IN_DOUBT_SECONDS} \
         < extract(epoch from clock_timestamp()) order by prepared limit 1) as gid"
    ))
}

/// A session that is at a statement for so long, and waits for a page, hardly waits for a busy one.
const WAITS_SECONDS: u32 = 3;

/// The statement that a person runs once in each database, so that otb can finish what is in doubt there.
pub const CREATE_PG_CLEAN: &str = "create extension pg_clean";

/// `undefined_function`: the extension is not in that database.
pub const NO_SUCH_FUNCTION: &str = "42883";

/// Reads `transaction_status_on_allnodes`: a line for each node, such as `cn01        :TXN_STATUS_PREPARED`. A node that
/// knows nothing of the transaction (`TXN_STATUS_INITIAL`) is left out: it takes no part, or was not asked.
pub fn read_states(text: &str) -> BTreeMap<NodeName, TransactionState> {
    let line = |line: &str| {
        let (node, state) = line.split_once(':')?;
        let state = match state.trim() {
            "TXN_STATUS_INITIAL" => return None,
            "TXN_STATUS_PREPARED" => TransactionState::Prepared,
            "TXN_STATUS_COMMITTED" => TransactionState::Committed,
            "TXN_STATUS_ABORTED" => TransactionState::Aborted,
            _ => TransactionState::Unknown,
        };
        Some((NodeName::new(node.trim()).ok()?, state))
    };
    text.lines().filter_map(line).collect()
}

/// Reads [`super::query::sessions_that_write`], which gives a pid and a transaction id a row: the pid by transaction id.
pub fn read_sessions<'a>(rows: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> BTreeMap<u32, u32> {
    rows.filter_map(|(pid, xid)| Some((xid?.parse().ok()?, pid?.parse().ok()?))).collect()
}

/// How long ago a transaction was prepared, from two instants of one server's clock in seconds since 1970. One that lies
/// ahead, because that clock went back, is as young as can be.
pub fn prepared_age(prepared: &str, now: &str) -> Option<Duration> {
    let seconds = |text: &str| text.parse().ok().filter(|seconds: &f64| seconds.is_finite());
    Duration::try_from_secs_f64((seconds(now)? - seconds(prepared)?).max(0.0)).ok()
}

/// A psql command for a person to paste.
pub fn psql_line(at: &Endpoint, user: &str, database: &str, sql: &str) -> String {
    let place = format!("host={} port={} user={user} dbname={database}", at.host, at.port);
    format!("psql {} -c {}", quote(&place), quote(sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_as_a_live_server_prints_them() {
        let text = "cn01        :TXN_STATUS_INITIAL\ncn02        :TXN_STATUS_INITIAL\n\
                    dn01        :TXN_STATUS_PREPARED\ndn02        :TXN_STATUS_COMMITTED";
        let told: Vec<_> = read_states(text).into_iter().map(|(node, state)| (node.to_string(), state)).collect();
        let (dn01, dn02) = ("dn01".to_owned(), "dn02".to_owned());
        assert_eq!(told, [(dn01, TransactionState::Prepared), (dn02, TransactionState::Committed)]);
    }

    #[test]
    fn a_state_of_another_version_is_unknown_and_nonsense_is_nothing() {
        let read = read_states("dn01:TXN_STATUS_INPROGRESS\nnonsense\n:x");
        assert_eq!(read.values().collect::<Vec<_>>(), [&TransactionState::Unknown]);
        assert!(read_states("").is_empty());
    }
}
