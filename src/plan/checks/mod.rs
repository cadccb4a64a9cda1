//! The preflight: every check that matters for a set of changes, all made, all reported.

mod acknowledged;
mod cluster;
mod forward;
mod gtm;
mod hints;
mod hold;
mod host;
mod install;
mod load;
mod loss;
mod promotion;
mod recovery;
mod restart;
mod sessions;
mod settings;
mod split;
mod sync;
mod takeover;

use super::check::{Check, CheckCode, CheckId, Verdict, Waiver};
use super::step::StepId;
use super::survey::NodeSurvey;
use crate::model::{Cluster, InstanceFacts, InstanceId, Node, Observation, Unknown};

pub(crate) use cluster::{for_altered, for_gtm, for_routers, for_unclear};
pub(crate) use install::for_changed;
pub(crate) use promotion::{for_promotion, is_told_to_promote};
pub(crate) use recovery::for_kept_slots;
pub(crate) use restart::{becomes, for_restart};
pub(crate) use sessions::for_reloads;
pub(crate) use split::{for_split, for_split_elsewhere};

/// What is known of a node whose master moves.
struct Takeover<'a> {
    cluster: &'a Cluster,
    node: &'a Node,
    declared: InstanceId,
    standby: &'a InstanceFacts,
    /// The master that runs now; none in a failover.
    from: Option<(&'a InstanceId, &'a InstanceFacts)>,
    seen: &'a Observation,
}

/// Everything that is looked at before the surveyed node gets its declared master; `from` is the running master, if any.
pub(crate) fn for_node<'a>(
    cluster: &'a Cluster,
    survey: &NodeSurvey<'a>,
    from: Option<&'a InstanceId>,
    seen: &'a Observation,
) -> Vec<Check> {
    let node = survey.node;
    let declared = node.master_id();
    let Some(standby) = seen.instances.get(&declared) else { return Vec::new() };
    let master = from.and_then(|id| Some((id, seen.instances.get(id)?)));
    let takeover = Takeover { cluster, node, declared, standby, from: master, seen };
    let mut checks = takeover::for_node(cluster, node, from, seen);
    // A GTM speaks no SQL.
    if node.kind.is_router() {
        checks.extend(settings::all(&takeover, sync::standbys(cluster, survey, master.map(|(_, facts)| facts), seen)));
        checks.extend(load::all(&takeover));
        checks.extend(load::pg_clean(&takeover));
        checks.extend(recovery::delay(cluster, node, from, seen));
        checks.extend(forward::free(&takeover));
        checks.extend(hold::hold(&takeover));
    }
    checks.extend(host::all(&takeover));
    checks
}

const LOOK_AGAIN: &str = "run `otb status` to see what answers, fix what does not, and plan again";

/// What to do next about an unknown fact: by its kind, or `otherwise`.
fn way_out(why: Option<&Unknown>, otherwise: impl Into<String>) -> String {
    why.and_then(|why| why.kind.way_out()).map_or_else(|| otherwise.into(), ToOwned::to_owned)
}

/// The result of a check, before it has a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    verdict: Verdict,
    found: String,
    details: Vec<String>,
    rests_on: Option<StepId>,
    hint: Option<String>,
}

impl Finding {
    pub(crate) fn pass(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, found: found.into(), details: Vec::new(), rests_on: None, hint: None }
    }

    pub(crate) fn warn(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::with_hint(Verdict::Warn, found.into(), hint.into())
    }

    pub(crate) fn block(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::with_hint(Verdict::Block, found.into(), hint.into())
    }

    pub(crate) fn unknown(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::with_hint(Verdict::Unknown, found.into(), hint.into())
    }

    fn with_hint(verdict: Verdict, found: String, hint: String) -> Self {
        Self { verdict, found, details: Vec::new(), rests_on: None, hint: Some(hint) }
    }

    /// The same with what it counts, a line each.
    fn listing(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// The same of a finding that is so only after that step.
    fn resting_on(self, step: StepId) -> Self {
        Self { rests_on: Some(step), ..self }
    }

    pub(crate) fn of(self, code: CheckCode, subject: impl std::fmt::Display) -> Check {
        let Self { verdict, found, details, rests_on, hint } = self;
        let id = CheckId::new(code, subject);
        Check { id, code, verdict, found, details, rests_on, hint, waived_because: None }
    }
}

/// Lifts the blocks that a waiver names. Returns the waivers that named nothing.
pub(crate) fn apply_waivers(checks: &mut [Check], waivers: &[Waiver]) -> Vec<CheckId> {
    let mut unused = Vec::new();
    for waiver in waivers {
        let mut matched = false;
        for check in checks.iter_mut().filter(|check| check.id == waiver.check) {
            matched = true;
            if check.verdict.refuses() {
                check.verdict = Verdict::Waived;
                check.waived_because = Some(waiver.reason.clone());
            }
        }
        if !matched {
            unused.push(waiver.check.clone());
        }
    }
    unused
}
