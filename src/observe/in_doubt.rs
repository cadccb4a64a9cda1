//! Transactions in doubt: each master lists its own, and pg_clean reports their state on other nodes.

use std::collections::{BTreeMap, BTreeSet};

use super::Limits;
use crate::model::{
    Cluster, Fact, IN_DOUBT_SECONDS, InDoubt, Instance, Instances, NodeKind, Origin, PreparedTransaction,
    PreparedTransactions, Role, TransactionState, UnknownKind,
};
use crate::opentenbase::{prepared_age, query, read_sessions, read_states, sanitize_for_display};
use crate::transport::{Connections, Deadline, Row, Rows, SqlError};

type States = BTreeMap<crate::model::NodeName, TransactionState>;

/// From [`query::prepared`].
pub(super) fn prepared(rows: &Rows) -> Result<PreparedTransactions, String> {
    let total = rows.first().and_then(|row| row.get("total")).map_or(Ok(0), str::parse);
    let count = total.map_err(|_| "the number of prepared transactions is not a number".to_owned())?;
    let oldest = rows.iter().map(|row| one(&row)).collect::<Result<_, _>>()?;
    Ok(PreparedTransactions { count, oldest })
}

fn one(row: &Row<'_>) -> Result<PreparedTransaction, String> {
    let text = |name: &str| row.get(name).ok_or_else(|| format!("a prepared transaction has no {name}"));
    let age = prepared_age(text("prepared")?, text("now")?).ok_or("a prepared transaction has no age")?;
    Ok(PreparedTransaction {
        gid: sanitize_for_display(text("gid")?),
        database: sanitize_for_display(text("database")?),
        age_seconds: age.as_secs(),
    })
}

/// Collects the transactions in doubt. For those that coordinators began, it asks pg_clean for their states on other
/// participants, through one coordinator for each database.
pub(super) async fn ask(
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
    instances: &Instances,
) -> Vec<InDoubt> {
    let mut all = InDoubt::among(instances);
    let databases: BTreeSet<String> =
        all.iter().filter(|one| one.is_of_a_coordinator()).map(|one| one.database.clone()).collect();
    for database in databases {
        let states = in_database(&database, cluster, connections, limits, instances).await;
        for one in all.iter_mut().filter(|one| one.database == database && one.is_of_a_coordinator()) {
            one.states = match &states {
                Ok(states) => match states.get(&one.gid) {
                    Some(states) => Fact::Known(states.clone()),
                    None => Fact::unknown(UnknownKind::Unreadable, "pg_clean does not list it"),
                },
                Err(error) => error.fact(),
            };
        }
    }
    note_sessions(&mut all, cluster, connections, limits, instances).await;
    all
}

/// Notes which of them a session of its coordinator still commits.
async fn note_sessions(
    all: &mut [InDoubt],
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
    instances: &Instances,
) {
    let origins: BTreeSet<String> = all.iter().filter_map(|one| one.origin.coordinator().map(str::to_owned)).collect();
    for origin in origins {
        let node = cluster.nodes_of(NodeKind::Coordinator).find(|node| node.name.as_str() == origin);
        let mut running = node.into_iter().flat_map(|node| node.instances.values());
        let Some(coordinator) = running.find(|instance| runs_as_master(instance, instances)) else { continue };
        let Ok(session) = connections.session(coordinator, limits.answer).await else { continue };
        let answer = session.query(&query::sessions_that_write(), Deadline::from(limits.answer)).await;
        session.close().await;
        let Ok(rows) = answer else { continue };
        let sessions = read_sessions(rows.iter().map(|row| (row.get("pid"), row.get("xid"))));
        for one in all.iter_mut().filter(|one| one.origin.coordinator() == Some(origin.as_str())) {
            one.session = Origin::xid_of(&one.gid).and_then(|xid| sessions.get(&xid).copied());
        }
    }
}

fn runs_as_master(instance: &Instance, instances: &Instances) -> bool {
    instances.get(&instance.id).is_some_and(|facts| facts.is_running(Role::Master))
}

/// The answer of the first coordinator that gives one; else the last refusal.
async fn in_database(
    database: &str,
    cluster: &Cluster,
    connections: &Connections,
    limits: &Limits,
    instances: &Instances,
) -> Result<BTreeMap<String, States>, SqlError> {
    let coordinators = cluster.nodes_of(NodeKind::Coordinator).flat_map(|node| node.instances.values());
    let coordinators = coordinators.filter(|instance| runs_as_master(instance, instances));
    let mut answer = Ok(BTreeMap::new());
    for coordinator in coordinators {
        answer = through(coordinator, database, connections, limits).await;
        if answer.is_ok() {
            break;
        }
    }
    answer
}

async fn through(
    coordinator: &Instance,
    database: &str,
    connections: &Connections,
    limits: &Limits,
) -> Result<BTreeMap<String, States>, SqlError> {
    let deadline = Deadline::from(limits.answer);
    let session = connections.session_in(database, coordinator, limits.answer).await?;
    let answer = session.query(&query::transactions_in_doubt(IN_DOUBT_SECONDS), deadline).await;
    session.close().await;
    let read = |row: Row<'_>| {
        Some((
            row.get("gid").map(sanitize_for_display)?,
            read_states(row.get("transaction_status_on_allnodes").unwrap_or_default()),
        ))
    };
    Ok(answer?.iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 5] = ["gid", "database", "prepared", "now", "total"];

    #[test]
    fn prepared_transactions_have_an_age_and_are_counted() {
        let row = |gid, at| [Some(gid), Some("postgres"), Some(at), Some("112.75"), Some("70")];
        let read = prepared(&Rows::of(&COLUMNS, &[&row("a", "100"), &row("b", "113")])).unwrap();
        assert_eq!((read.count, read.oldest.len()), (70, 2));
        assert_eq!((read.oldest[0].age_seconds, read.oldest[1].age_seconds), (12, 0));
        assert_eq!(prepared(&Rows::of(&COLUMNS, &[])).unwrap(), PreparedTransactions::default());
    }

    #[test]
    fn what_is_no_age_is_not_guessed() {
        for bad in [Some("old"), Some("NaN"), None] {
            let row = [Some("a"), Some("postgres"), bad, Some("1"), Some("1")];
            assert!(prepared(&Rows::of(&COLUMNS, &[&row])).is_err(), "{bad:?}");
        }
    }
}
