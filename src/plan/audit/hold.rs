//! Invariants of the hold: clients wait for nothing but the moves, and never for ever.

use super::PlanUnderAudit;
use crate::plan::{Action, Phase, Step};

fn holds<'a>(audited: &PlanUnderAudit<'a>) -> impl Iterator<Item = &'a Step> + use<'a> {
    audited.steps().filter(|step| matches!(step.action, Action::Hold { .. }))
}

fn releases<'a>(audited: &PlanUnderAudit<'a>) -> Vec<&'a Step> {
    audited.steps().filter(|step| matches!(step.action, Action::Release { .. })).collect()
}

/// Nothing that takes long stands inside, and no master that clients need stops outside.
pub(super) fn a_hold_stands_around_the_moves(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for hold in holds(audited) {
        let Action::Hold { masters, .. } = &hold.action else { continue };
        for step in audited.steps() {
            let stops = matches!(step.action, Action::Stop { .. }) && masters.contains(step.action.target());
            if stops && !audited.waits_for(step, hold) {
                wrong.push(format!("{} does not wait for {}", step.id, hold.id));
            }
            if matches!(step.phase, Phase::Prepare | Phase::Gtm) && !audited.waits_for(hold, step) {
                wrong.push(format!("{} does not wait for {}", hold.id, step.id));
            }
        }
        for master in masters.iter() {
            let stops = |step: &Step| matches!(&step.action, Action::Stop { instance, .. } if instance == master);
            if !audited.steps().any(stops) {
                wrong.push(format!("{} holds clients for {master}, which does not stop", hold.id));
            }
        }
    }
    wrong
}

/// One release for the hold, of the same coordinators, after the proofs and before nothing else.
pub(super) fn whoever_is_held_is_released(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let (holds, releases): (Vec<&Step>, Vec<&Step>) = (holds(audited).collect(), releases(audited));
    let (hold, release) = match (holds.as_slice(), releases.as_slice()) {
        ([], []) => return Vec::new(),
        ([hold], [release]) => (*hold, *release),
        _ => return vec!["the plan does not have one release for each hold".to_owned()],
    };
    let mut wrong = Vec::new();
    if let (Action::Hold { coordinators: held, .. }, Action::Release { coordinators: freed, .. }) =
        (&hold.action, &release.action)
        && held != freed
    {
        wrong.push(format!("{} releases other coordinators than {} holds", release.id, hold.id));
    }
    let until = |step: &&Step| matches!(step.phase, Phase::Move | Phase::Reroute | Phase::Reload | Phase::Prove);
    let early = audited.steps().filter(until).filter(|step| !audited.waits_for(release, step));
    wrong.extend(early.map(|step| format!("{} does not wait for {}", release.id, step.id)));
    let late = audited.steps().filter(|step| step.phase != Phase::Rejoin && audited.waits_for(step, release));
    wrong.extend(late.map(|step| format!("{} waits for {}", step.id, release.id)));
    wrong
}
