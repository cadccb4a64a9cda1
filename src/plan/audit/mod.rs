//! The audit: does a plan keep the rules that no plan may break, also if a person edited it?
//!
//! It reads the plan and nothing else, and shares no code with the planner: a mistake there is not repeated here.
//! Each invariant is one function that gives the sentences of what it found broken.

mod hold;
mod salvage;
mod shape;
mod split;
mod sync;
mod takeover;
mod told;
mod whole;

use std::collections::BTreeMap;

use super::document::Plan;
use super::step::{Step, StepId};

type Invariant = fn(&PlanUnderAudit<'_>) -> Vec<String>;

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
    salvage::what_is_salvaged_comes_from_a_fenced_copy_before_the_promotion,
    takeover::a_stopped_master_is_fenced,
    takeover::what_would_start_as_a_master_is_fenced,
    takeover::nothing_is_restarted_beside_a_master,
    takeover::a_gtm_standby_has_redone_a_record,
    split::a_second_master_ends_by_name_and_for_good,
    split::its_rows_are_not_taken_for_the_clusters,
    takeover::the_gtm_goes_first,
    takeover::the_gtm_goes_alone,
    told::routes_lead_to_declared_masters,
    told::routers_are_told_after_the_takeovers,
    told::each_router_reloads_once_after_it_was_told,
    told::told_of_the_gtm_is_proved_by_a_timestamp,
    sync::returns_keep_their_fence,
    sync::returns_are_proved_by_a_commit,
    told::rejoins_follow_the_declared_master_and_come_last,
    whole::steps_stand_in_their_phase,
    whole::what_is_done_is_proved,
    whole::each_step_serves_a_change,
    whole::every_router_is_told,
    whole::started_routers_are_told,
    told::every_run_settles,
    hold::a_hold_stands_around_the_moves,
    hold::whoever_is_held_is_released,
];

/// What is wrong with `plan`, one sentence each; empty: nothing.
pub fn audit(plan: &Plan) -> Vec<String> {
    let audited = PlanUnderAudit::new(plan);
    INVARIANTS.iter().flat_map(|invariant| invariant(&audited)).collect()
}

/// A plan with what is asked of it again and again: thousands of routers make thousands of steps.
struct PlanUnderAudit<'a> {
    plan: &'a Plan,
    /// The position of the first step of that name.
    places: BTreeMap<&'a StepId, usize>,
    /// For each step, one bit for each step that must be done before it.
    before: Vec<Vec<u64>>,
}

impl<'a> PlanUnderAudit<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut places = BTreeMap::new();
        for (place, step) in plan.steps.iter().enumerate() {
            places.entry(&step.id).or_insert(place);
        }
        let mut before: Vec<Vec<u64>> = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let mut bits = vec![0; plan.steps.len().div_ceil(64)];
            // One that stands later, or nowhere, is found broken by an invariant of its own.
            let earlier = step.needs.iter().filter_map(|need| places.get(need)).filter(|at| **at < before.len());
            for &at in earlier {
                bits[at / 64] |= 1 << (at % 64);
                bits.iter_mut().zip(&before[at]).for_each(|(bits, more)| *bits |= more);
            }
            before.push(bits);
        }
        Self { plan, places, before }
    }

    fn steps(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.plan.steps.iter()
    }

    fn step(&self, id: &StepId) -> Option<&'a Step> {
        self.plan.steps.get(*self.places.get(id)?)
    }

    /// Whether `first` must be settled before `step` begins.
    fn waits_for(&self, step: &Step, first: &Step) -> bool {
        let (Some(&step), Some(&first)) = (self.places.get(&step.id), self.places.get(&first.id)) else { return false };
        is_set(&self.before[step], first)
    }

    /// Every step that must be settled before `step` begins.
    fn before(&self, step: &Step) -> Vec<&'a Step> {
        let Some(&step) = self.places.get(&step.id) else { return Vec::new() };
        self.steps().enumerate().filter(|(at, _)| is_set(&self.before[step], *at)).map(|(_, other)| other).collect()
    }
}

fn is_set(bits: &[u64], at: usize) -> bool {
    bits[at / 64] >> (at % 64) & 1 == 1
}
