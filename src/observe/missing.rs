//! The transactions that a failover would lose: asked of stopped instances with more WAL than the standby that will
//! become master. Only the answers of both show which WAL that is.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::{Limits, shell};
use crate::model::{
    Cluster, Control, Fact, Instance, InstanceFacts, InstanceId, Lsn, MissingWal, NodeName, Observation, Role,
    UnknownKind,
};
use crate::opentenbase::MissingRange;
use crate::transport::Connections;

/// A stopped instance that holds more WAL than the declared master of its node, a running standby.
struct Question<'a> {
    of: &'a Instance,
    control: &'a Control,
    standby: &'a Instance,
    range: Result<MissingRange, String>,
    /// Whether the standby's own WAL must show that it follows the instance's timeline.
    is_to_be_shown: bool,
}

/// Asks each stopped instance of `nodes` that holds more WAL than its node's declared master, a running standby.
pub(super) async fn ask(
    cluster: &Cluster,
    nodes: &BTreeSet<&NodeName>,
    connections: &Connections,
    limits: &Limits,
    seen: &Observation,
) -> Vec<(InstanceId, Fact<MissingWal>)> {
    let shells = Semaphore::new(limits.shells.get());
    let answers = questions(cluster, nodes, seen).into_iter().map(async |question| {
        // The semaphore is never closed; if it were, asking without a permit is still right.
        let _permit = shells.acquire().await.ok();
        (question.of.id.clone(), question.answer(connections, limits).await)
    });
    join_all(answers).await
}

impl Question<'_> {
    async fn answer(&self, connections: &Connections, limits: &Limits) -> Fact<MissingWal> {
        let Self { of, control, standby, range, is_to_be_shown } = self;
        let range = match range {
            Ok(range) => range,
            Err(why) => return Fact::unknown(UnknownKind::Unreadable, why.clone()),
        };
        if *is_to_be_shown {
            match shell::has_received(connections, standby, control, range.beyond, limits).await {
                Ok(true) => {}
                Ok(false) => {
                    let (id, timeline) = (&standby.id, control.timeline);
                    let why = format!("{id} has no WAL of timeline {timeline}, the timeline of {}", of.id);
                    return Fact::unknown(UnknownKind::Unreadable, why);
                }
                Err(unknown) => return Fact::Unknown(unknown),
            }
        }
        shell::missing_wal(connections, of, control, range, limits).await
    }
}

fn questions<'a>(cluster: &'a Cluster, nodes: &BTreeSet<&NodeName>, seen: &'a Observation) -> Vec<Question<'a>> {
    let affected = cluster.nodes.values().filter(|node| node.kind.is_router() && nodes.contains(&node.name));
    let of_node = affected.filter_map(|node| {
        let standby = node.master_instance()?;
        let own = seen.instances.get(&standby.id).filter(|facts| facts.is_running(Role::Standby))?;
        let known = own.standby.known()?;
        let beyond = known.holds()?;
        let asked = node.standbys().filter_map(move |of| {
            let facts = seen.instances.get(&of.id).filter(|facts| facts.is_stopped())?;
            let (end, control) = (*facts.wal_end.known()?, facts.control.known()?);
            let start = known.replayed.ok_or_else(|| format!("{} has replayed nothing yet", standby.id));
            let range = start.map(|start| MissingRange { start, beyond, end });
            let is_to_be_shown = !is_one_history(own, beyond, facts);
            (end > beyond).then_some(Question { of, control, standby, range, is_to_be_shown })
        });
        Some(asked)
    });
    of_node.flatten().collect()
}

/// Whether positions of both compare by what their control files and history files say: the standby is on the instance's
/// timeline, or on one before it that the instance left no earlier than the standby's WAL ends. A standby may be further
/// than its control file.
fn is_one_history(standby: &InstanceFacts, holds: Lsn, facts: &InstanceFacts) -> bool {
    let Some(timeline) = standby.timeline.known() else { return false };
    let history = facts.history.known().map(Vec::as_slice).unwrap_or_default();
    facts.control.is_known_and(|control| control.timeline == *timeline)
        || history.iter().any(|switch| switch.timeline == *timeline && holds <= switch.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ControlState, SystemId, Timeline, TimelineSwitch};

    #[test]
    fn positions_of_two_histories_do_not_compare() {
        let standby = |timeline: u32| {
            let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "not asked");
            facts.timeline = Fact::Known(Timeline(timeline));
            facts
        };
        let mut master = standby(2);
        master.control = Fact::Known(control(2));
        master.history = Fact::Known(vec![TimelineSwitch { timeline: Timeline(1), at: Lsn(1000) }]);
        let unknown = InstanceFacts::unknown(UnknownKind::NotAsked, "not asked");
        for (standby, holds, is_one) in [
            (standby(2), 2000, true),
            (standby(1), 1000, true),
            (standby(1), 1001, false),
            (standby(3), 1000, false),
            (unknown, 1000, false),
        ] {
            assert_eq!(is_one_history(&standby, Lsn(holds), &master), is_one, "{:?} {holds}", standby.timeline);
        }
    }

    fn control(timeline: u32) -> Control {
        Control {
            state: ControlState::InProduction,
            system_id: SystemId(1),
            timeline: Timeline(timeline),
            checkpoint_timeline: Timeline(timeline),
            checkpoint: Lsn(900),
            redo: Lsn(900),
            wal_segment_bytes: 16 << 20,
        }
    }
}
