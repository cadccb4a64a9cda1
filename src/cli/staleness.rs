//! Whether what was approved may be done: it is what would be planned now, and it breaks no rule.

use super::failure::Failure;
use crate::codes::ErrorCode;
use crate::plan::{Plan, audit, moved};

/// The last comparison before a plan runs, by code that does not know how the plan was made.
pub(super) fn audited(plan: &Plan, so_far: &str) -> Result<(), Failure> {
    let broken = audit(plan);
    if broken.is_empty() {
        return Ok(());
    }
    let text = format!("the plan breaks rules that no plan may break, {so_far}\n  {}", broken.join("\n  "));
    Err(Failure::new(ErrorCode::PlanAudit, text)
        .hint("this is a defect in otb, or the plan was edited: keep the plan and report it"))
}

/// A plan is applied only to the cluster it was made for, and only while it would be made again like that.
pub(super) fn still_fits(approved: &Plan, now: &Plan) -> Result<(), Failure> {
    let actions = |plan: &Plan| plan.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>();
    if approved.fingerprint == now.fingerprint && actions(approved) == actions(now) {
        return Ok(());
    }
    let lines = moved(approved, now);
    let text =
        format!("the cluster changed since the plan was made; nothing was changed by otb\n  {}", lines.join("\n  "));
    Err(Failure::new(ErrorCode::PlanStale, text).hint("read what changed, then plan again"))
}
