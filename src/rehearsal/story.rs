//! The story of one run.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::trial::Fate;
use crate::model::NodeName;
use crate::plan::{Plan, RehearsedEnd, Step, Story, Until, When, WithoutMaster};

/// How many nodes are named.
const NAMED: usize = 3;

/// The order of stories with the same end, the worst last.
pub(super) type Rank = (Option<Until>, u64);

pub(super) fn rank(fate: &Fate) -> Rank {
    (fate.down.values().max().copied(), fate.applies)
}

pub(super) fn story(step: &Step, when: When, (fault, then): (&Fault, Option<&Fault>), fate: &Fate) -> Story {
    let worst = fate.down.iter().max_by_key(|(_, until)| **until).map(|(node, _)| node.clone());
    let breached = fate.breach.as_ref().map(|breach| breach.node.clone());
    Story {
        end: fate.end,
        node: breached.or(worst).unwrap_or_else(|| step.action.target().node.clone()),
        fault: fault.words(),
        then: then.map(Fault::words),
        moment: when,
        step: step.id.clone(),
        clients: clients(fate),
        exit: (*fault != Fault::OtbKilled && then != Some(&Fault::OtbKilled)).then_some(fate.exit),
        further_applies: fate.applies,
        way_out: way_out(fate, then.unwrap_or(fault)),
    }
}

fn clients(fate: &Fate) -> String {
    if let Some(breach) = fate.breach.as_ref().filter(|_| fate.end.is_bad()) {
        return breach.what.clone();
    }
    let Some(until) = fate.down.values().max().copied() else { return "every node serves all the time".to_owned() };
    let nodes = named(&fate.down, until);
    match until {
        Until::Run => format!("no master of {nodes} answers while otb works"),
        Until::NextApply => format!("no master of {nodes} answers until otb apply runs again"),
        Until::FaultOver => format!("no master of {nodes} answers until the fault ends and otb apply runs again"),
        Until::Person => format!("no master of {nodes} answers until a person brings it back"),
    }
}

fn named(down: &BTreeMap<NodeName, Until>, until: Until) -> String {
    let nodes: Vec<&str> = down.iter().filter(|(_, at)| **at == until).map(|(node, _)| node.as_str()).collect();
    let more = nodes.len().saturating_sub(NAMED);
    let named = nodes.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn way_out(fate: &Fate, fault: &Fault) -> String {
    let fix = match fate.refused.as_slice() {
        [] => "run otb plan and follow its hints".to_owned(),
        checks => format!("fix what the checks name ({}), then run otb apply", checks.join(", ")),
    };
    match fate.end {
        RehearsedEnd::AsPlanned => "nothing to do".to_owned(),
        RehearsedEnd::Finished if fate.after_the_fault => format!("when {}, run otb apply", fault.is_over()),
        RehearsedEnd::Finished => "run otb apply".to_owned(),
        RehearsedEnd::RolledBack if fate.refused.is_empty() => format!("when {}, run otb apply", fault.is_over()),
        RehearsedEnd::RolledBack | RehearsedEnd::NeedsPerson => fix,
        RehearsedEnd::LosesData => "do not apply this plan; report it".to_owned(),
    }
}

/// The longer of what was found so far and what this run adds.
pub(super) fn longer(so_far: Option<WithoutMaster>, plan: &Plan, fate: &Fate) -> Option<WithoutMaster> {
    let of = |(node, until): (&NodeName, &Until)| {
        let expected = plan.expected_gap(node).filter(|_| *until == Until::Run);
        let milliseconds = expected.map(|gap| match fate.end {
            RehearsedEnd::AsPlanned => gap.most_milliseconds,
            _ => gap.longest_seconds.saturating_mul(1000),
        });
        WithoutMaster { until: *until, milliseconds, node: node.clone() }
    };
    fate.down.iter().map(of).chain(so_far).max_by(|a, b| {
        // Among equal ones the first node is named.
        (a.until, a.milliseconds).cmp(&(b.until, b.milliseconds)).then_with(|| b.node.cmp(&a.node))
    })
}
