//! A stop whose fence does not come into its place. The old master was a standby once: the recovery.done that it has from
//! then leads to the very copy that takes over, and is no fence.

use std::os::unix::fs::PermissionsExt as _;

use crate::fixture::SandboxFixture;

/// A place where dn01 has been on s47 and is back on s29.
fn there_and_back() -> SandboxFixture {
    let place = SandboxFixture::up("");
    for server in ["s47", "s29"] {
        place.declare("dn01", server);
        place.otb("apply --auto-approve").run().ends(0);
    }
    assert!(place.dir().join("s29/dn01/recovery.done").exists());
    place.declare("dn01", "s47");
    place
}

/// Puts a script in front of the tool of that name.
fn shim(place: &SandboxFixture, tool: &str, script: &str) {
    let path = place.dir().join("install/bin").join(tool);
    let real = place.dir().join("install/real");
    std::fs::create_dir_all(&real).unwrap();
    if path.exists() && !real.join(tool).exists() {
        std::fs::rename(&path, real.join(tool)).unwrap();
    }
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The old master serves again, nothing was promoted, and without the shim the run comes to its end.
#[track_caller]
fn is_rolled_back(place: &SandboxFixture, tool: &str) {
    let ended = place.otb("apply --auto-approve").run();
    ended.ends(6).says(&["undone   stop:dn01@s29"]);
    let state = place.state();
    assert!(state.contains("dn01@s29") && starts_as_a_master(place), "{ended:?}\n{state}");
    let bin = place.dir().join("install/bin").join(tool);
    std::fs::remove_file(&bin).unwrap();
    let real = place.dir().join("install/real").join(tool);
    if real.exists() {
        std::fs::rename(real, bin).unwrap();
    }
    place.settles();
}

#[test]
fn that_cannot_be_moved() {
    let place = there_and_back();
    shim(
        &place,
        "mv",
        "case $* in *recovery.conf.otb*) echo 'mv: Read-only file system' >&2; exit 1;; esac; exec /bin/mv \"$@\"",
    );
    is_rolled_back(&place, "mv");
}

#[test]
fn whose_script_is_killed_before() {
    let place = there_and_back();
    shim(&place, "mv", "case $* in *recovery.conf.otb*) kill -9 $PPID; exit 1;; esac; exec /bin/mv \"$@\"");
    is_rolled_back(&place, "mv");
}

/// pg_ctl then says that there is no server, and the script ends there.
#[test]
fn where_somebody_else_has_stopped_the_master() {
    let place = there_and_back();
    let real = place.dir().join("install/real/pg_ctl").display().to_string();
    shim(&place, "pg_ctl", &format!("case $* in *' stop '*) {real} \"$@\" -w;; esac; exec {real} \"$@\""));
    is_rolled_back(&place, "pg_ctl");
}

/// A full disk would do the same. Who cannot move stays as it is, the others move, and are reached through all the same.
#[test]
fn that_cannot_be_laid_ready() {
    for (node, on, to) in [("dn02", "s47", "s29"), ("cn02", "s47", "s29")] {
        let place = SandboxFixture::up("--coordinator-standbys");
        let data = place.dir().join(on).join(node);
        std::fs::create_dir(data.join("recovery.conf.otb")).unwrap();
        place.declare("dn01", "s47");
        place.declare(node, to);
        let process = || std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
        let was = process();
        let ended = place.otb("apply --auto-approve").run();
        ended.ends(7).says(&[&format!("not done stage-fence:{node}@{on}"), &format!("still: switchover {node}")]);
        assert_eq!(process(), was, "{ended:?}");
        // Where it stayed it knows of the other one, which serves clients through it.
        ended.says(&["Updating routes on the nodes that did not move", &format!("routes updated on {node}@{on}")]);
        assert!(!ended.stdout.contains("still: reroute"), "{}", ended.stdout);
        place.otb("plan --target dn01 --detailed-exitcode").run().ends(0);
        std::fs::remove_dir(data.join("recovery.conf.otb")).unwrap();
        place.settles();
    }
}

/// Starts dn01@s29 in the moment in which mv is to put its recovery.conf into its place, once.
fn started_before_the_move(place: &SandboxFixture) {
    let (data, mark) = (place.dir().join("s29/dn01"), place.dir().join("started"));
    let (data, mark) = (data.display(), mark.display());
    let pg_ctl = place.dir().join("install/bin/pg_ctl").display().to_string();
    let start =
        format!("test -e {mark} || {{ touch {mark}; {pg_ctl} -Z datanode -D {data} start -w >/dev/null 2>&1; }}");
    shim(place, "mv", &format!("case $* in *s29/dn01/recovery.conf) {start};; esac; exec /bin/mv \"$@\""));
}

fn starts_as_a_master(place: &SandboxFixture) -> bool {
    !place.dir().join("s29/dn01/recovery.conf").exists()
}

/// As a supervisor does: the server has not read the file that came a moment later.
#[test]
fn that_comes_after_a_start() {
    let place = SandboxFixture::moving("");
    place.fault("kill dn01@s29");
    started_before_the_move(&place);
    let ended = place.otb("apply --auto-approve").run();
    assert!([6, 7].contains(&ended.code), "{ended:?}");
    ended.says(&["not done fence:dn01@s29", "skipped promote:dn01@s47"]);
    assert!(starts_as_a_master(&place), "what it was given is taken away again");
    place.settles();
}

/// The master serves again, and with nothing in its directory that would make it a standby at its next start.
#[test]
fn that_is_moved_into_a_running_master() {
    let place = SandboxFixture::moving("");
    started_before_the_move(&place);
    let ended = place.otb("apply --auto-approve").run();
    ended.ends(6).says(&["not done stop:dn01@s29", "undone   stop:dn01@s29"]);
    assert!(starts_as_a_master(&place), "{ended:?}");
    place.settles();
}

/// A recovery.conf that makes no standby is none: after the recovery from an archive the server is a master.
#[test]
fn that_somebody_else_wrote_and_is_none() {
    let place = SandboxFixture::moving("");
    place.fault("kill dn01@s29");
    let archive = "standby_mode = 'off'\nrestore_command = 'cp /archive/%f %p'\n";
    std::fs::write(place.dir().join("s29/dn01/recovery.conf"), archive).unwrap();
    place.otb("plan").run().ends(0).says(&["fence:dn01@s29"]);
    place.settles();
}

/// The pid file names nobody whom otb's shell can see, as where the server is in a container, and it hangs.
#[test]
fn of_a_server_that_only_its_port_tells_of() {
    let place = SandboxFixture::moving("");
    let real = place.dir().join("install/real/pg_ctl").display().to_string();
    let blind = "case $* in *s29/dn01*status*) echo 'pg_ctl: no server running'; exit 3;; esac";
    shim(&place, "pg_ctl", &format!("{blind}; exec {real} \"$@\""));
    place.fault("hang dn01@s29");
    let ended = place.otb("apply --auto-approve --timeout 2s").run();
    assert!(![0, 8, 9].contains(&ended.code), "{ended:?}");
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("done     promote"), "{ended:?}");
    assert!(ended.stdout.contains("accepts connections"), "{}", ended.stdout);
}
