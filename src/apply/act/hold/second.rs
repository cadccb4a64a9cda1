//! A second lock for clients that use server-side prepared statements.
//!
//! Such a session keeps its connection to the datanode, and drops it only at the top of its command loop after a pool
//! reload (HaveActiveDatanodeStatements, CheckInvalidateRemoteHandles). So each that waits behind the first lock gets to
//! run the one statement that it has, while the datanode still serves; then it drops its connection and waits behind the
//! second lock. One that is idle all the time keeps its connection, and gets one error with its next statement (all seen
//! live on v2.6).

use std::time::Duration;

use futures_util::future::{join, join_all, try_join_all};

use super::attempt::{Refused, Tables, at, changed, give_up, lock};
use super::open::{Bounds, holder};
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::apply::held::Place;
use crate::model::InstanceId;
use crate::opentenbase::{connections_kept, pool_reload, release_hold};

/// How long active clients get to come with their next statement, and so to stand before the second lock.
const COME: Duration = Duration::from_millis(100);

/// How long the second lock gets to stand in the queue before the first is released.
const QUEUE: Duration = Duration::from_millis(20);

/// How many sessions of coordinators keep a connection to one of `masters` while they do nothing. Not to know is as none.
pub(super) async fn keep_connections(masters: &[InstanceId], access: &ClusterAccess<'_>) -> u64 {
    let sql = connections_kept();
    let answers = join_all(masters.iter().map(|master| access.query(master, &sql, ASK))).await;
    answers.into_iter().filter_map(|answer| answer.ok()?.single()?.parse::<u64>().ok()).sum()
}

/// With the first lock in force, takes the second one and releases the first. If it fails, nothing stays locked.
pub(super) async fn lock_again(
    places: &mut [Place],
    tables: &Tables,
    bounds: &Bounds,
    access: &ClusterAccess<'_>,
) -> Result<Tables, Refused> {
    let hopeless = |failed: super::Failed| Refused::Hopeless(failed.to_string());
    let open = places.iter().map(|place| holder(&place.coordinator, &place.database, access));
    let seconds = try_join_all(open).await.map_err(hopeless)?;
    tokio::time::sleep(COME).await;
    let all = || places.iter().zip(&seconds);
    let locks = all().zip(tables).map(|((place, second), tables)| lock(place, second, tables, bounds.attempt));
    let (locked, released) = join(join_all(locks), change_over(places, access)).await;
    let refused = released.err().or_else(|| locked.into_iter().find_map(Result::err));
    let refused = match refused {
        None => changed(places, tables).await,
        refused => refused,
    };
    if let Some(refused) = refused {
        // The first lock may still be there if its release failed: its session goes with the refusal.
        give_up(all()).await?;
        return Err(refused);
    }
    for (place, second) in places.iter_mut().zip(seconds) {
        place.holder = second;
    }
    Ok(tables.clone())
}

/// Tells all sessions to drop their connections, and lets those go on that wait.
async fn change_over(places: &[Place], access: &ClusterAccess<'_>) -> Result<(), Refused> {
    tokio::time::sleep(QUEUE).await;
    let mut coordinators: Vec<&InstanceId> = places.iter().map(|place| &place.coordinator).collect();
    coordinators.dedup();
    let (reload, release) = (pool_reload(), release_hold());
    for answer in join_all(coordinators.iter().map(|id| access.act(id, &reload, ASK))).await {
        answer.map_err(|error| Refused::Hopeless(format!("pgxc_pool_reload(): {error}")))?;
    }
    let release = &release;
    let released = places.iter().map(|place| async move { (place, place.holder.act(release, ASK).await) });
    match join_all(released).await.into_iter().find_map(|(place, answer)| Some((place, answer.err()?))) {
        Some((place, error)) => Err(Refused::Hopeless(format!("{}: {error}", at(place)))),
        None => Ok(()),
    }
}
