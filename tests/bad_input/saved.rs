//! Saved plans that are cut off, edited, too new, of another cluster, or too old for the live one.

use std::path::PathBuf;

use serde_json::Value;

use crate::fixture::SandboxFixture;

/// A sandbox whose dn01 shall move, and the saved plan of that.
fn planned() -> (SandboxFixture, PathBuf) {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().fails(0, &["saved to", "otb apply"]);
    (place, saved)
}

fn edited(place: &SandboxFixture, saved: &PathBuf, edit: impl FnOnce(&mut Value)) -> PathBuf {
    let mut plan: Value = serde_json::from_slice(&std::fs::read(saved).unwrap()).unwrap();
    edit(&mut plan);
    place.write("edited.json", plan.to_string())
}

#[track_caller]
fn refused(place: &SandboxFixture, plan: &PathBuf, code: i32, parts: &[&str]) {
    let before = place.state();
    place.otb("apply").args([plan]).run().fails(code, parts);
    assert_eq!(place.state(), before);
}

#[test]
fn what_is_no_plan() {
    let (place, saved) = planned();
    let text = std::fs::read(&saved).unwrap();
    refused(&place, &place.dir().join("none.json"), 1, &["none.json", "No such file"]);
    refused(&place, &place.dir().to_owned(), 1, &["failed to read the plan", "directory"]);
    refused(&place, &"/dev/zero".into(), 1, &["/dev/zero", "bytes"]);
    for length in [0, 1, 400, text.len() / 2, text.len() - 3] {
        let cut = place.write("cut.json", &text[..length]);
        refused(&place, &cut, 1, &["cut.json", "incomplete", "plan -o"]);
    }
    for other in ["{}", "[]", "null", "{\"format_version\": \"2.0\"}", "\u{0}\u{1}", "version: 1"] {
        refused(&place, &place.write("other.json", other), 1, &["other.json", "plan -o"]);
    }
    refused(&place, &place.write("deep.json", "[".repeat(1 << 20)), 1, &["deep.json", "recursion limit"]);
    refused(&place, &place.write("latin.json", b"\xff\xfe"), 1, &["latin.json", "UTF-8"]);
}

#[test]
fn a_newer_format() {
    let (place, saved) = planned();
    let major = edited(&place, &saved, |plan| plan["format_version"] = "3.0".into());
    refused(&place, &major, 1, &["format_version is \"3.0\"", "reads 2.", "plan again"]);
    // A minor version only adds.
    let minor = edited(&place, &saved, |plan| {
        plan["format_version"] = "2.99".into();
        plan["something_new"] = true.into();
    });
    place.otb("show").args([&minor]).run().ends(0).says(&["promote:dn01@s47"]);
}

#[test]
fn an_edited_plan() {
    let (place, saved) = planned();
    let master = edited(&place, &saved, |plan| plan["cluster"]["nodes"]["dn02"]["master"] = "s29".into());
    refused(&place, &master, 1, &["changed after otb wrote it", "plan again"]);
    let fact = edited(&place, &saved, |plan| plan["facts"]["dn01@s29: role"] = "standby".into());
    refused(&place, &fact, 1, &["changed after otb wrote it"]);
    let fingerprint = edited(&place, &saved, |plan| plan["fingerprint"] = "00".into());
    refused(&place, &fingerprint, 1, &["changed after otb wrote it"]);
    let fewer = edited(&place, &saved, |plan| drop(plan["steps"].as_array_mut().unwrap().remove(3)));
    refused(&place, &fewer, 4, &["the cluster changed since the plan was made"]);
    let other = edited(&place, &saved, |plan| plan["steps"][0]["action"]["instance"] = "dn02@s47".into());
    refused(&place, &other, 4, &["the cluster changed since the plan was made"]);
}

#[test]
fn a_plan_of_another_cluster() {
    let (place, saved) = planned();
    let other = SandboxFixture::up("");
    let before = (place.state(), other.state());
    other.otb("apply").args([&saved]).run().fails(4, &["was made from another version of", "dn01", "--file"]);
    let renamed = place.write("renamed.yaml", place.text().replace("cluster: opentenbase_cluster", "cluster: prod"));
    crate::limited::otb(&renamed).line("apply").args([&saved]).run().fails(4, &["opentenbase_cluster", "prod"]);
    assert_eq!((place.state(), other.state()), before);
}

#[test]
fn a_file_that_was_changed_since() {
    let (place, saved) = planned();
    place.declare("dn01", "s29");
    refused(&place, &saved, 4, &["dn01: the plan declares its master on s47, the file on s29", "plan again"]);
}

#[test]
fn a_saved_plan_takes_no_targets() {
    let (place, saved) = planned();
    place.otb("apply --target dn01").args([&saved]).run().fails(64, &["--target", "-o PLAN"]);
}

#[test]
fn a_stale_plan_names_what_moved() {
    let (place, saved) = planned();
    place.fault("wrong-route cn02@s47 dn02=127.0.0.9:1234");
    refused(&place, &saved, 4, &["cn02@s47: route to dn02", "127.0.0.9:1234", "plan again"]);
    place.otb("apply --auto-approve").run().ends(0);
    place.declare("dn01", "s29");
    place.otb("apply --auto-approve").run().ends(0);
    place.declare("dn01", "s47");
    refused(&place, &saved, 4, &["dn01@s29: timeline: was 1, is now 3"]);
}

#[test]
fn a_step_that_the_same_facts_call_for_only_now_is_named() {
    let place = SandboxFixture::up("");
    place.fault("wrong-route cn01@s29 dn02=127.0.0.9:1234");
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().ends(0);
    // A pooler is no part of the fingerprint.
    place.fault("stale-pool cn02@s47 dn01=127.0.0.9:1234");
    refused(&place, &saved, 4, &["step reload:cn02@s47: was not planned, but is needed now"]);
}

#[test]
fn a_plan_that_cannot_be_written() {
    let place = SandboxFixture::up("");
    for path in ["/nonexistent/plan.json", "/proc/plan.json", place.dir().to_str().unwrap()] {
        place.otb("plan -o").args([path]).run().fails(1, &["failed to write", path]);
    }
    place.otb("plan -o /dev/full").run().fails(1, &["failed to write /dev/full", "No space left"]);
}
