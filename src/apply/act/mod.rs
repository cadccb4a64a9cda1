//! One step: its precondition again, the act, its postcondition.

mod conf;
mod end;
mod halt;
mod hold;
mod promote;
mod rejoin;
mod route;
mod salvage;
mod settle;
mod shell;
mod sync;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::cluster_access::ClusterAccess;
use super::condition::{self, Found, Wait};
use super::event::Outcome;
use crate::model::{Condition, Role};
use crate::plan::{Action, Step};
use crate::transport::{ShellError, SqlError};

pub(super) use end::last_wal;
pub(super) use halt::{Shutdown, end_at_once, shutdown};
pub(super) use route::routed;
pub(super) use salvage::undo as undo_salvage;
pub(super) use settle::{finish_all, settled};
pub(super) use shell::{run_all, settle};
pub(super) use sync::synchronous;

/// How often otb checks a condition when nothing waits for the answer.
const PATIENTLY: Duration = Duration::from_millis(100);

/// How long a GTM that ran a moment ago may be silent.
const BLIND: Duration = Duration::from_secs(10);

/// How long a postcondition may take after an act whose end otb did not observe.
const AFTERWARDS: Duration = Duration::from_secs(20);

/// Why an act failed, or may have failed.
#[derive(Debug)]
pub enum Failed {
    /// It was never sent.
    NotBegun(String),
    /// It did not happen.
    NotDone(String),
    /// It may have happened: look.
    Unknown(String),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotBegun(why) | Self::NotDone(why) | Self::Unknown(why) => f.write_str(why),
        }
    }
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self::NotDone(why)
    }
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        if error.is_outcome_unknown() { Self::Unknown(error.to_string()) } else { Self::NotDone(error.to_string()) }
    }
}

impl From<ShellError> for Failed {
    fn from(error: ShellError) -> Self {
        // No script ever began: a promotion that was not sent may be followed by the old master's return.
        if error.is_outcome_unknown() { Self::Unknown(error.to_string()) } else { Self::NotBegun(error.to_string()) }
    }
}

/// Does `action`, which is what is left of `step`'s. Preconditions in `established` were proved a moment ago.
pub(super) async fn perform(
    step: &Step,
    action: Action,
    established: Vec<Condition>,
    access: &ClusterAccess<'_>,
) -> Outcome {
    let open: Vec<Condition> =
        step.before.iter().filter(|condition| !established.contains(condition)).cloned().collect();
    if let Some((condition, found)) = condition::first_unmet(&open, access).await {
        return not_begun(&condition, &found);
    }
    let limit = Duration::from_secs(step.limit_seconds);
    let acted = act(&action, limit, access).await;
    // Whatever the act said, what counts is what is so now: a command that timed out may have worked, and one
    // that exits 0 may have been ignored. Only what was plainly refused is not waited for.
    let patience = match &acted {
        Ok(()) => limit,
        Err(Failed::NotBegun(_) | Failed::NotDone(_)) => Duration::ZERO,
        Err(Failed::Unknown(_)) => {
            if needs_shell(&action) {
                // Waits for the parts of it that still run. If otb cannot find that out, it does not know the rest
                // either.
                let _ = settle(action.target(), limit, access).await;
            }
            limit.min(AFTERWARDS)
        }
    };
    let seen = if acted.is_ok() { seen_by(&action) } else { None };
    let open: Vec<Condition> = step
        .after
        .iter()
        .filter_map(|condition| left_of(condition, &action))
        .map(Cow::into_owned)
        .filter(|condition| Some(condition) != seen.as_ref())
        .collect();
    let unmet = verify(open, &action, patience, access).await;
    match judge(acted, unmet, !step.after.is_empty()) {
        Outcome::NotDone { why } if step.is_optional() => Outcome::skipped(why),
        outcome => outcome,
    }
}

/// How a step ended whose precondition does not hold. Pure.
pub fn not_begun(condition: &Condition, found: &Found) -> Outcome {
    Outcome::NotBegun { why: instead(condition, found) }
}

/// How a step ended: what its act said, and the first postcondition that does not hold. `can_tell` says whether it has
/// any. Pure.
pub fn judge(acted: Result<(), Failed>, unmet: Option<(Condition, Found)>, can_tell: bool) -> Outcome {
    match (acted, unmet) {
        (Err(Failed::NotBegun(why)), Some(_)) => Outcome::NotBegun { why },
        (Err(Failed::NotDone(why)), Some(_)) => Outcome::not_done(why),
        (Err(Failed::Unknown(why)), Some((condition, _))) => {
            Outcome::Unknown { why: format!("{why}; after that, it is not true that {condition}") }
        }
        (Ok(()), Some((condition, Found::Unknown(why)))) => {
            Outcome::Unknown { why: format!("otb could not find out whether {condition}: {why}") }
        }
        (Ok(()), Some((condition, found))) => Outcome::not_done(instead(&condition, &found)),
        // Without a postcondition to look at, the act's own word is all there is.
        (Err(Failed::NotBegun(why)), None) if !can_tell => Outcome::NotBegun { why },
        (Err(Failed::NotDone(why)), None) if !can_tell => Outcome::not_done(why),
        (Err(Failed::Unknown(why)), None) if !can_tell => Outcome::Unknown { why },
        (_, None) => Outcome::Done,
    }
}

/// Whether it is done by commands on the server.
pub(super) fn needs_shell(action: &Action) -> bool {
    match action {
        Action::StageFence { .. }
        | Action::Fence { .. }
        | Action::Stop { .. }
        | Action::Salvage { .. }
        | Action::End { .. }
        | Action::Promote { .. }
        | Action::Restart { .. }
        | Action::Return { .. }
        | Action::Rejoin { .. } => true,
        Action::AwaitRedo { .. }
        | Action::Checkpoint { .. }
        | Action::CatchUp { .. }
        | Action::RepointGtm { .. }
        | Action::Reroute { .. }
        | Action::Reload { .. }
        | Action::Prove { .. }
        | Action::ProveCommit { .. }
        | Action::Settle { .. }
        | Action::Hold { .. }
        | Action::Release { .. } => false,
    }
}

fn instead(condition: &Condition, found: &Found) -> String {
    match found {
        Found::Holds => condition.to_string(),
        Found::Fails(why) => format!("expected that {condition}, but {why}"),
        Found::Unknown(why) => format!("expected that {condition}, but could not verify it: {why}"),
    }
}

/// The conditions that an act itself has observed when it ends well: it waited for exactly these, and checking them
/// again would only lengthen the write gap.
fn seen_by(action: &Action) -> Option<Condition> {
    match action {
        Action::CatchUp { standby, source } => {
            Some(Condition::ReplayedAll { standby: standby.clone(), source: source.clone() })
        }
        Action::Promote { instance } => Some(Condition::Runs { instance: instance.clone(), role: Role::Master }),
        Action::Settle { masters, .. } => Some(Condition::Settled { masters: Arc::clone(masters) }),
        _ => None,
    }
}

/// The first of the postconditions that still does not hold when the limit is over.
async fn verify(
    open: Vec<Condition>,
    action: &Action,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Option<(Condition, Found)> {
    match action {
        Action::Stop { instance, .. } if access.has_stopped(instance).await => None,
        // Acts that wait have waited already; reading once more is enough.
        Action::Stop { .. } | Action::CatchUp { .. } | Action::Promote { .. } => {
            condition::first_unmet(&open, access).await
        }
        Action::Return { instance, .. } | Action::Rejoin { instance, .. } => {
            rejoin::stays(instance, open, limit, access).await
        }
        _ => condition::wait_for_all(open, access, wait_for(action, limit)).await,
    }
}

/// Both instances of a GTM ran when its move began. otb does not wait to the end for one that became silent, because
/// the operator who fixes it needs a fresh plan.
fn wait_for(action: &Action, limit: Duration) -> Wait {
    let blind = if matches!(action, Action::AwaitRedo { .. }) { BLIND } else { limit };
    Wait { limit, blind, every: PATIENTLY }
}

/// Returns the part of a postcondition that counts, without the parts that were skipped. Pure.
pub fn left_of<'a>(condition: &'a Condition, action: &Action) -> Option<Cow<'a, Condition>> {
    match (condition, action) {
        (Condition::Routed { router, .. }, Action::Reroute { routes, .. }) => {
            Some(Cow::Owned(Condition::Routed { router: router.clone(), routes: Arc::clone(routes) }))
        }
        (Condition::Settled { .. }, Action::Settle { masters, .. }) => {
            Some(Cow::Owned(Condition::Settled { masters: Arc::clone(masters) }))
        }
        (Condition::Reached { instance, .. }, Action::Prove { instances, .. }) if !instances.contains(instance) => None,
        _ => Some(Cow::Borrowed(condition)),
    }
}

async fn act(action: &Action, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    match action {
        Action::StageFence { instance, upstream } => halt::stage_fence(instance, upstream, access).await,
        Action::Fence { instance, upstream } => halt::fence(instance, upstream, access).await,
        Action::Checkpoint { instance } => halt::checkpoint(instance, limit, access).await,
        Action::Stop { instance, fenced } => Box::pin(halt::stop(instance, *fenced, limit, access)).await,
        Action::End { instance } => end::end(instance, limit, access).await,
        Action::CatchUp { standby, source } => halt::catch_up(standby, source, limit, access).await,
        Action::Salvage { standby, source, timeline, to, segment_bytes, .. } => {
            let wanted =
                salvage::Wanted { standby, source, timeline: *timeline, to: *to, segment_bytes: *segment_bytes };
            Box::pin(salvage::salvage(&wanted, limit, access)).await
        }
        Action::Promote { instance } => promote::promote(instance, limit, access).await,
        Action::Restart { instance, unfence } => promote::restart(instance, *unfence, limit, access).await,
        Action::RepointGtm { router, route, .. } => {
            route::reroute(router, std::slice::from_ref(route), limit, access).await
        }
        Action::Reroute { router, routes } => route::reroute(router, routes, limit, access).await,
        Action::Reload { router } => route::reload(router, limit, access).await,
        // What is waited for or proved is their postcondition.
        Action::AwaitRedo { .. } | Action::Prove { .. } => Ok(()),
        Action::Settle { coordinator, masters } => {
            Box::pin(settle::finish_all(coordinator, masters, limit, access)).await
        }
        Action::Hold { coordinators, masters, wait_seconds, .. } => {
            Box::pin(hold::hold(coordinators, masters, Duration::from_secs((*wait_seconds).into()), access)).await
        }
        Action::Release { .. } => hold::release(access).await,
        Action::ProveCommit { instance } => sync::prove_commit(instance, limit, access).await,
        Action::Return { instance, upstream, method } => {
            rejoin::rejoin(instance, upstream, *method, true, limit, access).await
        }
        Action::Rejoin { instance, upstream, method, .. } => {
            rejoin::rejoin(instance, upstream, *method, false, limit, access).await
        }
    }
}
