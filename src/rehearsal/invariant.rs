//! The invariants of every state, whatever went wrong.

use std::collections::BTreeSet;

use super::lab::Lab;
use super::run::Run;
use crate::model::{InstanceId, NodeKind, NodeName};
use crate::plan::{Action, Plan, Verdict};
use crate::sandbox::world::{Body, DiskId, Gtm, GtmLog, Postgres, Reach};

/// Something that must never be so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breach {
    pub kind: BreachKind,
    pub node: NodeName,
    /// One clause: what is so.
    pub what: String,
}

/// The kinds, as far as what follows differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreachKind {
    /// Clients write to two masters, or what one acknowledged is not in the other.
    Loss,
    /// A GTM took over without its log.
    Log,
    /// Clients wait, and no step releases them.
    Held,
    /// An interrupted commit stays in doubt.
    InDoubt,
}

/// For each node, routers can reach at most one process that accepts writes; for the GTM, at most one active one.
pub(super) fn two_masters(lab: &Lab) -> Option<Breach> {
    lab.cluster.nodes.values().find_map(|node| {
        let reached = masters_in_reach(lab, &node.name).len();
        let what = format!("{} has {reached} masters that can be reached", node.name);
        (reached > 1).then(|| Breach { kind: BreachKind::Loss, node: node.name.clone(), what })
    })
}

/// Whether clients reach a master of the node: through every coordinator that runs and answers.
pub(super) fn serves(lab: &Lab, node: &NodeName) -> bool {
    let world = &lab.world;
    let kind = lab.cluster.nodes.get(node).map(|node| node.kind);
    if kind == Some(NodeKind::Coordinator) {
        return world.master(node).is_some_and(|disk| !world.is_silent(disk));
    }
    let coordinators = world
        .disks()
        .filter(|(disk, copy)| copy.home.kind == NodeKind::Coordinator && copy.is_master() && !world.is_silent(*disk));
    let mut reached = coordinators.map(|(_, router)| {
        let pooled = router.process.as_ref().and_then(|process| process.pooler.address(node.as_str()));
        pooled.is_some_and(|(host, port)| match world.reach(&router.home.server, &host, port) {
            Reach::Live(disk) => is_master_of(lab, node, disk),
            Reach::Refused | Reach::Silent => false,
        })
    });
    let some = reached.next();
    some == Some(true) && reached.all(|reached| reached)
}

fn masters_in_reach(lab: &Lab, node: &NodeName) -> BTreeSet<DiskId> {
    let world = &lab.world;
    let routers = world.disks().filter(|(disk, copy)| copy.is_master() && !world.is_hung(*disk));
    let leads = |(_, router): (_, &Postgres)| {
        let row = router.data.routes.get(node.as_str()).map(|row| (row.host.clone(), row.port));
        let pooled = router.process.as_ref().and_then(|process| process.pooler.address(node.as_str()));
        let reached = row.into_iter().chain(pooled);
        let reached = reached.map(|(host, port)| world.reach(&router.home.server, &host, port));
        reached.collect::<Vec<_>>()
    };
    let reached = routers.flat_map(leads).filter_map(|reach| match reach {
        Reach::Live(disk) => Some(disk),
        Reach::Refused | Reach::Silent => None,
    });
    reached.filter(|disk| is_master_of(lab, node, *disk)).collect()
}

fn is_master_of(lab: &Lab, node: &NodeName, disk: DiskId) -> bool {
    let world = &lab.world;
    world.postgres(disk).is_some_and(|copy| copy.home.node == *node && copy.is_master())
        || world.gtm(disk).is_some_and(|gtm| gtm.home.node == *node && gtm.is_active())
}

/// The plan names the possible loss of this promotion. For a GTM that is down it is not known how far it went, which
/// is a warning.
fn is_told(lab: &Lab, plan: &Plan, promoted: &InstanceId) -> bool {
    let is_gtm = lab.cluster.nodes.get(&promoted.node).is_some_and(|node| node.kind == NodeKind::Gtm);
    // With synchronous replication, commits that no client saw may be missing, and the check says so.
    let may_warn = is_gtm || lab.commits_wait();
    let says = |verdict| if may_warn { verdict != Verdict::Pass } else { verdict == Verdict::Waived };
    let loss = format!("data-loss:{}", promoted.node);
    plan.checks.iter().any(|check| check.id.as_str() == loss && says(check.verdict))
}

impl Run<'_> {
    /// A run that ends well leaves no transaction in doubt that was in doubt when it began, except for a plan whose
    /// rest follows and for masters that start after they were asked.
    pub(super) fn unsettled(&self) -> Option<Breach> {
        let settles = self.plan.steps.iter().any(|step| matches!(step.action, Action::Settle { .. }));
        let left: Vec<String> = self.lab.in_doubt().intersection(&self.in_doubt).cloned().collect();
        let excused = self.plan.afterwards.is_some() || settles && !self.started.is_empty() || left.is_empty();
        let holder =
            self.lab.world.disks().find(|(_, copy)| left.iter().any(|gid| copy.data.prepared.contains_key(gid)));
        let node = holder.filter(|_| !excused).map(|(_, copy)| copy.home.node.clone())?;
        Some(Breach { kind: BreachKind::InDoubt, node, what: format!("it ended well and left {left:?} in doubt") })
    }

    /// Whatever any copy of the node has committed is in the copy that became master, or the plan carries the waiver
    /// that says otherwise by name.
    pub(super) fn lost(&self, promoted: &InstanceId) -> Option<Breach> {
        if is_told(&self.lab, self.plan, promoted) {
            return None;
        }
        let world = &self.lab.world;
        let Some(own) = world.postgres(self.lab.disk(promoted)) else { return self.half_a_gtm(promoted) };
        if !own.is_master() {
            return None;
        }
        let have: BTreeSet<_> = own.wal.records().iter().map(|record| (record.end, record.timeline)).collect();
        let others = self.lab.disks.iter().filter(|(id, _)| id.node == promoted.node);
        let others = others.filter_map(|(id, disk)| Some((id, world.postgres(*disk)?)));
        let lost = others.flat_map(|(id, copy)| copy.wal.records().iter().map(move |record| (id, record)));
        let mut lost = lost.filter(|(_, record)| {
            matches!(record.body, Body::Commit(_)) && !have.contains(&(record.end, record.timeline))
        });
        let (id, record) = lost.next()?;
        let what = format!("{promoted} was promoted without what {id} has at {}", record.end);
        Some(Breach { kind: BreachKind::Loss, node: promoted.node.clone(), what })
    }

    /// A GTM that took over knows all that another handed out, and where its own log ends.
    fn half_a_gtm(&self, promoted: &InstanceId) -> Option<Breach> {
        let gtm = |id: &InstanceId| self.lab.world.gtm(self.lab.disk(id));
        let own = gtm(promoted).filter(|gtm| gtm.is_active())?;
        let log = own.process.as_ref().map(|process| process.log);
        let breach = |kind, what| Some(Breach { kind, node: promoted.node.clone(), what });
        // docs/limits.md: no answer of a GTM shows that another program has just started it.
        if !self.started.contains(promoted) && log != Some(GtmLog::EndKnown) {
            return breach(BreachKind::Log, format!("{promoted} was promoted before it had replayed a record"));
        }
        let others = self.lab.disks.keys().filter(|id| id.node == promoted.node).filter_map(gtm);
        let most = others.map(Gtm::flushed).max();
        if most > Some(own.flushed()) {
            return breach(BreachKind::Loss, format!("{promoted} has less than another GTM"));
        }
        None
    }
}
