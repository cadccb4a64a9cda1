//! The search can fail: with a bug planted in the plan it finds a state that must not be.

use std::panic::{AssertUnwindSafe, catch_unwind};

use otb::model::{Condition, Role};
use otb::plan::{Action, Plan, Step};
use otb::rehearsal::{Fault, Lab, Mishap, QUICK, observe, rehearse_on};
use otb::sandbox::world::{Elsewhere, image};

use super::declared;
use super::explore::Search;
use super::fault::all;
use super::lab::{id, node};

/// Runs the search on a spoilt plan; what it found must say `says`.
#[track_caller]
fn finds(moves: &[(&str, &str)], before: &[Fault], spoil: fn(&mut Plan), says: &str) {
    finds_among(&all(), moves, before, spoil, says);
}

#[track_caller]
fn finds_among(faults: &[Fault], moves: &[(&str, &str)], before: &[Fault], spoil: fn(&mut Plan), says: &str) {
    let mut lab = declared(moves, before);
    lab.pace = QUICK;
    let mut search = Search::new(faults).spoilt_by(spoil);
    let Err(found) = catch_unwind(AssertUnwindSafe(|| search.run(&lab, 1))) else {
        panic!("the search went through all {} states and found nothing", search.states());
    };
    let found = found.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(found.contains(says), "it found something else: {found}");
    // A rehearsal of the same plan finds it, too, from what is seen of the cluster.
    let seen = observe(&lab);
    let lab = Lab::in_the_image(&lab.cluster, &seen, image(&lab.cluster, &seen, Lab::begins()));
    let mut plan = Search::new(&[]).make_plan(&lab, false);
    spoil(&mut plan);
    let rehearsal = rehearse_on(&lab, &plan);
    let bad = rehearsal.worst.iter().any(|story| story.end.is_bad());
    assert!(bad, "the rehearsal of {moves:?} after {before:?} found nothing: {:#?}", rehearsal.outcomes);
}

/// Leaves out every condition of a kind, before and after steps.
fn forget(plan: &mut Plan, kind: fn(&Condition) -> bool) {
    for step in &mut plan.steps {
        step.before.retain(|condition| !kind(condition));
        step.after.retain(|condition| !kind(condition));
    }
}

/// Leaves out the steps of a kind.
fn skip(plan: &mut Plan, kind: fn(&Action) -> bool) {
    let gone: Vec<_> = plan.steps.iter().filter(|step| kind(&step.action)).map(|step| step.id.clone()).collect();
    plan.steps.retain(|step| !gone.contains(&step.id));
    plan.steps.iter_mut().for_each(|step| step.needs.retain(|id| !gone.contains(id)));
}

fn unfence(plan: &mut Plan) {
    skip(plan, |action| matches!(action, Action::StageFence { .. } | Action::Fence { .. }));
    forget(plan, |condition| matches!(condition, Condition::Fenced { .. }));
    for step in &mut plan.steps {
        if let Action::Stop { fenced, .. } = &mut step.action {
            *fenced = false;
        }
    }
}

#[test]
fn a_master_that_is_not_fenced() {
    finds(&[("dn01", "s47")], &[], unfence, "dn01 has 2 masters that can be reached");
    finds(&[("gtm_1", "s47")], &[], unfence, "gtm_1 has 2 masters that can be reached");
    finds(&[("dn01", "s47")], &[Fault::Kill(id("dn01@s29"))], unfence, "dn01 has 2 masters that can be reached");
    finds(&[("gtm_1", "s47")], &[Fault::Kill(id("gtm_1@s29"))], unfence, "gtm_1 has 2 masters that can be reached");
}

/// What proves the stop is true whatever became of it.
fn believe_the_stop(plan: &mut Plan) {
    skip(plan, |action| matches!(action, Action::CatchUp { .. }));
    forget(plan, |condition| matches!(condition, Condition::CleanlyStopped { .. } | Condition::Stopped { .. }));
    let stop = plan.steps.iter().position(|step| matches!(step.action, Action::Stop { .. })).unwrap();
    let stopped = plan.steps[stop].id.clone();
    let promote = plan.steps.iter_mut().find(|step| step.point_of_no_return).unwrap();
    promote.needs.push(stopped);
    let standby = Condition::Runs { instance: promote.action.target().clone(), role: Role::Standby };
    plan.steps[stop].after = vec![standby];
}

#[test]
fn a_stop_that_nobody_proves() {
    let unheard = [Fault::Mishap(Mishap::RequestLost)];
    finds_among(&unheard, &[("dn01", "s47")], &[], believe_the_stop, "dn01 has 2 masters that can be reached");
    finds_among(&unheard, &[("gtm_1", "s47")], &[], believe_the_stop, "gtm_1 has 2 masters that can be reached");
}

/// The stop comes when everything else is done.
fn promote_first(plan: &mut Plan) {
    believe_the_stop(plan);
    let stop = plan.steps.iter().position(|step| matches!(step.action, Action::Stop { .. })).unwrap();
    let mut stop: Step = plan.steps.remove(stop);
    plan.steps.iter_mut().for_each(|step| step.needs.retain(|id| *id != stop.id));
    stop.before.clear();
    stop.needs = plan.steps.iter().map(|step| step.id.clone()).collect();
    plan.steps.push(stop);
}

#[test]
fn a_promotion_before_the_stop() {
    finds_among(&[], &[("dn01", "s47")], &[], promote_first, "dn01 has 2 masters that can be reached");
    finds_among(&[], &[("gtm_1", "s47")], &[], promote_first, "gtm_1 has 2 masters that can be reached");
}

#[test]
fn a_promotion_that_does_not_wait_for_the_standby() {
    let hasty: fn(&mut Plan) = |plan| {
        skip(plan, |action| matches!(action, Action::CatchUp { .. }));
        let stop = plan.steps.iter().find(|step| step.action.verb() == "stop").unwrap().id.clone();
        let promote = plan.steps.iter_mut().find(|step| step.point_of_no_return).unwrap();
        promote.needs.push(stop);
    };
    // A standby that gets nothing, and a master that goes on writing.
    let lagging = [Fault::Lag(id("dn01@s47")), Fault::Write(node("dn01"))];
    finds(&[("dn01", "s47")], &lagging, hasty, "dn01@s47 was promoted without what dn01@s29 has");
}

#[test]
fn a_promotion_that_does_not_wait_for_the_salvage() {
    let hasty: fn(&mut Plan) = |plan| {
        skip(plan, |action| matches!(action, Action::Salvage { .. }));
    };
    let before = [Fault::CrashLossy(node("dn01"))];
    finds(&[("dn01", "s47")], &before, hasty, "dn01@s47 was promoted without what dn01@s29 has");
}

#[test]
fn a_gtm_promoted_before_it_has_redone_a_record() {
    let hasty: fn(&mut Plan) = |plan| skip(plan, |action| matches!(action, Action::AwaitRedo { .. }));
    let fresh = [Fault::Kill(id("gtm_1@s47")), Fault::Start(id("gtm_1@s47"))];
    finds(&[("gtm_1", "s47")], &fresh, hasty, "gtm_1@s47 was promoted before it had replayed a record");
}

#[test]
fn clients_that_are_never_released() {
    let spoil = |plan: &mut Plan| skip(plan, |action| matches!(action, Action::Release { .. }));
    finds(&[("dn01", "s47")], &[], spoil, "clients still wait after all steps");
}

#[test]
fn a_commit_that_stays_cut_in_half() {
    let before = [Fault::InDoubt(node("dn02"), Elsewhere::Committed), Fault::Kill(id("dn01@s29"))];
    let spoil = |plan: &mut Plan| skip(plan, |action| matches!(action, Action::Settle { .. }));
    finds(&[("dn01", "s47")], &before, spoil, "it ended well and left");
}
