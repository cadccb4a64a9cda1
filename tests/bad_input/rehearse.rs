//! Rehearsals of plans that are too old, of another otb, or of a cluster that was not seen: an answer, never a guess.

use std::path::PathBuf;

use serde_json::Value;

use crate::fixture::SandboxFixture;

/// A sandbox whose dn01 shall move, and the saved plan of that.
fn planned() -> (SandboxFixture, PathBuf) {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().fails(0, &["saved to"]);
    (place, saved)
}

fn edited(place: &SandboxFixture, saved: &PathBuf, edit: impl FnOnce(&mut Value)) -> PathBuf {
    let mut plan: Value = serde_json::from_slice(&std::fs::read(saved).unwrap()).unwrap();
    edit(&mut plan);
    place.write("edited.json", plan.to_string())
}

#[test]
fn a_saved_plan_is_rehearsed_without_its_cluster_and_again_the_same() {
    let (place, saved) = planned();
    place.otb("sandbox down --dir").args([place.dir()]).run();
    let first = place.otb("show --format json --rehearse single").args([&saved]).run();
    first.ends(0).says(&["\"rehearsal\"", "\"as_planned\"", "\"loses_data\": 0"]);
    let shown = place.otb("show").args([&saved]).args(["--rehearse"]).run();
    shown.ends(0).says(&["Rehearsal:", "as planned", "finished by another otb apply", "rolled back", "way out"]);
}

#[test]
fn what_cannot_be_rehearsed() {
    let (place, saved) = planned();
    let without = edited(&place, &saved, |plan| drop(plan.as_object_mut().unwrap().remove("seen")));
    place.otb("show --rehearse single").args([&without]).run().fails(1, &["rehearsal.no-observation", "plan again"]);
    let broken = edited(&place, &saved, |plan| plan["seen"] = "{".into());
    place.otb("show --rehearse single").args([&broken]).run().fails(1, &["rehearsal.no-observation"]);
    let older = edited(&place, &saved, |plan| plan["otb_version"] = "0.0.1".into());
    place.otb("show --rehearse single").args([&older]).run().fails(1, &["rehearsal.other-plan", "otb 0.0.1"]);
    let newer = edited(&place, &saved, |plan| plan["format_version"] = "3.0".into());
    place.otb("show --rehearse single").args([&newer]).run().fails(1, &["plan.format-version"]);
    let unseen = edited(&place, &saved, |plan| {
        let why = serde_json::json!({"unknown": {"kind": "timed_out", "why": "no answer"}});
        let mut seen: Value = serde_json::from_str(plan["seen"].as_str().unwrap()).unwrap();
        let instances = seen["observation"]["instances"].as_object_mut().unwrap();
        instances.values_mut().take(4).for_each(|facts| facts["process"] = why.clone());
        plan["seen"] = seen.to_string().into();
    });
    place.otb("show --rehearse single").args([&unseen]).run().fails(1, &["rehearsal.unknown", "4 of 8"]);
    // The plan of another state.
    let other = edited(&place, &saved, |plan| drop(plan["steps"].as_array_mut().unwrap().pop()));
    place.otb("show --rehearse single").args([&other]).run().fails(1, &["rehearsal.other-plan"]);
    place.otb("plan --rehearse often").run().fails(64, &["often", "pairs"]);
    place.otb("plan --rehearse-time 5s").run().fails(64, &["--rehearse"]);
}

#[test]
fn nothing_to_rehearse_is_said() {
    let place = SandboxFixture::up("");
    place.otb("plan --rehearse").run().ends(0).says(&["Nothing to do"]);
}
