//! The sessions that hold clients while masters move. They hold by their open transactions: who drops them releases.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::milliseconds;
use crate::model::InstanceId;
use crate::opentenbase::{release_hold, waiting_sessions};
use crate::transport::{Rows, Session};

/// How long the question may take that clients wait for.
const COUNT: Duration = Duration::from_millis(500);

/// How long the end of the transactions may take.
const RELEASE: Duration = Duration::from_secs(5);

/// One database of one coordinator.
pub(super) struct Place {
    pub coordinator: InstanceId,
    pub database: String,
    /// Its transaction has the locks.
    pub holder: Session,
    /// An ordinary session beside it, for questions.
    pub asker: Session,
}

/// A hold in force.
pub(super) struct Held {
    pub places: Vec<Place>,
    pub since: Instant,
    pub attempts: u32,
    pub tables: usize,
    pub kept: u64,
}

/// How a hold ended, and which sessions waited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldReport {
    /// From the last lock until the release.
    pub milliseconds: u64,
    /// How often it was tried, the last time with success.
    pub attempts: u32,
    /// Tables that were locked, all coordinators and databases together.
    pub tables: usize,
    /// Sessions that kept a connection to a moved master, for they have prepared statements: each gets one error.
    pub kept_connections: u64,
    /// Sessions that waited when it was released.
    pub waiting: u64,
    /// How long the one of them that waited longest had waited.
    pub longest_wait_milliseconds: u64,
    /// Coordinators on which it had ended before its release.
    pub ended_early: Vec<InstanceId>,
}

impl Held {
    /// Releases the clients, and reports which sessions waited.
    pub(super) async fn release(self) -> HoldReport {
        let places = join_all(self.places.into_iter().map(Place::release)).await;
        let took = self.since.elapsed();
        let mut report = HoldReport {
            milliseconds: milliseconds(took),
            attempts: self.attempts,
            tables: self.tables,
            kept_connections: self.kept,
            ..HoldReport::default()
        };
        for (coordinator, waited, released) in places {
            let (waiting, longest) = waited.unwrap_or_default();
            report.waiting += waiting;
            report.longest_wait_milliseconds = report.longest_wait_milliseconds.max(milliseconds(longest));
            if !released && !report.ended_early.contains(&coordinator) {
                report.ended_early.push(coordinator);
            }
        }
        report
    }
}

impl Place {
    /// The sessions that waited, if otb could find out, and whether the locks existed until now.
    async fn release(self) -> (InstanceId, Option<(u64, Duration)>, bool) {
        let Self { coordinator, holder, asker, .. } = self;
        let waited = asker.query(&waiting_sessions(), COUNT).await.ok().and_then(|rows| read_waiting(&rows));
        let released = holder.act(&release_hold(), RELEASE).await.is_ok();
        join(holder.close(), asker.close()).await;
        (coordinator, waited, released)
    }
}

/// The number of sessions that wait, and since when the first of them does.
fn read_waiting(rows: &Rows) -> Option<(u64, Duration)> {
    let row = rows.first()?;
    let waiting = row.get("waiting")?.parse().ok()?;
    let seconds = |column: &str| row.get(column)?.parse::<f64>().ok();
    let oldest = seconds("oldest").zip(seconds("now")).map_or(0.0, |(since, now)| (now - since).max(0.0));
    Some((waiting, Duration::try_from_secs_f64(oldest).ok()?))
}
