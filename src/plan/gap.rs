//! How long a node is expected not to serve while its master moves: a range, from what was measured while the cluster
//! was looked at and from what the servers' own part took on real clusters (docs/performance.md has the model).

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;
use super::situation::Situation;
use super::survey::{NodeSurvey, RouterSurvey};
use crate::model::{InstanceId, NodeKind, Observation};

/// Ending sessions and a shutdown checkpoint with little to flush; sending the last WAL.
const STOP: Range = Range { least: 40, most: 300 };

/// A shutdown checkpoint beyond that: otb writes checkpoints before a datanode's stop until one takes less (three at
/// most); a coordinator has little more than catalogs to flush.
const FLUSH: Range = Range { least: 0, most: 500 };

/// The last WAL replayed, a timeline begun.
const PROMOTE: Range = Range { least: 20, most: 300 };

/// Two commands on servers: sudo or an ssh channel, and processes that start.
const COMMANDS: Range = Range { least: 20, most: 200 };

/// A standby that commits wait for: its server starts and streams, while the routes are updated.
const RETURN: Range = Range { least: 100, most: 3000 };

/// ALTER NODE that finds pgxc_node locked, once, and stands back.
const LOCKED: Range = Range { least: 0, most: 400 };

/// A GTM that stops, and one that writes its control file again before it may be asked.
const GTM: Range = Range { least: 250, most: 2500 };

/// v5: a promoted GTM gives no timestamp before its timekeeper's next round, one in five seconds (seen live).
const SILENCE: Range = Range { least: 0, most: 5000 };

/// Questions one after the other: of the standby (replayed, promoted), of the slowest router (its role, ALTER NODE, read
/// back, the reload, the pool) and through it. At worst each is slow, or asked again.
const ROUND_TRIPS: Range = Range { least: 8, most: 24 };

/// The least replay speed of a standby, in bytes per millisecond: 16 MiB a second.
const REPLAY: u64 = (16 << 20) / 1000;

/// Milliseconds, or a number of times.
#[derive(Debug, Clone, Copy)]
struct Range {
    least: u64,
    most: u64,
}

/// How long a node is expected not to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedGap {
    /// With nothing in the way.
    pub least_milliseconds: u64,
    /// With everything in the way that is waited for without a failure.
    pub most_milliseconds: u64,
    /// In seconds, with everything at its time limit, also a stop that does not end and the way back.
    #[serde(default)]
    pub longest_seconds: u64,
}

/// For a switchover from a running master. otb cannot expect how long a node without a master has been down.
pub(crate) fn expected(
    survey: &NodeSurvey<'_>,
    fast_stop: Duration,
    (slowest_router, v5): (u64, bool),
    seen: &Observation,
) -> Option<ExpectedGap> {
    let Situation::Elsewhere { master } = &survey.situation else { return None };
    let to = survey.node.master_id();
    let returns = survey.sync.as_ref().is_some_and(|sync| !sync.early.is_empty());
    let mut parts = if survey.node.kind == NodeKind::Gtm {
        [GTM, COMMANDS].into_iter().chain(v5.then_some(SILENCE)).collect()
    } else {
        vec![STOP, FLUSH, PROMOTE, COMMANDS, LOCKED, behind(master, &to, seen)]
    };
    if returns {
        parts.push(RETURN);
    }
    let slowest = micros(&to, seen).unwrap_or(0).max(slowest_router);
    let sum = |pick: fn(&Range) -> u64| parts.iter().map(pick).fold(0, u64::saturating_add);
    let trips = |times: u64| slowest.saturating_mul(times).div_ceil(1000);
    Some(ExpectedGap {
        least_milliseconds: sum(|part| part.least).saturating_add(trips(ROUND_TRIPS.least)),
        most_milliseconds: sum(|part| part.most).saturating_add(trips(ROUND_TRIPS.most)),
        longest_seconds: limits::longest_gap(fast_stop).as_secs(),
    })
}

/// The longest round trip of a router whose routes are updated, in microseconds.
pub(crate) fn slowest(routers: &[RouterSurvey], seen: &Observation) -> u64 {
    routers.iter().filter_map(|router| micros(&router.router, seen)).max().unwrap_or(0)
}

fn micros(id: &InstanceId, seen: &Observation) -> Option<u64> {
    seen.instances.get(id)?.round_trip.known().copied()
}

/// What the standby still had to replay when it was observed: nothing, if it uses the time until the stop.
fn behind(master: &InstanceId, standby: &InstanceId, seen: &Observation) -> Range {
    let end = |id: &InstanceId| seen.instances.get(id)?.wal_end.known().copied();
    let lag = end(master).zip(end(standby)).map_or(0, |(master, standby)| master.bytes_ahead_of(standby));
    Range { least: 0, most: lag / REPLAY }
}
