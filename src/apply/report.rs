//! How a run ended: every step's outcome, and what follows for the exit code.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::Outcome;
use super::held::HoldReport;
use super::takeback;
use crate::model::NodeName;
use crate::plan::{Action, Phase, Plan, Step, StepId, Unseen};

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub end: End,
    /// Every step of the plan, in its order.
    pub steps: Vec<StepReport>,
    /// Steps that were done and taken back.
    pub undone: Vec<Undone>,
    /// Milliseconds from the stop until the last coordinator reached the new master.
    pub gaps: BTreeMap<NodeName, u64>,
    /// How clients were held; `None` means that they were not.
    #[serde(default)]
    pub hold: Option<HoldReport>,
    /// What is worth knowing and no failure.
    pub notes: Vec<String>,
}

impl Report {
    /// Returns the nodes whose masters `plan` moves: those that moved, and those whose move failed.
    pub fn moved(&self, plan: &Plan) -> (Vec<NodeName>, Vec<NodeName>) {
        let done = plan.steps.iter().zip(&self.steps).filter(|(_, told)| told.outcome.is_done());
        let promoted = done.filter(|(step, _)| matches!(step.action, Action::Promote { .. }));
        let promoted: BTreeSet<&NodeName> = promoted.map(|(step, _)| &step.action.target().node).collect();
        let moves = plan.changes.iter().filter(|change| change.kind.moves_master());
        moves.map(|change| change.node.clone()).partition(|node| promoted.contains(node))
    }
}

/// One step that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    pub step: StepId,
    /// Whether that was proved.
    pub ok: bool,
    /// Why it was not, or empty.
    pub detail: String,
}

impl Undone {
    pub(super) fn new(step: StepId, result: Result<(), String>) -> Self {
        Self { step, ok: result.is_ok(), detail: result.err().unwrap_or_default() }
    }
}

/// One step with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    pub id: StepId,
    pub phase: Phase,
    pub outcome: Outcome,
    /// From its start until its outcome was known.
    pub milliseconds: u64,
}

/// How the run ended, one per exit code that apply can have once it has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Every step is done and verified.
    Done,
    /// Failed before anything was changed.
    NothingDone,
    /// Interrupted before anything was changed.
    Interrupted,
    /// Failed, and what was done is taken back and proved so.
    RolledBack,
    /// Some of it is done and stays.
    PartWay,
    /// The new masters serve; an old one is not a standby again.
    NotRejoined,
    /// Contact was lost after a step had been sent.
    Unknown,
}

impl End {
    /// What it comes to, held against the plan that is made afterwards: what is left to do, and what is out of sight, is
    /// not done.
    #[must_use]
    pub fn held_against(self, plan: &Plan, left: &Plan) -> Self {
        let is_new = |entry: &Unseen| !plan.unseen.iter().any(|before| before.instance == entry.instance);
        match self {
            Self::Done if !left.changes.is_empty() || left.is_refused() => Self::PartWay,
            Self::Done if left.unseen.iter().any(is_new) => Self::Unknown,
            end => end,
        }
    }
}

/// The record of the executor, from which the report is made.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub outcomes: BTreeMap<StepId, (Outcome, Duration)>,
    pub undone: BTreeMap<StepId, Result<(), String>>,
    pub gaps: BTreeMap<NodeName, Duration>,
    pub hold: Option<HoldReport>,
    pub notes: Vec<String>,
    pub interrupted: bool,
    /// A stop was taken back, and what it left in doubt could not be settled.
    pub unsettled: bool,
}

/// Whether this step is there to wait before something is changed.
fn only_waits(step: &Step) -> bool {
    matches!(
        step.action,
        Action::Checkpoint { .. }
            | Action::AwaitRedo { .. }
            | Action::CatchUp { .. }
            | Action::Settle { .. }
            | Action::Hold { .. }
            | Action::Release { .. }
    )
}

/// Whether doing this step changes anything that outlives it.
fn changes_something(step: &Step) -> bool {
    !only_waits(step)
        && !matches!(step.action, Action::Prove { .. } | Action::ProveCommit { .. } | Action::StageFence { .. })
}

/// Whether this step, seen not to be done, has changed nothing at all: one statement that failed, or no effect
/// that lasts.
fn is_all_or_nothing(step: &Step) -> bool {
    match &step.action {
        Action::Reroute { routes, .. } => routes.len() == 1,
        Action::Reload { .. } => true,
        _ => false,
    }
}

impl Record {
    pub(super) fn report(self, plan: &Plan) -> Report {
        let end = self.end(&plan.steps);
        let steps = plan.steps.iter().map(|step| {
            let (outcome, took) =
                self.outcomes.get(&step.id).cloned().unwrap_or((Outcome::skipped("never started"), Duration::ZERO));
            StepReport {
                id: step.id.clone(),
                phase: step.phase,
                outcome,
                milliseconds: super::event::milliseconds(took),
            }
        });
        Report {
            end,
            steps: steps.collect(),
            undone: self.undone.into_iter().map(|(step, result)| Undone::new(step, result)).collect(),
            gaps: self.gaps.into_iter().map(|(node, gap)| (node, super::event::milliseconds(gap))).collect(),
            hold: self.hold,
            notes: self.notes,
        }
    }

    fn outcome(&self, step: &Step) -> Option<&Outcome> {
        self.outcomes.get(&step.id).map(|(outcome, _)| outcome)
    }

    fn end(&self, steps: &[Step]) -> End {
        let is_bad = |step: &&Step| !step.is_optional() && !self.outcome(step).is_some_and(Outcome::is_done);
        let bad: Vec<&Step> = steps.iter().filter(is_bad).collect();
        if bad.is_empty() {
            return End::Done;
        }
        if bad.iter().any(|step| self.is_in_doubt(step)) {
            return End::Unknown;
        }
        let effects = steps.iter().filter(|step| changes_something(step));
        let standing = effects.filter(|step| self.left_a_mark(step)).count();
        let not_as_before = self.unsettled || self.undone.values().any(Result::is_err);
        match (standing, not_as_before) {
            (_, true) => End::PartWay,
            (0, false) if !self.undone.is_empty() => End::RolledBack,
            (0, false) if self.interrupted => End::Interrupted,
            (0, false) => End::NothingDone,
            _ if bad.iter().all(|step| step.phase == Phase::Rejoin) => End::NotRejoined,
            _ => End::PartWay,
        }
    }

    /// Whether the state of the cluster may differ from the report because of this step. A step that only waits leaves
    /// no doubt.
    fn is_in_doubt(&self, step: &Step) -> bool {
        let is_unknown = matches!(self.outcome(step), Some(Outcome::Unknown { .. }));
        is_unknown && !only_waits(step) && !self.undone.contains_key(&step.id)
    }

    /// Done, or begun and failed on the way, and not taken back: a promotion that killed its standby is not done,
    /// and yet nothing is as it was.
    fn left_a_mark(&self, step: &Step) -> bool {
        let marked = match self.outcome(step) {
            Some(Outcome::NotDone { .. }) if is_all_or_nothing(step) => false,
            Some(outcome) => takeback::may_have_happened(outcome),
            None => false,
        };
        marked && !matches!(self.undone.get(&step.id), Some(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, InstanceId, NodeKind, NodeName, RouteChange};
    use crate::plan::{RejoinMethod, StepId, Undo};

    fn id(text: &str) -> InstanceId {
        InstanceId::try_from(text.to_owned()).unwrap()
    }

    fn step(phase: Phase, action: Action) -> Step {
        let point_of_no_return = matches!(action, Action::Promote { .. });
        Step {
            id: action.id(),
            phase,
            action,
            run: crate::plan::Lines::default(),
            before: Vec::new(),
            after: Vec::new(),
            limit_seconds: 1,
            undo: Undo::Never,
            point_of_no_return,
            why: String::new(),
            needs: Vec::new(),
        }
    }

    fn reroute(nodes: &[&str]) -> Step {
        let change = |node: &&str| RouteChange {
            node: NodeName::new(*node).unwrap(),
            kind: NodeKind::Datanode,
            from: "a:1".to_owned(),
            to: serde_json::from_str::<Endpoint>(r#"{"host":"127.0.0.1","port":2}"#).unwrap(),
            forward: None,
            unread: false,
        };
        step(
            Phase::Reroute,
            Action::Reroute { router: id("cn01@s29"), routes: std::sync::Arc::new(nodes.iter().map(change).collect()) },
        )
    }

    /// How a run ends in which every step failed after it had begun.
    fn end_of(steps: &[Step]) -> End {
        let failed = |step: &Step| (step.id.clone(), (Outcome::not_done("it failed"), Duration::ZERO));
        let outcomes: BTreeMap<StepId, _> = steps.iter().map(failed).collect();
        Record { outcomes, ..Record::default() }.end(steps)
    }

    #[test]
    fn a_promotion_that_killed_its_standby_is_not_nothing() {
        assert_eq!(end_of(&[step(Phase::Move, Action::Promote { instance: id("dn01@s47") })]), End::PartWay);
    }

    #[test]
    fn one_statement_that_failed_changed_nothing_but_the_second_of_two_may_follow_a_change() {
        assert_eq!(end_of(&[reroute(&["dn01"])]), End::NothingDone);
        assert_eq!(end_of(&[reroute(&["dn01", "dn02"])]), End::PartWay);
    }

    #[test]
    fn what_a_wait_could_not_learn_leaves_no_doubt() {
        let (standby, upstream) = (id("gtm_1@s47"), id("gtm_1@s29"));
        let fence = step(Phase::Prepare, Action::StageFence { instance: upstream.clone(), upstream: standby.clone() });
        let wait = step(Phase::Prepare, Action::AwaitRedo { standby, upstream });
        let unknown = Outcome::Unknown { why: "refused the connection".to_owned() };
        let mut record = Record::default();
        record.outcomes.insert(wait.id.clone(), (unknown.clone(), Duration::ZERO));
        assert_eq!(record.end(std::slice::from_ref(&wait)), End::NothingDone);
        record.outcomes.insert(fence.id.clone(), (Outcome::Done, Duration::ZERO));
        record.undone.insert(fence.id.clone(), Ok(()));
        assert_eq!(record.end(&[fence, wait]), End::RolledBack);
        let promotion = step(Phase::Move, Action::Promote { instance: id("dn01@s47") });
        record.outcomes.insert(promotion.id.clone(), (unknown, Duration::ZERO));
        assert_eq!(record.end(&[promotion]), End::Unknown);
    }

    #[test]
    fn a_rejoin_that_failed_half_way_is_not_nothing() {
        let (instance, upstream) = (id("dn01@s29"), id("dn01@s47"));
        let action = Action::Rejoin { instance, upstream, method: RejoinMethod::BaseBackup, keeps: Vec::new() };
        assert_eq!(end_of(&[step(Phase::Rejoin, action)]), End::NotRejoined);
    }
}
