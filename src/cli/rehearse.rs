//! `--rehearse` of `otb plan` and `otb show`.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::args::some_time;
use super::failure::Failure;
use super::terminal;
use crate::codes::ErrorCode;
use crate::model::Observation;
use crate::plan::{Check, CheckCode, CheckId, KeptObservation, Plan, Rehearsal, Verdict};
use crate::rehearsal::{CannotRehearse, Rehearse, bad_nodes, rehearse};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Depth {
    /// One fault in each run
    Single,
    /// Also two faults in one run, until the time is over
    Pairs,
}

/// The arguments of a rehearsal.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct RehearseArgs {
    /// Run the plan on a simulated copy of the cluster, with each fault at each moment, and report how it ends
    #[arg(long, value_name = "DEPTH", num_args = 0..=1, default_missing_value = "single")]
    rehearse: Option<Depth>,
    /// Time limit for pairs of faults
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = some_time, requires = "rehearse")]
    rehearse_time: Option<Duration>,
}

impl RehearseArgs {
    pub(super) fn are_given(&self) -> bool {
        self.rehearse.is_some()
    }

    /// Rehearses if requested, and adds the result to the plan. A reason against it is reported after the plan is
    /// shown.
    pub(super) fn add_to(&self, plan: &mut Plan, seen: &Observation) -> Result<(), Failure> {
        let Some(depth) = self.rehearse else { return Ok(()) };
        let begun = Instant::now();
        let limit = self.rehearse_time.unwrap_or(Duration::from_secs(60));
        let mut go_on = || begun.elapsed() < limit;
        let pairs: Option<&mut dyn FnMut() -> bool> = (depth == Depth::Pairs).then_some(&mut go_on);
        match rehearse(Rehearse { plan, seen, pairs }) {
            Ok(rehearsal) => {
                add_checks(plan, &rehearsal);
                plan.rehearsal = Some(Box::new(rehearsal));
                Ok(())
            }
            Err(CannotRehearse::NothingToDo) => {
                terminal::say("Nothing to rehearse: the plan has no steps.");
                Ok(())
            }
            Err(CannotRehearse::Refused) => {
                terminal::say("Nothing to rehearse: the plan is refused, so otb would do nothing.");
                Ok(())
            }
            Err(CannotRehearse::MostlyUnknown { unknown, of }) => {
                let text = format!("the plan is not rehearsed: {unknown} of {of} instances were not observed");
                Err(Failure::new(ErrorCode::RehearsalUnknown, text)
                    .hint("bring back what the plan lists as not observed, then rehearse again"))
            }
            Err(CannotRehearse::OtherPlan(lines)) => {
                let text = format!(
                    "the plan is not rehearsed: the simulated copy of the cluster leads to another plan\n  {}",
                    lines.join("\n  ")
                );
                Err(Failure::new(ErrorCode::RehearsalOtherPlan, text).hint(
                    "plan and rehearse with the same otb; docs/how-to/rehearse.md lists what otb does not simulate",
                ))
            }
        }
    }

    /// The same for a saved plan.
    pub(super) fn add_to_saved(&self, plan: &mut Plan) -> Result<(), Failure> {
        if !self.are_given() {
            return Ok(());
        }
        let seen = seen_of(plan)?;
        if plan.otb_version != env!("CARGO_PKG_VERSION") {
            let text = format!(
                "the plan is not rehearsed: otb {} made it, but this is otb {}",
                plan.otb_version,
                env!("CARGO_PKG_VERSION")
            );
            return Err(Failure::new(ErrorCode::RehearsalOtherPlan, text)
                .hint("rehearse with the otb that made the plan, or plan again with this one"));
        }
        forget(plan);
        self.add_to(plan, &seen)
    }
}

/// A rehearsal that was saved gives way to the new one.
fn forget(plan: &mut Plan) {
    plan.rehearsal = None;
    plan.checks.retain(|check| check.code != CheckCode::Rehearsal);
}

/// The observation of the cluster in a saved plan.
pub(super) fn seen_of(plan: &Plan) -> Result<Observation, Failure> {
    plan.seen.as_ref().and_then(KeptObservation::restored).ok_or_else(|| {
        let text = "the plan is not rehearsed: it was saved without the observation of the cluster";
        Failure::new(ErrorCode::RehearsalNoObservation, text)
            .hint("plan again with this otb: otb plan --rehearse -o PLAN")
    })
}

/// One check for each node that a reviewer should stop at.
fn add_checks(plan: &mut Plan, rehearsal: &Rehearsal) {
    for (node, story) in bad_nodes(rehearsal) {
        let id = CheckId::new(CheckCode::Rehearsal, node);
        if plan.checks.iter().any(|check| check.id == id) {
            continue;
        }
        let (fault, moment, step) = (&story.fault, story.moment.word(), &story.step);
        plan.checks.push(Check {
            id,
            code: CheckCode::Rehearsal,
            verdict: Verdict::Warn,
            found: format!("{fault} {moment} {step}: the run {}", story.end.words()),
            details: vec![story.clients.clone()],
            rests_on: None,
            hint: Some(story.way_out.clone()),
            waived_because: None,
        });
    }
}
