//! Up, down, status, fault; many at once; none left behind.

use std::time::{Duration, Instant};

use crate::harness::{Sandbox, otb};

#[test]
fn it_is_up_in_well_under_half_a_second() {
    let timed = |_| {
        let began = Instant::now();
        let sandbox = Sandbox::up(&[]);
        (began.elapsed(), sandbox)
    };
    // Whatever else the machine does only lengthens it: the shortest is what the sandbox itself needs.
    let (took, sandbox) = (0..8).map(timed).min_by_key(|(took, _)| *took).unwrap();
    assert!(took < Duration::from_millis(500), "{took:?}");
    let yaml = std::fs::read_to_string(sandbox.dir.path().join("cluster.yaml")).unwrap();
    assert!(yaml.contains("  dn01:\n    master: s29\n"), "{yaml}");
    let status = sandbox.status();
    for part in ["gtm_1@s47      gtm", "cn02@s47       coordinator", "dn02@s29       datanode", "streaming"] {
        assert!(status.contains(part), "{part}: {status}");
    }
}

#[test]
fn several_run_at_once_and_a_directory_in_use_is_refused() {
    let (first, second) = (Sandbox::up(&[]), Sandbox::up(&[]));
    assert_ne!(first.instance("cn01@s29").endpoint, second.instance("cn01@s29").endpoint);
    let ran = otb(&["sandbox", "up", "--dir", first.path()]);
    assert!(ran.code != 0 && ran.err.contains("one runs there already"), "{}", ran.err);
}

#[test]
fn a_directory_with_other_things_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "x").unwrap();
    let ran = otb(&["sandbox", "up", "--dir", dir.path().to_str().unwrap()]);
    assert!(ran.code != 0 && ran.err.contains("not empty"), "{}", ran.err);
}

#[test]
fn it_can_be_taken_down_and_up_again_in_the_same_place() {
    let sandbox = Sandbox::up(&[]);
    let path = sandbox.path();
    assert_eq!(otb(&["sandbox", "down", "--dir", path]).code, 0);
    let ran = otb(&["sandbox", "status", "--dir", path]);
    assert!(ran.code != 0 && ran.err.contains("none runs there"), "{}", ran.err);
    assert_eq!(otb(&["sandbox", "up", "--dir", path, "--ttl", "60"]).code, 0);
    assert!(sandbox.status().contains("dn01@s47"));
}

#[test]
fn it_ends_when_its_directory_goes_away_or_its_time_is_up() {
    let running = |pid: &str| std::path::Path::new("/proc").join(pid.trim()).join("cmdline").exists();
    let ended = |pid: &str| {
        let began = Instant::now();
        while running(pid)
            && std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z"))
        {
            assert!(began.elapsed() < Duration::from_secs(30), "it still runs");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sandbox");
    otb(&["sandbox", "up", "--dir", path.to_str().unwrap(), "--ttl", "60"]);
    let pid = std::fs::read_to_string(path.join("daemon.pid")).unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    ended(&pid);
    otb(&["sandbox", "up", "--dir", path.to_str().unwrap(), "--ttl", "5"]);
    let pid = std::fs::read_to_string(path.join("daemon.pid")).unwrap();
    ended(&pid);
}

#[test]
fn a_long_path_works_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x".repeat(120));
    let path = path.to_str().unwrap();
    let ran = otb(&["sandbox", "up", "--dir", path, "--ttl", "30"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(otb(&["sandbox", "status", "--dir", path]).code, 0);
    assert_eq!(otb(&["sandbox", "down", "--dir", path]).code, 0);
}

#[tokio::test]
async fn more_nodes_can_be_asked_for() {
    let sandbox = Sandbox::up(&["--coordinators", "3", "--datanodes", "40"]);
    assert_eq!(sandbox.ask("cn03@s29", "select count(*) from pgxc_node").await, "44");
    assert_eq!(sandbox.instance("cn03@s29").endpoint.port, 15_442);
    assert_eq!(sandbox.ask("dn40@s47", "select pg_is_in_recovery()").await, "f");
}

#[tokio::test]
async fn faults_on_routes_and_poolers() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["write", "10"]);
    sandbox.fault(&["wrong-route", "cn01@s29", "dn02=127.0.0.1:23001"]);
    assert_eq!(sandbox.ask("cn01@s29", "select node_host from pgxc_node where node_name = 'dn02'").await, "127.0.0.1");
    sandbox.fault(&["stale-pool", "cn02@s47", "dn01=127.0.0.1:1"]);
    assert_eq!(sandbox.ask("cn02@s47", "select pgxc_pool_check()").await, "f");
    sandbox.fault(&["forget-row", "dn01", "cn02"]);
    assert_eq!(sandbox.ask("dn01@s29", "select count(*) from pgxc_node").await, "4");
    assert_eq!(sandbox.ask("dn01@s29", "select count(*) from otb_sandbox_rows").await, "5");
}

#[test]
fn a_fault_that_does_not_fit_is_said() {
    let sandbox = Sandbox::up(&[]);
    for (args, part) in [
        (["lag", "dn01@s29"], "does not fit dn01@s29"),
        (["kill", "dn09@s29"], "the sandbox has no instance dn09@s29"),
        (["kill", "dn09"], "the sandbox has no node dn09"),
        (["partition", "s30"], "the sandbox has no server \"s30\""),
    ] {
        let ran = sandbox.try_fault(&args);
        assert!(ran.code != 0 && ran.err.contains(part), "{args:?}: {}", ran.err);
    }
    assert!(otb(&["sandbox", "fault", "--help"]).out.contains("readonly-recovery"));
}
