//! WAL of a dead master with commits that no client saw: its commits waited for standbys.

use super::takeover::View;
use crate::model::{InstanceFacts, InstanceId, Lsn, Role, Settings, StandbyFacts};
use crate::opentenbase::SyncNames;
use crate::plan::survey::was_master;
use crate::plan::sync::own_name;

impl View<'_> {
    /// The dead master whose commits waited for standbys, if `candidate` holds everything that they received enough
    /// often: what it lacks was acknowledged to no client.
    ///
    /// A commit was acknowledged once `number` of the listed standbys had received it. If more of them than all but
    /// `number` have no more WAL than the candidate, one of those had the commit, and so has the candidate.
    pub(super) fn waited_for(&self, candidate: &InstanceId) -> Option<&InstanceId> {
        let (master, settings) = self.dead_master()?;
        let names = SyncNames::of(settings).ok().flatten()?;
        let held = |id: &InstanceId| holds(self.seen.instances.get(id)?);
        let end = held(candidate)?;
        let timeline = |id: &InstanceId| self.seen.instances.get(id)?.timeline.known();
        if timeline(candidate)? != timeline(master)? {
            return None;
        }
        let copies = self.node.instances.values().map(|copy| &copy.id).filter(|id| *id != master);
        // If the name of an instance is not known, it is not known either whether commits waited for it.
        let listed: Vec<&InstanceId> = copies.filter(|id| self.may_count(id, &names)).collect();
        let covered = listed.iter().filter(|id| held(id).is_some_and(|held| held <= end)).count();
        (covered + names.number > listed.len() && covered > 0).then_some(master)
    }

    /// The only stopped copy that was the master, and what its files say of commits.
    fn dead_master(&self) -> Option<(&InstanceId, &Settings)> {
        let facts = |id: &InstanceId| self.seen.instances.get(id);
        let ids = self.node.instances.values().map(|copy| &copy.id);
        let mut dead = ids.filter(|id| facts(id).is_some_and(|facts| was_master(self.node.kind, facts)));
        let (id, None) = (dead.next()?, dead.next()) else { return None };
        // If an instance may have been master since then, nothing is known.
        let other =
            |copy: &&InstanceId| *copy != id && facts(copy).is_none_or(|facts| facts.timeline.known().is_none());
        if self.node.instances.values().map(|copy| &copy.id).any(|copy| other(&copy)) {
            return None;
        }
        Some((id, facts(id)?.settings.known()?))
    }

    fn may_count(&self, id: &InstanceId, names: &SyncNames) -> bool {
        let facts = self.seen.instances.get(id);
        let name = facts.filter(|facts| facts.data_dir.known().is_some()).map(own_name);
        name.is_none_or(|name| names.count(&name))
    }

    /// Another standby that runs and lacks nothing that was acknowledged.
    pub(super) fn better_standby(&self) -> Option<&InstanceId> {
        let others = self.node.standbys().map(|instance| &instance.id);
        let mut running =
            others.filter(|id| self.seen.instances.get(*id).is_some_and(|facts| facts.is_running(Role::Standby)));
        running.find(|id| self.waited_for(id).is_some())
    }
}

fn holds(facts: &InstanceFacts) -> Option<Lsn> {
    if facts.is_running(Role::Standby) {
        facts.standby.known().and_then(StandbyFacts::holds)
    } else {
        facts.wal_end.known().copied()
    }
}
