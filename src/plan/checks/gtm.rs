//! Checks of the GTM when another instance becomes the active one.

use super::Finding;
use super::takeover::{View, shell};
use crate::model::InstanceId;
use crate::plan::check::{Check, CheckCode};

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

    /// A GTM holds no rows. Timestamps do not go back, for a GTM takes up beyond what its log reserves; values of
    /// sequences that were handed out last may come again.
    fn gtm_loss(&self) -> Finding {
        let held = self.standby.wal_end.known().map_or_else(|| "an unknown position".to_owned(), ToString::to_string);
        Finding::warn(
            format!(
                "{} holds the GTM's log up to {held}; how far the last active GTM wrote cannot be told",
                self.declared
            ),
            "no rows are at stake; sequence values handed out in its last moment may be handed out again",
        )
    }
}
