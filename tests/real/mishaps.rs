//! What goes wrong in the middle of a run, where only real processes can tell what is left.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Hands, Real};
use crate::support::ground::{Ran, TestCluster as _};

/// A switchover of dn01 has 19 steps: after the last there is nothing left to be killed in.
const KILLED_AFTER: std::ops::RangeInclusive<usize> = 0..=18;

/// SIGKILL at every boundary between two steps: whatever was done, a fresh apply does the rest.
pub(crate) fn otb_killed(real: &Real) {
    for steps in KILLED_AFTER {
        let to = if steps % 2 == 0 { "s47" } else { "s29" };
        declare(real, to);
        kill_after(real, steps);
        let ran = apply(real);
        assert_eq!(ran.code, 0, "killed after {steps} steps, then: {}{}", ran.stdout, ran.stderr);
        assert_eq!(recovery(real, to), "f", "killed after {steps} steps");
        assert_eq!(recovery(real, if to == "s47" { "s29" } else { "s47" }), "t", "killed after {steps} steps");
    }
}

/// What apply says when it is killed while the GTM moves. What comes next has begun then: waiting for the standby, telling
/// the routers, reloading them. Each costs some ten seconds, in which GTMs write records.
const GTM_MOMENTS: [&str; 3] = ["done     stop:gtm_1@OLD", "done     promote:gtm_1@NEW", "done     repoint-gtm:cn01"];

/// SIGKILL while the GTM moves, and while it is failed over: a fresh apply ends with one active GTM, its standby
/// attached, and clients that write through every coordinator.
pub(crate) fn otb_killed_while_the_gtm_moves(real: &Real) {
    crate::rows::table(real);
    let (mut old, mut new) = ("s29", "s47");
    for moment in GTM_MOMENTS {
        killed_in_a_move(real, "gtm_1", (old, new), moment);
        gtm_is_at(real, new, old, moment);
        std::mem::swap(&mut old, &mut new);
    }
    let dead = real.instance(&format!("gtm_1@{old}"));
    Hands::kill(dead.data.as_ref());
    declare_node(real, "gtm_1", new);
    kill_when(real, &format!("done     promote:gtm_1@{new}"));
    // Whoever starts the old one now gets a standby: its gtm.conf was written before the promotion.
    real.hands().must(&format!("gtm_ctl -Z gtm -D {0} start </dev/null >{0}.out 2>&1", dead.data), 60);
    let role = (0..50).find_map(|_| real.gtm_role(dead).or_else(|| pause(100)));
    assert_eq!(role.as_deref(), Some("standby"), "started by hand after the promotion of the other");
    finished(real, "gtm_1", "the promotion of a failover");
    gtm_is_at(real, new, old, "the promotion of a failover");
}

fn pause<T>(milliseconds: u64) -> Option<T> {
    std::thread::sleep(Duration::from_millis(milliseconds));
    None
}

/// The same of a coordinator, once by each step that something else depends on.
const COORDINATOR_MOMENTS: [&str; 4] =
    ["done     stop:cn01@OLD", "done     promote:cn01@NEW", "done     reroute:cn02", "done     reload:dn01"];

/// cn01 is where clients, and otb, look first.
pub(crate) fn otb_killed_while_a_coordinator_moves(real: &Real) {
    let (mut old, mut new) = ("s29", "s47");
    for moment in COORDINATOR_MOMENTS {
        killed_in_a_move(real, "cn01", (old, new), moment);
        let in_recovery = |at: &str| real.sql(at, "select pg_is_in_recovery()").stdout.trim().to_owned();
        let found = [new, old].map(|server| in_recovery(&format!("cn01@{server}")));
        assert_eq!(found, ["f", "t"], "killed after {moment}");
        let through = real.sql("cn02@s47", "execute direct on (cn01) 'select pg_is_in_recovery()'");
        assert_eq!(through.stdout.trim(), "f", "killed after {moment}: {}", through.stderr);
        std::mem::swap(&mut old, &mut new);
    }
}

/// Moves a node, kills otb at the moment, and lets fresh runs do the rest.
fn killed_in_a_move(real: &Real, node: &str, (old, new): (&str, &str), moment: &str) {
    declare_node(real, node, new);
    kill_when(real, &moment.replace("OLD", old).replace("NEW", new));
    finished(real, node, moment);
}

/// A second run may be needed where what was sent still ends while the first one looks (docs/limits.md).
pub(crate) fn finished(real: &Real, node: &str, moment: &str) {
    let mut ran = apply(real);
    if matches!(ran.code, 3 | 4) {
        ran = apply(real);
    }
    assert_eq!(ran.code, 0, "{node} killed after {moment}, then: {}{}", ran.stdout, ran.stderr);
}

fn gtm_is_at(real: &Real, active: &str, standby: &str, moment: &str) {
    let (active, standby) = (real.instance(&format!("gtm_1@{active}")), real.instance(&format!("gtm_1@{standby}")));
    let roles = [active, standby].map(|gtm| real.gtm_role(gtm));
    assert_eq!(roles.each_ref().map(Option::as_deref), [Some("primary"), Some("standby")], "killed after {moment}");
    assert!(real.is_attached(standby, active), "killed after {moment}: {} does not stream", standby.id);
    for router in ["cn01@s29", "cn02@s47"] {
        real.tell(real.instance(router), "update otb_rows set n = n + 1");
    }
}

/// A client of cn02 reads pgxc_node in one transaction after the other. ALTER NODE waits for each of them no longer than
/// its lock_timeout, those that travel together too, and in the end every router has been told of everything: of three
/// switchovers at once, and of two beside a failover.
pub(crate) fn routes_are_read_while_they_change(real: &Real) {
    moved_under_a_reader(real, ["cn01@s47", "dn01@s47", "dn02@s29"]);
    Hands::kill(real.instance("dn02@s29").data.as_ref());
    moved_under_a_reader(real, ["cn01@s29", "dn01@s29", "dn02@s47"]);
}

fn moved_under_a_reader(real: &Real, masters: [&str; 3]) {
    for (node, server) in masters.map(|master| master.split_once('@').unwrap()) {
        declare_node(real, node, server);
    }
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| read_routes(real));
        apply(real)
    });
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let row = |master: &str| format!("{}|{}\n", &master[..4], real.endpoint(master).0);
    let wanted = masters.map(row).concat();
    let hosts =
        "select node_name, node_host from pgxc_node where node_name in ('cn01', 'dn01', 'dn02') order by node_name";
    for router in masters.into_iter().chain(["cn02@s47"]) {
        assert_eq!(real.sql(router, hosts).stdout, wanted, "{router}");
    }
}

/// Each transaction is longer than otb waits for the lock, and the next begins soon.
fn read_routes(real: &Real) {
    let (host, port) = real.endpoint("cn02@s47");
    let reads =
        "begin; select count(*) from pgxc_node; select pg_sleep(0.5); commit; select pg_sleep(0.02);\n".repeat(6);
    let psql = format!("printf '%b' \"$1\" | psql -AtXq -h {host} -p {port} -U {} -d postgres", real.user());
    let ran = real.hands().run(&psql, &[&reads], 30);
    assert_eq!(ran.stdout.matches('5').count(), 6, "{}{}", ran.stdout, ran.stderr);
}

/// Two operators apply at the same time: one run does the work, the other learns who is at it and touches nothing.
pub(crate) fn two_at_once(real: &Real) {
    declare(real, "s47");
    let one = || real.otb(&["apply", "--auto-approve"].map(str::to_owned));
    let mut ran = std::thread::scope(|scope| {
        let other = scope.spawn(one);
        [one(), other.join().unwrap()]
    });
    ran.sort_by_key(|ran| ran.code);
    let [done, refused] = &ran;
    assert_eq!(
        (done.code, refused.code),
        (0, 5),
        "{}{}\n{}{}",
        done.stdout,
        done.stderr,
        refused.stdout,
        refused.stderr
    );
    for says in ["another otb is working on opentenbase_cluster: otb ", ", pid ", ", since ", "(lock on s29)"] {
        assert!(refused.stderr.contains(says), "{says:?} is not in\n{}", refused.stderr);
    }
    assert_eq!([recovery(real, "s29"), recovery(real, "s47")], ["t", "f"]);
    declare(real, "s29");
    let back = one();
    assert_eq!(back.code, 0, "nobody holds the lock any more: {}{}", back.stdout, back.stderr);
}

/// recovery.conf loses its rights after the last look at it: the promotion kills the standby. The old master is
/// started again, and the dead copy, which now knows a timeline of nobody, is copied anew.
pub(crate) fn promotion_kills_the_standby(real: &Real) {
    declare(real, "s47");
    let (old, new) = (real.instance("dn01@s29").data.clone(), real.instance("dn01@s47").data.clone());
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(Path::new(&format!("{old}/recovery.conf.otb")));
            real.hands().must(&format!("chmod 400 {new}/recovery.conf"), 10);
        });
        apply(real)
    });
    assert_eq!(ran.code, 7, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(recovery(real, "s29"), "f", "the old master serves again");
    declare(real, "s29");
    let ran = apply(real);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(recovery(real, "s47"), "t");
}

/// A standby died with its machine, and the number in its pid file is another process's of the same user by now.
pub(crate) fn pid_file_of_another(real: &Real) {
    for (id, file) in [("dn01@s47", "postmaster.pid"), ("gtm_1@s47", "gtm.pid")] {
        let (standby, other) = (&real.instance(id).data, &real.instance("dn02@s47").data);
        Hands::kill(standby.as_ref());
        let overwrite = format!("sed -i \"1s/.*/$(head -n 1 {other}/postmaster.pid)/\" {standby}/{file}");
        real.hands().must(&overwrite, 10);
        let ran = apply(real);
        assert_eq!(ran.code, 8, "{id}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("which is not this server: remove that file"), "{id}: {}", ran.stdout);
        real.hands().must(&format!("rm {standby}/{file}"), 10);
        let ran = apply(real);
        assert_eq!(ran.code, 0, "{id}: {}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(recovery(real, "s47"), "t");
}

pub(crate) fn declare(real: &Real, server: &str) {
    declare_node(real, "dn01", server);
}

pub(crate) fn declare_node(real: &Real, node: &str, server: &str) {
    let text = std::fs::read_to_string(real.file()).unwrap();
    let (node, server) = (otb::model::NodeName::new(node).unwrap(), otb::model::ServerName::new(server).unwrap());
    std::fs::write(real.file(), otb::config::with_master(&text, &node, &server).unwrap()).unwrap();
}

/// Writes the policy anew, with `more` behind what the lane's clusters have.
pub(crate) fn set_policy(real: &Real, more: &str) {
    let text = std::fs::read_to_string(real.file()).unwrap();
    let (head, _) = text.split_once("\npolicy: {").unwrap();
    std::fs::write(real.file(), format!("{head}\npolicy: {{max_lag: 16MiB, old_master: rejoin{more}}}\n")).unwrap();
}

fn apply(real: &Real) -> Ran {
    real.otb(&["apply", "--auto-approve", "--lock-timeout", "20s"].map(str::to_owned))
}

pub(crate) fn recovery(real: &Real, server: &str) -> String {
    real.sql(&format!("dn01@{server}"), "select pg_is_in_recovery()").stdout.trim().to_owned()
}

/// Applies until a line has `moment`, then SIGKILL.
fn kill_when(real: &Real, moment: &str) {
    kill_with(real, &[], moment);
}

/// The same with `options` to apply.
pub(crate) fn kill_with(real: &Real, options: &[&str], moment: &str) {
    let mut otb = start(real, options, &[]);
    let mut told = BufReader::new(otb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut heard = Vec::new();
    let said = told.any(|line| {
        let is_it = line.contains(moment);
        heard.push(line);
        is_it
    });
    otb.kill().unwrap();
    let ended = otb.wait().unwrap();
    assert!(said, "{moment:?} was never said ({ended}): {}", heard.join("\n"));
}

/// Applies until the lock is held and `steps` steps are told to be done, then SIGKILL.
fn kill_after(real: &Real, steps: usize) {
    let mut otb = start(real, &[], &[]);
    let told = BufReader::new(otb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let lines = told.filter(|line| line.starts_with("  done ") || line.starts_with("lock held"));
    let heard = lines.take(steps + 1).count();
    otb.kill().unwrap();
    otb.wait().unwrap();
    assert_eq!(heard, steps + 1, "the run ended before");
}

/// Applies, and does `then` as soon as a line has `moment`; the exit code.
pub(crate) fn apply_until(real: &Real, more: &[(&str, OsString)], moment: &str, then: impl FnOnce()) -> i32 {
    let mut otb = start(real, &[], more);
    let mut lines = BufReader::new(otb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.any(|line| line.contains(moment));
    assert!(said, "{moment:?} was never said");
    then();
    // Read to the end, or otb would write into a pipe that nobody reads.
    lines.for_each(drop);
    otb.wait().unwrap().code().unwrap_or(-1)
}

fn start(real: &Real, options: &[&str], more: &[(&str, OsString)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_otb"))
        .args(["-f", real.file().to_str().unwrap(), "apply", "--auto-approve"])
        .args(options)
        .env("NO_COLOR", "1")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .envs(more.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for(file: &Path) {
    let begun = Instant::now();
    while !file.exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
    }
}
