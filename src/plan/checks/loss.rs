//! The check of a failover: is there WAL that the standby never got?

use super::takeover::View;
use super::{Finding, LOOK_AGAIN};
use crate::model::{Fact, InstanceFacts, InstanceId, Lsn, Role};
use crate::plan::check::{CheckCode, CheckId};

impl View<'_> {
    pub(super) fn data_loss(&self) -> Finding {
        let Some(have) = self.holds() else {
            return Finding::unknown(format!("how much WAL {} holds is not known", self.declared), LOOK_AGAIN);
        };
        let lacking: Vec<String> =
            self.node.standbys().filter_map(|instance| self.may_lack(&instance.id, have)).collect();
        if lacking.is_empty() {
            return Finding::pass(format!("{} holds all WAL up to {have}, and no other copy has more", self.declared));
        }
        let node = &self.node.name;
        let way = match self.complete_standby() {
            Some(id) => format!("{id} has all of it: write `master: {}` for {node}", id.server),
            None => "bring the other copy back and switch over from it".to_owned(),
        };
        let waiver = CheckId::new(CheckCode::DataLoss, node);
        Finding::block(lacking.join("; "), format!("{way}, or accept the loss: --waive {waiver} --reason ..."))
    }

    /// What a promotion will replay before it ends recovery: all that was received.
    fn holds(&self) -> Option<Lsn> {
        held(self.standby)
    }

    /// Another standby that runs, and that no copy has more than: of that one nothing would be lost.
    fn complete_standby(&self) -> Option<&InstanceId> {
        let others = || self.node.standbys().map(|instance| &instance.id);
        let facts = |id: &InstanceId| self.seen.instances.get(id);
        let ends: Option<Vec<Lsn>> = others().map(|id| facts(id)?.wal_end.known().copied()).collect();
        let most = ends?.into_iter().max()?;
        others().find(|id| {
            facts(id).is_some_and(|facts| facts.is_running(Role::Standby) && held(facts).is_some_and(|end| end >= most))
        })
    }

    fn may_lack(&self, id: &InstanceId, have: Lsn) -> Option<String> {
        let facts = self.seen.instances.get(id)?;
        match &facts.wal_end {
            Fact::Known(end) if *end <= have => None,
            Fact::Known(end) => Some(format!(
                "{id} holds WAL up to {end}, {} more than {} received ({have})",
                bytesize::ByteSize(end.bytes_ahead_of(have)),
                self.declared
            )),
            Fact::Unknown(why) => Some(format!("what {id} wrote last is not known: {why}")),
        }
    }
}

fn held(standby: &InstanceFacts) -> Option<Lsn> {
    let facts = standby.standby.known()?;
    facts.received.max(facts.replayed)
}
