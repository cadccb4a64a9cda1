//! How long each kind of step may take before otb stops waiting for it.

use std::time::Duration;

use super::step::{Action, RejoinMethod};

/// How long a start or a stop inside a rejoin may take.
pub(crate) const START: Duration = Duration::from_secs(300);

/// How long an immediate stop may take.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(20);

/// How long the old master may take to serve again, where its move is taken back.
pub(crate) const SERVES_AGAIN: Duration = Duration::from_secs(120);

/// The longest that a node whose master moves can be without service, with everything at its time limit: a stop that does
/// not end or a long checkpoint, then the way on or the way back.
pub(super) fn longest_gap(fast_stop: Duration) -> Duration {
    let seconds = Duration::from_secs;
    let stop = fast_stop + seconds(STOP).max(AT_ONCE) + seconds(CATCH_UP);
    let on = seconds(PROMOTE) + seconds(TELL) + seconds(TELL);
    let back = SERVES_AGAIN + AT_ONCE + SERVES_AGAIN;
    stop + on.max(back)
}

const STOP: u64 = 60;
const CATCH_UP: u64 = 60;
const PROMOTE: u64 = 60;
/// One statement on each router.
const TELL: u64 = 30;

/// How long one attempt to hold all clients may wait for their transactions. It is shorter than deadlock_timeout (1 s by
/// default): a client that waits for otb while otb waits for it is never the one that is cancelled.
pub(crate) const HOLD_ATTEMPT: Duration = Duration::from_millis(400);

/// After this time a server ends the hold by itself, whatever became of otb.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// Seconds for the logins and the last attempt of a hold, beyond the time in which it is tried.
const HOLD_ROUNDS: u64 = 20;

/// The time limit of a step.
///
/// A fast stop waits for the shutdown checkpoint and for archiving, a promotion for the last WAL (pg_ctl's own
/// default is 60 s for both); a base backup copies the whole node.
pub(super) fn of(action: &Action) -> Duration {
    Duration::from_secs(match action {
        Action::StageFence { .. } | Action::Fence { .. } | Action::Release { .. } => 15,
        Action::Checkpoint { .. } | Action::Restart { .. } | Action::Settle { .. } => 300,
        Action::Hold { wait_seconds, .. } => u64::from(*wait_seconds) + HOLD_ROUNDS,
        Action::AwaitRedo { .. } | Action::ProveCommit { .. } | Action::End { .. } => 60,
        Action::Stop { .. } => STOP,
        Action::CatchUp { .. } => CATCH_UP,
        Action::Promote { .. } => PROMOTE,
        // A restart of the standby, and bytes at 4 MiB a second.
        Action::Salvage { .. } => 120 + action.salvage_range().map_or(0, |range| range.bytes() >> 22),
        Action::RepointGtm { .. } | Action::Reroute { .. } | Action::Reload { .. } | Action::Prove { .. } => TELL,
        Action::Return { method, .. } | Action::Rejoin { method, .. } => match method {
            RejoinMethod::Reconnect | RejoinMethod::Unfence => 60,
            RejoinMethod::InPlace | RejoinMethod::Repoint => 300,
            RejoinMethod::BaseBackup | RejoinMethod::Replace => 24 * 3600,
        },
    })
}
