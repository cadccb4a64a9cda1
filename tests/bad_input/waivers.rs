//! The line with all waivers of a refused plan: it is what can be pasted, and it wants a reason.

use crate::fixture::SandboxFixture;
use crate::limited::Ended;

/// The line that otb offers, as words behind `otb -f FILE`.
#[track_caller]
fn offered(ended: &Ended) -> String {
    let mut lines = ended.stderr.lines().skip_while(|line| !line.starts_with("The waivers"));
    let line = lines.nth(1).unwrap_or_else(|| panic!("no line is offered:\n{}", ended.stderr));
    line.trim().to_owned()
}

/// A node whose master died with WAL that its standby lacks, declared where the standby is.
fn losing() -> SandboxFixture {
    let place = SandboxFixture::up("");
    place.fault("crash-lossy dn01@s29 8192");
    // Else it would be brought to the standby, and nothing were lost.
    place.fault("fail pg_waldump 1000");
    place.declare("dn01", "s47");
    place
}

#[test]
fn the_line_repeats_the_command_with_every_waiver_and_wants_a_reason() {
    let place = losing();
    let head = format!("otb -f {} ", place.file().display());
    let plan = place.otb("plan --detailed-exitcode").run();
    plan.ends(3);
    let line = offered(&plan);
    assert_eq!(line, format!("{head}plan --detailed-exitcode --waive data-loss:dn01 --reason \"...\""));
    let pasted = |reason: &str| {
        let words = line.strip_prefix(&head).unwrap().replace("\"...\"", reason);
        place.otb(&words).run()
    };
    pasted("...").fails(64, &["--waive requires a --reason"]);
    pasted("CHG-1").ends(2).says(&["waived  data-loss:dn01", "waived: CHG-1"]);
}

#[test]
fn a_saved_plan_is_waived_by_planning_again() {
    let place = losing();
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().ends(0);
    let apply = place.otb("apply").args([&saved]).run();
    apply.ends(3);
    let head = format!("otb -f {} ", place.file().display());
    assert_eq!(offered(&apply), format!("{head}plan --waive data-loss:dn01 --reason \"...\""));
}

#[test]
fn what_has_written_the_file_is_followed_by_its_application() {
    let place = losing();
    place.declare("dn01", "s29");
    let head = format!("otb -f {} ", place.file().display());
    let moved = place.otb("move dn01 s47").run();
    assert_eq!(offered(&moved), format!("{head}move dn01 s47 --waive data-loss:dn01 --reason \"...\""));
    let moved = place.otb("move dn01 s47 --write").run();
    assert_eq!(offered(&moved), format!("{head}apply --waive data-loss:dn01 --reason \"...\""));
}

#[test]
fn what_cannot_be_waived_is_not_offered() {
    let place = SandboxFixture::moving("");
    place.fault("pause-replay dn01@s47");
    let plan = place.otb("plan").run();
    plan.ends(0).says(&["block   replay:dn01"]);
    assert!(!plan.stderr.contains("--waive"), "{}", plan.stderr);
    // Beside one that can be waived it is named.
    place.fault("wal dn01@s29 20000000");
    let plan = place.otb("plan").run();
    plan.ends(0).says(&["block   replay:dn01", "block   lag:dn01"]);
    assert!(offered(&plan).ends_with("plan --waive lag:dn01 --reason \"...\""), "{}", plan.stderr);
    assert!(plan.stderr.contains("; first fix replay:dn01, which cannot be waived:"), "{}", plan.stderr);
}
