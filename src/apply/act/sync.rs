//! Commits that wait for standbys.

use std::time::{Duration, Instant};

use super::{Failed, PATIENTLY};
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::apply::condition::{self, Found, Wait};
use crate::model::{Condition, InstanceId};
use crate::opentenbase::{commit_that_waits, query, sanitize_for_display};

/// How often the standbys are asked for: clients wait for them.
const FINELY: Duration = Duration::from_millis(10);

/// Commits as a client does, once a standby that counts is there: in a session of its own, for otb's others do not wait.
pub(super) async fn prove_commit(id: &InstanceId, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    let any = Condition::Synchronous { master: id.clone(), standbys: 1 };
    let found = condition::wait(&any, access, Wait { limit, blind: limit, every: FINELY }).await;
    if let Found::Fails(why) | Found::Unknown(why) = found {
        return Err(Failed::NotDone(why));
    }
    let instance = access.instance(id)?;
    let session = access.connections.session(instance, ASK).await?;
    let left = deadline.saturating_duration_since(Instant::now()).max(PATIENTLY);
    let answer = session.act(&commit_that_waits(), left).await;
    session.close().await;
    let waited = |error| {
        Failed::NotDone(format!(
            "a commit on {id} that waits for its synchronous standbys does not \
        end: {error}"
        ))
    };
    answer.map(drop).map_err(waited)
}

/// Whether so many standbys of the master count for its commits.
pub(in crate::apply) async fn synchronous(
    id: &InstanceId,
    wanted: u32,
    access: &ClusterAccess<'_>,
) -> Result<Found, String> {
    let rows = access.query(id, &query::senders(), ASK).await.map_err(|error| error.to_string())?;
    let counts = |state: &str| matches!(state, "sync" | "quorum");
    let count = rows.iter().filter(|row| row.get("sync_state").is_some_and(counts)).count();
    if u32::try_from(count).is_ok_and(|count| count >= wanted) {
        return Ok(Found::Holds);
    }
    let listed: Vec<String> = rows
        .iter()
        .map(|row| {
            let text = |name| sanitize_for_display(row.get(name).unwrap_or_default());
            format!("{} ({}, {})", text("application_name"), text("state"), text("sync_state"))
        })
        .collect();
    let listed = if listed.is_empty() { "no standby".to_owned() } else { listed.join(", ") };
    Ok(Found::Fails(format!("{id} lists {listed}, but its commits wait for {wanted} synchronous standbys")))
}
