//! Checks of the GTM when another instance becomes the active one.

use bytesize::ByteSize;

use super::Finding;
use super::takeover::{View, shell};
use crate::model::{InstanceFacts, InstanceId, Role};
use crate::plan::check::{Check, CheckCode, CheckId};

impl View<'_> {
    /// A GTM has neither name nor system identifier nor timeline that could be asked.
    pub(super) fn of_gtm(&self, from: Option<&InstanceId>) -> Vec<Check> {
        let name = &self.node.name;
        let mut checks = vec![
            self.recovery_conf().of(CheckCode::RecoveryConf, self.declared),
            self.disk().of(CheckCode::Disk, self.declared),
        ];
        match from.and_then(|id| Some((id, self.seen.instances.get(id)?))) {
            Some((id, master)) => {
                checks.extend(self.fence_besides(id).map(|finding| finding.of(CheckCode::Fence, name)));
                checks.extend([
                    self.attached(id, master).of(CheckCode::Attached, name),
                    self.lag(master).of(CheckCode::Lag, name),
                    shell(id, master).of(CheckCode::Shell, id),
                ]);
            }
            None => {
                checks.extend([self.fence().of(CheckCode::Fence, name), self.gtm_loss().of(CheckCode::DataLoss, name)]);
            }
        }
        checks
    }

    /// A GTM has no rows. Timestamps do not go back, because a GTM continues beyond what its log reserves; the last
    /// sequence values may be repeated. Nothing shows how far the last active GTM went, but another standby may have
    /// received more.
    fn gtm_loss(&self) -> Finding {
        if let Some((ahead, by)) = self.gtm_ahead() {
            let (node, declared) = (&self.node.name, self.declared);
            let way = format!("declare `master: {}` for {node}", ahead.server);
            let waiver = CheckId::new(CheckCode::DataLoss, node);
            return Finding::block(
                format!("{ahead} has {by} more of the GTM's log than {declared}: sequences and their values"),
                format!("{way}, or accept the loss: --waive {waiver} --reason ..."),
            );
        }
        let held = self.standby.wal_end.known().map_or_else(|| "an unknown position".to_owned(), ToString::to_string);
        Finding::warn(
            format!(
                "{} has the GTM's log up to {held}; the last position of the old active GTM is not known",
                self.declared
            ),
            "no rows can be lost; the GTM may repeat sequence values of the last moment",
        )
    }

    /// The standby that holds the most of the log, if that is more than the declared one has, and by how much.
    fn gtm_ahead(&self) -> Option<(&InstanceId, ByteSize)> {
        let end = |facts: &InstanceFacts| facts.wal_end.known().copied();
        let have = end(self.standby)?;
        let others = self.node.standbys().filter_map(|other| Some((&other.id, self.seen.instances.get(&other.id)?)));
        let standbys = others.filter(|(_, facts)| facts.is_running(Role::Standby));
        let (id, most) = standbys.filter_map(|(id, facts)| Some((id, end(facts)?))).max_by_key(|(_, most)| *most)?;
        (most > have).then(|| (id, ByteSize(most.bytes_ahead_of(have))))
    }
}
