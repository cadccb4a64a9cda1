//! The limits of the coordinators, and the sessions that hold clients.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};

use super::Failed;
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::apply::held::Place;
use crate::model::InstanceId;
use crate::opentenbase::{client_databases, hold_bounds, sanitize_for_display};
use crate::plan::HOLD_ATTEMPT;
use crate::transport::{Rows, Session};

/// The most databases of all coordinators together; each takes two sessions.
const MOST_PLACES: usize = 128;

/// The share of a coordinator's lock table that a hold takes at most: where it is full, other sessions fail.
const SHARE: usize = 4;

/// The limits in the coordinators' settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    /// How long an attempt may wait.
    pub attempt: Duration,
    /// How many tables may be locked on each coordinator.
    pub tables: BTreeMap<InstanceId, usize>,
    /// Whether a pool reload without a change leaves sessions alone: on v5 it ends them (seen live).
    pub second: bool,
}

pub(super) async fn bounds(coordinators: &[InstanceId], access: &ClusterAccess<'_>) -> Result<Bounds, Failed> {
    let all = try_join_all(coordinators.iter().map(|id| async move {
        let rows = access.query(id, &hold_bounds(), ASK).await?;
        let read = read_bounds(&rows);
        read.ok_or_else(|| Failed::NotDone(format!("{id} did not report how many locks it can hold")))
    }));
    let all = all.await?;
    Ok(Bounds {
        attempt: all.iter().map(|own| own.attempt).min().unwrap_or(HOLD_ATTEMPT),
        tables: coordinators.iter().cloned().zip(all.iter().map(|own| own.tables)).collect(),
        second: all.iter().all(|own| !own.forwards),
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Own {
    attempt: Duration,
    tables: usize,
    /// It is of v5.
    forwards: bool,
}

fn read_bounds(rows: &Rows) -> Option<Own> {
    let setting = |name: &str| {
        let row = rows.iter().find(|row| row.get("name") == Some(name))?;
        row.get("setting")?.parse::<usize>().ok()
    };
    let sessions = setting("max_connections")?.checked_add(setting("max_prepared_transactions")?)?;
    let locks = setting("max_locks_per_transaction")?.checked_mul(sessions)?;
    let patience = Duration::from_millis(u64::try_from(setting("deadlock_timeout")?).ok()?);
    let forwards = setting("forward_port").is_some();
    Some(Own { attempt: HOLD_ATTEMPT.min(patience * 2 / 5), tables: locks / SHARE, forwards })
}

/// Two sessions in each database of each coordinator.
pub(super) async fn places(coordinators: &[InstanceId], access: &ClusterAccess<'_>) -> Result<Vec<Place>, Failed> {
    let databases = try_join_all(coordinators.iter().map(|id| databases(id, access))).await?;
    let all: Vec<(&InstanceId, String)> = coordinators
        .iter()
        .zip(databases)
        .flat_map(|(id, databases)| databases.into_iter().map(move |database| (id, database)))
        .collect();
    if all.len() > MOST_PLACES {
        let count = all.len();
        return Err(Failed::NotDone(format!(
            "clients cannot be held: the coordinators have {count} databases together, and otb can hold {MOST_PLACES}"
        )));
    }
    try_join_all(all.into_iter().map(|(id, database)| place(id, database, access))).await
}

async fn databases(coordinator: &InstanceId, access: &ClusterAccess<'_>) -> Result<Vec<String>, Failed> {
    let rows = access.query(coordinator, &client_databases(), ASK).await?;
    Ok(rows.iter().filter_map(|row| row.get("datname").map(str::to_owned)).collect())
}

async fn place(coordinator: &InstanceId, database: String, access: &ClusterAccess<'_>) -> Result<Place, Failed> {
    let asker = async {
        access.connections.session_in(&database, access.instance(coordinator)?, ASK).await.map_err(Failed::from)
    };
    let both = try_join(holder(coordinator, &database, access), asker).await;
    let (holder, asker) = both.map_err(|failed| {
        let database = sanitize_for_display(&database);
        Failed::NotDone(format!("clients cannot be held in database {database} of {coordinator}: {failed}"))
    })?;
    Ok(Place { coordinator: coordinator.clone(), database, holder, asker })
}

/// A session that can hold clients.
pub(super) async fn holder(
    coordinator: &InstanceId,
    database: &str,
    access: &ClusterAccess<'_>,
) -> Result<Session, Failed> {
    Ok(access.connections.inner_session_in(database, access.instance(coordinator)?, ASK).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(deadlock_timeout: &str) -> Rows {
        let all = [
            [Some("deadlock_timeout"), Some(deadlock_timeout)],
            [Some("max_connections"), Some("100")],
            [Some("max_locks_per_transaction"), Some("64")],
            [Some("max_prepared_transactions"), Some("100")],
        ];
        Rows::of(&["name", "setting"], &all.each_ref().map(<[_; 2]>::as_slice))
    }

    #[test]
    fn an_attempt_is_over_long_before_a_deadlock_is_looked_for() {
        let bounds = read_bounds(&settings("1000")).unwrap();
        assert_eq!(bounds, Own { attempt: Duration::from_millis(400), tables: 3200, forwards: false });
        assert_eq!(read_bounds(&settings("200")).unwrap().attempt, Duration::from_millis(80));
        assert_eq!(read_bounds(&settings("nonsense")), None);
    }
}
