//! How a run ended: every step's outcome, and what follows for the exit code.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::Outcome;
use crate::model::NodeName;
use crate::plan::{Action, Phase, Plan, Step, StepId};

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub end: End,
    pub steps: Vec<StepReport>,
    /// Steps that were done and taken back, with whether that was proved.
    pub undone: BTreeMap<StepId, Result<(), String>>,
    /// Milliseconds from the stop until the last coordinator reached the new master.
    pub gaps: BTreeMap<NodeName, u64>,
    pub notes: Vec<String>,
}

/// One step with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    pub id: StepId,
    pub phase: Phase,
    pub outcome: Outcome,
    pub milliseconds: u64,
}

/// How the run ended, one per exit code that apply can have once it has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Done,
    /// Failed before anything was changed.
    NothingDone,
    /// Interrupted before anything was changed.
    Interrupted,
    RolledBack,
    PartWay,
    NotRejoined,
    Unknown,
}

/// What the executor recorded, from which the report is drawn.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub outcomes: BTreeMap<StepId, (Outcome, Duration)>,
    pub undone: BTreeMap<StepId, Result<(), String>>,
    pub gaps: BTreeMap<NodeName, Duration>,
    pub notes: Vec<String>,
    pub interrupted: bool,
}

/// Whether doing this step changes anything that outlives it.
fn changes_something(step: &Step) -> bool {
    !matches!(
        step.action,
        Action::Checkpoint { .. } | Action::CatchUp { .. } | Action::Prove { .. } | Action::StageFence { .. }
    )
}

impl Record {
    pub(super) fn report(self, plan: &Plan) -> Report {
        let end = self.end(plan);
        let steps = plan.steps.iter().map(|step| {
            let (outcome, took) =
                self.outcomes.get(&step.id).cloned().unwrap_or((Outcome::skipped("never begun"), Duration::ZERO));
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
            undone: self.undone,
            gaps: self.gaps.into_iter().map(|(node, gap)| (node, super::event::milliseconds(gap))).collect(),
            notes: self.notes,
        }
    }

    fn outcome(&self, step: &Step) -> Option<&Outcome> {
        self.outcomes.get(&step.id).map(|(outcome, _)| outcome)
    }

    fn end(&self, plan: &Plan) -> End {
        let bad: Vec<&Step> =
            plan.steps.iter().filter(|step| !self.outcome(step).is_some_and(Outcome::is_done)).collect();
        if bad.is_empty() {
            return End::Done;
        }
        if bad.iter().any(|step| {
            matches!(self.outcome(step), Some(Outcome::Unknown { .. })) && !self.undone.contains_key(&step.id)
        }) {
            return End::Unknown;
        }
        let effects = plan.steps.iter().filter(|step| changes_something(step));
        let standing = effects.filter(|step| self.left_a_mark(step)).count();
        let failed_undo = self.undone.values().any(Result::is_err);
        match (standing, failed_undo) {
            (_, true) => End::PartWay,
            (0, false) if !self.undone.is_empty() => End::RolledBack,
            (0, false) if self.interrupted => End::Interrupted,
            (0, false) => End::NothingDone,
            _ if bad.iter().all(|step| step.phase == Phase::Rejoin) => End::NotRejoined,
            _ => End::PartWay,
        }
    }

    /// Done and not taken back.
    fn left_a_mark(&self, step: &Step) -> bool {
        self.outcome(step).is_some_and(Outcome::is_done) && !matches!(self.undone.get(&step.id), Some(Ok(())))
    }
}
