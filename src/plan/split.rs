//! Two masters of one node: where their histories parted, and what the one that is given up takes with it.

use bytesize::ByteSize;

use super::situation::Situation;
use crate::model::{InstanceFacts, InstanceId, Lsn, Node, NodeKind, Observation, Timeline};

/// Each timeline that a copy went through with the position at which it was left; of its own there is none.
fn lineage(facts: &InstanceFacts) -> Option<Vec<(Timeline, Option<Lsn>)>> {
    let own = (*facts.timeline.known()?, None);
    let before = facts.history.known()?.iter().map(|switch| (switch.timeline, Some(switch.at)));
    Some(before.chain([own]).collect())
}

/// The point where the histories of two instances split. `None` means unknown: an instance that was started as a
/// master without a promotion continues on the same timeline.
pub(super) fn parted_at(a: &InstanceFacts, b: &InstanceFacts) -> Option<Lsn> {
    let mut common = None;
    for ((left, left_end), (right, right_end)) in lineage(a)?.into_iter().zip(lineage(b)?) {
        if left != right {
            return common;
        }
        if left_end != right_end || left_end.is_none() {
            return left_end.into_iter().chain(right_end).min();
        }
        common = left_end;
    }
    None
}

/// What `other` wrote alone, in one clause.
pub(super) fn wrote_alone(kept: &InstanceFacts, other: &InstanceFacts) -> String {
    match (parted_at(kept, other), other.wal_end.known()) {
        (Some(at), Some(end)) => format!("{} of WAL after both split at {at}", ByteSize(end.bytes_ahead_of(at))),
        (Some(at), None) => format!("an unknown amount of WAL after both split at {at}"),
        (None, _) => "an unknown amount of WAL: no history file shows where both split".to_owned(),
    }
}

/// Why the node's change is a repair.
pub(super) fn because(node: &Node, situation: &Situation, seen: &Observation) -> String {
    let Situation::Split { others } = situation else { return String::new() };
    let declared = node.master_id();
    let loses = |other: &InstanceId| match (seen.instances.get(&declared), seen.instances.get(other)) {
        _ if node.kind == NodeKind::Gtm => format!("{other} with the sequence values that it assigned alone"),
        (Some(kept), Some(facts)) => format!("{other} with {}", wrote_alone(kept, facts)),
        _ => other.to_string(),
    };
    let list: Vec<String> = others.iter().map(loses).collect();
    format!("{declared} is kept; given up: {}", list.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fact, TimelineSwitch, UnknownKind};

    /// A copy on `timeline` whose ancestors were left at these positions.
    fn copy(timeline: u32, history: &[(u32, u64)], end: u64) -> InstanceFacts {
        let switch = |(timeline, at): &(u32, u64)| TimelineSwitch { timeline: Timeline(*timeline), at: Lsn(*at) };
        let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "not asked");
        facts.timeline = Fact::Known(Timeline(timeline));
        facts.history = Fact::Known(history.iter().map(switch).collect());
        facts.wal_end = Fact::Known(Lsn(end));
        facts
    }

    #[test]
    fn a_promoted_copy_parted_from_its_old_master_where_its_timeline_began() {
        let (old, new) = (copy(1, &[], 5000), copy(2, &[(1, 1000)], 1200));
        assert_eq!((parted_at(&old, &new), parted_at(&new, &old)), (Some(Lsn(1000)), Some(Lsn(1000))));
        assert_eq!(wrote_alone(&new, &old), "3.9 KiB of WAL after both split at 0/3E8");
        assert_eq!(wrote_alone(&old, &new), "200 B of WAL after both split at 0/3E8");
    }

    #[test]
    fn two_promotions_parted_at_the_earlier_one() {
        let (one, other) = (copy(3, &[(1, 1000), (2, 3000)], 5000), copy(2, &[(1, 1000)], 4000));
        assert_eq!(parted_at(&one, &other), Some(Lsn(3000)));
        // The same number, given twice.
        assert_eq!(parted_at(&copy(2, &[(1, 800)], 900), &copy(2, &[(1, 1000)], 1100)), Some(Lsn(800)));
        assert_eq!(parted_at(&copy(2, &[(1, 800)], 900), &copy(3, &[(1, 800)], 1100)), Some(Lsn(800)));
    }

    #[test]
    fn without_a_promotion_nothing_tells() {
        let (one, other) = (copy(1, &[], 5000), copy(1, &[], 4000));
        assert_eq!(parted_at(&one, &other), None);
        assert!(wrote_alone(&one, &other).contains("no history file shows"));
    }
}
