//! What must hold in every state, whatever went wrong.

use std::collections::BTreeSet;

use otb::model::{InstanceId, NodeKind, NodeName};
use otb::plan::{Action, Verdict};
use otb::sandbox::world::{Body, DiskId, Gtm, Postgres, Reach};

use super::explore::Run;

impl Run<'_> {
    /// Of each node at most one process that may be written to can be reached by any router; of the GTM at most one
    /// that is active.
    pub(super) fn assert_one_master(&self) {
        for node in self.lab.cluster.nodes.values() {
            let reached = self.masters_in_reach(&node.name);
            assert!(reached.len() < 2, "{} has {} masters in reach after {:#?}", node.name, reached.len(), self.path);
        }
    }

    /// A run that ends well leaves nothing in doubt that was in doubt when it began, but for a plan whose rest is still
    /// to come and for masters that come up after they were asked.
    pub(super) fn assert_settled(&self) {
        let settles = self.plan.steps.iter().any(|step| matches!(step.action, Action::Settle { .. }));
        let started = self.path.iter().any(|happened| happened.starts_with("Start"));
        let left: Vec<String> = self.lab.in_doubt().intersection(&self.in_doubt).cloned().collect();
        let excused = self.plan.afterwards.is_some() || settles && started || left.is_empty();
        assert!(excused, "it ended well and left {left:?} in doubt: {:#?}", self.path);
    }

    fn masters_in_reach(&self, node: &NodeName) -> BTreeSet<DiskId> {
        let world = &self.lab.world;
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
        reached.filter(|disk| self.is_master_of(node, *disk)).collect()
    }

    fn is_master_of(&self, node: &NodeName, disk: DiskId) -> bool {
        let world = &self.lab.world;
        world.postgres(disk).is_some_and(|copy| copy.home.node == *node && copy.is_master())
            || world.gtm(disk).is_some_and(|gtm| gtm.home.node == *node && gtm.is_active())
    }

    /// Whatever any copy of the node has committed is in the copy that became master, or the plan carries the waiver
    /// that says otherwise by name.
    pub(super) fn assert_nothing_lost(&self, promoted: &InstanceId) {
        if self.is_told(promoted) {
            return;
        }
        let world = &self.lab.world;
        let Some(own) = world.postgres(self.lab.disks[promoted]) else { return self.assert_gtm_is_whole(promoted) };
        if !own.is_master() {
            return;
        }
        let have: BTreeSet<_> = own.wal.records().iter().map(|record| (record.end, record.timeline)).collect();
        for (id, disk) in self.lab.disks.iter().filter(|(id, _)| id.node == promoted.node) {
            for record in world.postgres(*disk).unwrap().wal.records() {
                let lost = matches!(record.body, Body::Commit(_)) && !have.contains(&(record.end, record.timeline));
                assert!(!lost, "{promoted} was promoted without what {id} has at {}: {:#?}", record.end, self.path);
            }
        }
    }

    /// A GTM that took over knows all that another handed out, and where its own log ends.
    fn assert_gtm_is_whole(&self, promoted: &InstanceId) {
        let gtm = |id: &InstanceId| self.lab.world.gtm(self.lab.disks[id]);
        let Some(own) = gtm(promoted).filter(|gtm| gtm.is_active()) else { return };
        let log = own.process.as_ref().map(|process| process.log);
        // docs/limits.md: nothing that a GTM answers shows that somebody else has just started it.
        let started = self.path.contains(&format!("Start({:?})", promoted.to_string()));
        let whole = started || log == Some(otb::sandbox::world::GtmLog::EndKnown);
        assert!(whole, "{promoted} was promoted before it had redone a record: {:#?}", self.path);
        let others = self.lab.disks.keys().filter(|id| id.node == promoted.node).filter_map(gtm);
        let most = others.map(Gtm::flushed).max();
        assert!(most <= Some(own.flushed()), "{promoted} knows less than another GTM: {:#?}", self.path);
    }

    /// The plan says by name that this promotion may lose something. Of a GTM that is down it cannot be told how far
    /// it went, which is a warning.
    fn is_told(&self, promoted: &InstanceId) -> bool {
        let is_gtm = self.lab.cluster.nodes[&promoted.node].kind == NodeKind::Gtm;
        // Of commits that wait for a standby those that no client was told of may be missing, and the check says so.
        let may_warn = is_gtm || self.lab.synchronous;
        let says = |verdict| if may_warn { verdict != Verdict::Pass } else { verdict == Verdict::Waived };
        let loss = format!("data-loss:{}", promoted.node);
        self.plan.checks.iter().any(|check| check.id.as_str() == loss && says(check.verdict))
    }
}
