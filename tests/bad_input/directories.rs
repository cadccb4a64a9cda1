//! Data directories in the file in which the processes do not run.

use crate::fixture::SandboxFixture;
use crate::limited::otb;

/// With `directory` declared for dn01@s47 in place of its own nothing is done, and otb says `what` is wrong with it and
/// where the process runs.
#[track_caller]
fn is_refused(place: &SandboxFixture, directory: &str, what: &str) {
    let right = format!("{}/s47/dn01", place.dir().display());
    let text = place.text();
    let wrong = text.replace(&format!("{right}}}"), &format!("{directory}}}"));
    assert_ne!(wrong, text);
    let file = place.write("wrong.yaml", wrong);
    let before = place.state();
    let apply = otb(&file).line("apply --auto-approve").run();
    apply.ends(3).says(&[&format!(
        "block   data-directory:dn01    the directory declared for dn01@s47 {what}, but dn01@s47 is process "
    )]);
    apply.says(&[&format!(", which runs in {right}\n"), "correct `data` in the file"]);
    assert_eq!(place.state(), before);
}

#[test]
fn another_directory_than_the_processes_own() {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    let base = place.dir().join("s47");
    is_refused(&place, &format!("{}/nowhere", base.display()), "does not exist");

    // What somebody has once copied has the right system identifier, and would take the fence all the same.
    let old = base.join("dn01.old");
    std::fs::create_dir(&old).unwrap();
    for name in ["PG_VERSION", "recovery.conf"] {
        std::fs::copy(base.join("dn01").join(name), old.join(name)).unwrap();
    }
    is_refused(&place, old.to_str().unwrap(), "has no postmaster.pid");

    // As a shell finds it that leads to another server than the address.
    std::fs::write(old.join("postmaster.pid"), "4711\n/data/dn01\n1700000000\n23001\n").unwrap();
    is_refused(&place, old.to_str().unwrap(), "belongs to process 4711, which runs in /data/dn01");
}
