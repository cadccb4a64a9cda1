//! How long each kind of step may take before otb stops waiting for it.

use std::time::Duration;

use super::step::{Action, RejoinMethod};

/// How long a start or a stop inside a rejoin may take.
pub(crate) const START: Duration = Duration::from_secs(300);

/// How long a fast stop may wait for sessions. Those that wait for a page behind a transaction in doubt hear no signal, and
/// nobody can write meanwhile: then the server is stopped at once and started again.
pub(crate) const FAST_STOP: Duration = Duration::from_secs(20);

/// The time limit of a step.
///
/// A fast stop waits for the shutdown checkpoint and for archiving, a promotion for the last WAL (pg_ctl's own
/// default is 60 s for both); a base backup copies the whole node.
pub(super) fn of(action: &Action) -> Duration {
    Duration::from_secs(match action {
        Action::StageFence { .. } | Action::Fence { .. } => 15,
        Action::Checkpoint { .. } | Action::Restart { .. } | Action::Settle { .. } => 300,
        Action::AwaitRedo { .. } | Action::Stop { .. } | Action::Promote { .. } | Action::CatchUp { .. } => 60,
        Action::RepointGtm { .. } | Action::Reroute { .. } | Action::Reload { .. } | Action::Prove { .. } => 30,
        Action::Rejoin { method, .. } => match method {
            RejoinMethod::Reconnect => 60,
            RejoinMethod::InPlace | RejoinMethod::Repoint => 300,
            RejoinMethod::BaseBackup | RejoinMethod::Replace => 24 * 3600,
        },
    })
}
