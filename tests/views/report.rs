//! What an operator reads at the end of a run.

use otb::apply::{End, Outcome, Report, StepReport};
use otb::view::report_text;

use crate::values::{Shape, observed, planned};

#[test]
fn what_no_plan_shows_is_not_left_to_another_apply() {
    let shape = |moved| Shape { servers: 2, coordinators: 2, datanodes: 2, moved, name: "n" };
    let plan = shape(1).plan();
    let (declared, _) = shape(0).clusters();
    let settled = planned(&declared, &observed(&declared), &[]);
    assert!(settled.is_empty(), "{:?}", settled.checks);
    let outcome = |id: &str| {
        if id.starts_with("prove:") {
            Outcome::NotDone { why: "it does not reach it".to_owned() }
        } else {
            Outcome::Done
        }
    };
    let steps = plan.steps.iter().map(|step| StepReport {
        id: step.id.clone(),
        phase: step.phase,
        outcome: outcome(step.id.as_str()),
        milliseconds: 1,
    });
    let report = Report {
        end: End::PartWay,
        steps: steps.collect(),
        undone: Vec::new(),
        gaps: std::collections::BTreeMap::new(),
        hold: None,
        notes: Vec::new(),
    };
    let text = report_text(&plan, &report, &settled, false);
    assert!(text.contains("otb apply finds nothing to do: fix the cause"), "{text}");
    let text = report_text(&plan, &report, &plan, false);
    assert!(!text.contains("finds nothing to do"), "{text}");
}
