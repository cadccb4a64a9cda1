//! Undoing: before the point of no return the cluster is put back as it was, and that is proved.

use std::time::{Duration, Instant};

use super::act::{Shutdown, end_at_once, run_all, settle, shutdown, undo_salvage};
use super::cluster_access::ClusterAccess;
use super::condition::{self, Found, Wait};
use super::event::Outcome;
use crate::model::{Condition, ControlState, InstanceId, NodeKind, Role};
use crate::opentenbase::command::{self, Patience};
use crate::opentenbase::{self, Command};
use crate::plan::{Action, SERVES_AGAIN, Step};

/// How long a server may still answer after its stop was requested.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// Whether the step may have left something behind: also one that failed half-way or whose outcome is unknown.
pub(super) fn may_have_happened(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done | Outcome::NotDone { .. } | Outcome::Unknown { .. } => true,
        Outcome::NotBegun { .. } | Outcome::Skipped { .. } => false,
    }
}

/// Whether there is anything to take back of such a step, and a way to do it.
pub fn can_be_taken_back(action: &Action) -> bool {
    matches!(
        action,
        Action::StageFence { .. }
            | Action::Fence { .. }
            | Action::Stop { .. }
            | Action::End { .. }
            | Action::Salvage { .. }
    )
}

/// Takes `step` back.
pub(super) async fn take_back(step: &Step, access: &ClusterAccess<'_>) -> Result<(), String> {
    match &step.action {
        Action::StageFence { instance, .. } => remove_staged(instance, access).await,
        Action::Fence { instance, .. } => remove_fence(instance, access).await,
        Action::Stop { instance, fenced } => start_again(instance, *fenced, access).await,
        Action::Salvage { standby, .. } => Box::pin(undo_salvage(standby, access)).await,
        Action::End { instance } => start_again(instance, true, access).await,
        Action::Checkpoint { .. }
        | Action::AwaitRedo { .. }
        | Action::CatchUp { .. }
        | Action::Prove { .. }
        | Action::Settle { .. }
        | Action::ProveCommit { .. }
        | Action::Return { .. }
        // Released by a step of its own, before anything is taken back.
        | Action::Hold { .. }
        | Action::Release { .. }
        | Action::Reload { .. }
        | Action::Promote { .. }
        | Action::Restart { .. }
        | Action::RepointGtm { .. }
        | Action::Reroute { .. }
        | Action::Rejoin { .. } => Ok(()),
    }
}

/// Whether `instance` is stopped and its control file says that it never left recovery. A promotion that cannot
/// write recovery.conf ends like that (opentenbase-v2.6-live.md, "Tools"): the old master is then the only copy that can
/// serve, and nothing was written anywhere else.
pub(super) async fn died_as_standby(instance: &InstanceId, access: &ClusterAccess<'_>) -> bool {
    let stopped = Condition::Stopped { instance: instance.clone() };
    // First that it has ended: what a file says of one that runs may be otherwise a moment later.
    if condition::check(&stopped, access).await != Found::Holds {
        return false;
    }
    if let Some(gtm) = access.instance(instance).ok().filter(|instance| instance.kind == NodeKind::Gtm) {
        // A GTM that heard the signal has written `startup = ACT` into its gtm.conf (opentenbase-v2.6-live.md, "Tools").
        return condition::starts_as(gtm, SERVES_AGAIN, access).await.is_ok_and(|conf| conf.standby);
    }
    let state = condition::control(instance, access).await.map(|control| control.state);
    matches!(state, Ok(ControlState::InArchiveRecovery | ControlState::ShutDownInRecovery))
}

async fn remove_staged(instance: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), String> {
    let staged = opentenbase::staged_fence(access.instance(instance)?);
    run(instance, opentenbase::remove_file(&staged), access).await
}

async fn remove_fence(instance: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), String> {
    run(instance, opentenbase::lift_fence(access.instance(instance)?), access).await
}

/// Starts the old master as what it was, and sees that it serves.
async fn start_again(instance: &InstanceId, fenced: bool, access: &ClusterAccess<'_>) -> Result<(), String> {
    let as_master = Condition::Runs { instance: instance.clone(), role: Role::Master };
    access.forget(instance).await;
    access.forget_last_wal(instance).await;
    // A stop whose connection broke may still be under way.
    settle(instance, SERVES_AGAIN, access).await.map_err(|failed| failed.to_string())?;
    // A stop that was not carried out requires no start. If the server was stopped and then started again before the
    // fence was in place, the running master has a fence, and its next start would find it.
    if still_serves(&as_master, access).await {
        let lift = opentenbase::lift_own_fence(access.instance(instance)?);
        return if fenced { run(instance, lift, access).await } else { Ok(()) };
    }
    if fenced {
        remove_fence(instance, access).await?;
    }
    Box::pin(end_its_shutdown(instance, access)).await?;
    let start = command::start(access.instance(instance)?, Patience::from(SERVES_AGAIN));
    let started = run(instance, start, access).await;
    match condition::wait(&as_master, access, Wait::until(SERVES_AGAIN, Duration::from_millis(100))).await {
        Found::Holds => Ok(()),
        Found::Fails(why) | Found::Unknown(why) => Err(match started {
            Ok(()) => why,
            Err(start) => format!("{why}; the start said: {start}"),
        }),
    }
}

/// A server that is still shutting down cannot be started: its checkpoint is waited for, and one that waits for sessions
/// which hear no signal is ended at once.
async fn end_its_shutdown(instance: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), String> {
    if access.instance(instance)?.kind == NodeKind::Gtm {
        return Ok(());
    }
    let ended = Condition::Stopped { instance: instance.clone() };
    let deadline = Instant::now() + SERVES_AGAIN;
    loop {
        match shutdown(instance, access).await {
            Shutdown::NotBegun => return Ok(()),
            Shutdown::Stuck => return end_at_once(instance, access).await,
            Shutdown::Checkpoint if Instant::now() >= deadline => return end_at_once(instance, access).await,
            Shutdown::Checkpoint => {
                condition::wait(&ended, access, Wait::until(Duration::from_secs(5), Duration::from_millis(100))).await;
            }
        }
    }
}

/// One that is about to end may answer for a moment more.
async fn still_serves(as_master: &Condition, access: &ClusterAccess<'_>) -> bool {
    if condition::check(as_master, access).await != Found::Holds {
        return false;
    }
    tokio::time::sleep(LAST_ANSWERS).await;
    condition::check(as_master, access).await == Found::Holds
}

async fn run(instance: &InstanceId, command: Command, access: &ClusterAccess<'_>) -> Result<(), String> {
    run_all(instance, &[command], SERVES_AGAIN, access).await.map(drop).map_err(|failed| failed.to_string())
}
