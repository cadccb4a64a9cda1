//! Holding clients: every table of every database locked on every coordinator at once, or not at all.

mod attempt;
mod blocker;
mod open;
mod second;

use std::time::{Duration, Instant};

use super::Failed;
use crate::apply::cluster_access::ClusterAccess;
use crate::apply::event::Event;
use crate::apply::held::Held;
use crate::model::InstanceId;
use attempt::Refused;

/// The shortest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// How often otb reports which session prevents the hold.
const TELL: Duration = Duration::from_secs(2);

/// How often one more lock is tried, for sessions that keep a connection, before what is held is taken for enough.
const MORE_LOCKS: u32 = 3;

/// Tries until all clients are held, for `wait` at most. An attempt is shorter than deadlock_timeout, so that the
/// server never cancels a client because of otb. A pause of at least the same length follows it.
pub(super) async fn hold(
    coordinators: &[InstanceId],
    masters: &[InstanceId],
    wait: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let began = Instant::now();
    let bounds = open::bounds(coordinators, access).await?;
    let mut places = open::places(coordinators, access).await?;
    let (mut attempts, mut more) = (0, 0);
    let mut told = began;
    loop {
        let at = Instant::now();
        attempts += 1;
        let mut found = attempt::lock_all(&places, &bounds).await;
        // A client that comes too late for one lock waits behind the next one.
        while let Ok(tables) = &found
            && bounds.second
            && more < MORE_LOCKS
            && second::keep_connections(masters, access).await > 0
        {
            more += 1;
            found = second::lock_again(&mut places, tables, &bounds, access).await;
        }
        let why = match found {
            Ok(tables) => {
                let since = Instant::now();
                let kept = if bounds.second { second::keep_connections(masters, access).await } else { 0 };
                let tables = tables.iter().map(Vec::len).sum();
                *access.hold.lock().await = Some(Held { places, since, attempts, tables, kept });
                return Ok(());
            }
            Err(Refused::InUse(why)) => blocker::in_the_way(&places).await.unwrap_or(why),
            Err(Refused::Hopeless(why)) => return Err(Failed::NotDone(why)),
        };
        let pause = at.elapsed().max(PAUSE);
        if began.elapsed() + pause + bounds.attempt >= wait {
            let seconds = wait.as_secs();
            return Err(Failed::NotDone(format!("otb could not hold clients within {seconds} s: {why}")));
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            (access.tell)(&Event::Note { text: format!("otb still waits to hold clients: {why}") });
        }
        tokio::time::sleep(pause).await;
    }
}

/// Releases the clients; does nothing if none are held.
pub(super) async fn release(access: &ClusterAccess<'_>) -> Result<(), Failed> {
    if let Some(held) = access.hold.lock().await.take() {
        *access.held.lock().await = Some(held.release().await);
    }
    Ok(())
}
