//! The audit: whoever made a plan, a person with an editor included, does it keep the rules that no plan may break?
//!
//! It reads the plan and nothing else, and shares no code with the planner: a mistake there is not repeated here.
//! Each invariant is one function that gives the sentences of what it found broken.

mod shape;
mod takeover;
mod told;
mod whole;

use std::collections::BTreeSet;

use super::document::Plan;
use super::step::{Step, StepId};

type Invariant = fn(&Book<'_>) -> Vec<String>;

/// Every invariant, in the order in which a reader would ask.
const INVARIANTS: &[Invariant] = &[
    shape::ids_are_unique_and_their_actions,
    shape::needs_are_earlier_steps_of_no_later_phase,
    shape::instances_are_declared,
    shape::targets_are_kept,
    shape::limits_are_set,
    shape::checks_let_it_pass,
    takeover::one_promotion_per_node_of_the_declared_master,
    takeover::nothing_is_promoted_beside_what_may_be_written_to,
    takeover::nothing_is_promoted_that_may_lack_transactions,
    takeover::a_stopped_master_is_fenced,
    takeover::what_would_start_as_a_master_is_fenced,
    takeover::nothing_is_restarted_beside_a_master,
    takeover::a_gtm_standby_has_redone_a_record,
    takeover::the_gtm_goes_first,
    takeover::the_gtm_goes_alone,
    told::routes_lead_to_declared_masters,
    told::routers_are_told_after_the_takeovers,
    told::each_router_reloads_once_after_it_was_told,
    told::told_of_the_gtm_is_proved_by_a_timestamp,
    told::rejoins_follow_the_declared_master_and_come_last,
    whole::steps_stand_in_their_phase,
    whole::what_is_done_is_proved,
    whole::each_step_serves_a_change,
    whole::every_router_is_told,
];

/// What is wrong with `plan`, one sentence each; empty: nothing.
pub fn audit(plan: &Plan) -> Vec<String> {
    let book = Book { plan };
    INVARIANTS.iter().flat_map(|invariant| invariant(&book)).collect()
}

/// A plan with what is asked of it again and again.
struct Book<'a> {
    plan: &'a Plan,
}

impl<'a> Book<'a> {
    fn steps(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.plan.steps.iter()
    }

    fn step(&self, id: &StepId) -> Option<&'a Step> {
        self.steps().find(|step| step.id == *id)
    }

    /// Every step that must be settled before `step` begins.
    fn before(&self, step: &'a Step) -> Vec<&'a Step> {
        let mut seen: BTreeSet<&StepId> = BTreeSet::new();
        let mut open: Vec<&StepId> = step.needs.iter().collect();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.step(id).into_iter().flat_map(|step| &step.needs));
            }
        }
        self.steps().filter(|other| seen.contains(&other.id)).collect()
    }
}
