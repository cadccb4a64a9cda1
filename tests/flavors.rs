//! Golden scenarios of versions other than v2.6, on the sandbox.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;
mod support;

use std::path::Path;
use std::time::Duration;

use fixture::SandboxFixture;
use support::sandbox::Sandbox;

const V5: &str = "--flavor v5";

fn v5(name: &str) {
    let file = format!("{}/tests/flavors/{name}.md", env!("CARGO_MANIFEST_DIR"));
    support::script::run(Path::new(&file), &Sandbox::up(&["--flavor", "v5"]));
}

#[test]
fn v5_switchover_and_back() {
    v5("v5_switchover_and_back");
}

#[test]
fn v5_wrong_forward_port() {
    v5("v5_wrong_forward_port");
}

/// A scenario that goes otherwise on v5, as the real lane holds it on real processes.
fn of_v5(name: &str) {
    let file = format!("{}/tests/scenarios/v5/{name}.md", env!("CARGO_MANIFEST_DIR"));
    support::script::run(Path::new(&file), &Sandbox::up(&["--flavor", "v5"]));
}

#[test]
fn gtm_switchover() {
    of_v5("gtm_switchover");
}

#[test]
fn several_standbys_of_the_gtm() {
    let file = format!("{}/tests/scenarios/v5/several_standbys_of_the_gtm.md", env!("CARGO_MANIFEST_DIR"));
    let from = ["--flavor", "v5", "--from", "tests/support/several_standbys_of_the_gtm.yaml"];
    support::script::run(Path::new(&file), &Sandbox::up(&from));
}

/// A client that has used dn01 loses its session to the reload, and otb, which reloads once, does not.
#[test]
fn a_v5_reload_ends_clients_sessions_and_not_otbs() {
    let place = SandboxFixture::up(V5);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host(place.address("s29")).port(15_432).user("opentenbase").dbname("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.simple_query("execute direct on (dn01) 'select 1'").await.unwrap();
        place.declare("dn01", "s47");
        let run = place.otb("apply --auto-approve").start();
        let ended = tokio::task::spawn_blocking(move || run.wait()).await.unwrap();
        ended.ends(0).says(&["Done: the cluster is as declared"]);
        // Told, and not just cut off.
        let told = tokio::time::timeout(Duration::from_secs(10), connection).await.unwrap().unwrap().unwrap_err();
        assert_eq!(told.code(), Some(&tokio_postgres::error::SqlState::ADMIN_SHUTDOWN), "{told:?}");
    });
    place.is_settled();
}

/// What ALTER NODE is sent: with `forward=` on v5, never on v2.6, whatever the file says.
#[test]
fn forward_is_sent_to_v5_alone() {
    for (more, sent) in [(V5, true), ("", false)] {
        let place = SandboxFixture::up(more);
        let text = place.text();
        if !sent {
            std::fs::write(place.file(), text.replace("port: 23001\n", "port: 23001\n    forward_port: 6669\n"))
                .unwrap();
            place.otb("plan").run().ends(0).says(&["forward:opentenbase_cluster", "otb ignores it"]);
        }
        place.declare("dn01", "s47");
        let log = place.dir().join("otb.log");
        place.otb("apply --auto-approve --log-file").args([&log]).run().ends(0);
        let log = std::fs::read_to_string(log).unwrap();
        let alters: Vec<&str> = log.lines().filter(|line| line.contains("sql=alter node")).collect();
        assert_eq!(alters.len(), 4, "{alters:?}");
        assert!(alters.iter().all(|line| line.contains("forward=") == sent), "{alters:?}");
        assert_eq!(log.contains("node_forward_port"), sent);
    }
}

/// The routers are not told a port that the new master itself does not have; of another copy a word is enough.
#[test]
fn a_forward_port_that_the_process_does_not_have_is_refused() {
    let place = SandboxFixture::up(V5);
    place.declare("dn01", "s47");
    // dn01's copies have 25001 on s29 and 30001 on s47.
    let with = |from: &str, to: &str| place.write("wrong.yaml", place.text().replace(from, to));
    let wrong = with("forward_port: 30001", "forward_port: 30009");
    let says = "block   forward:opentenbase_cluster dn01@s47 has forward_port 30001, but the file declares 30009";
    limited::otb(&wrong).line("apply --auto-approve").run().ends(3).says(&[says, "Refused"]);
    place.otb("status").run().ends(0).says(&["dn01"]);
    let wrong = with("forward_port: 25001", "forward_port: 25009");
    let says = "warn    forward:opentenbase_cluster dn01@s29 has forward_port 25001, but the file declares 25009";
    limited::otb(&wrong).line("plan").run().ends(0).says(&[says]);
    limited::otb(&with("forward_port: 30001", "forward_port: 30009"))
        .line("apply --auto-approve --waive forward:opentenbase_cluster --reason CHG-1")
        .run()
        .ends(0);
}

/// The file of `place` without its forward ports.
fn without_forward_ports(place: &SandboxFixture) -> String {
    let line = |line: &str| match line.split_once(", forward_port: ") {
        Some((before, after)) => format!("{before}{}\n", after.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => format!("{line}\n"),
    };
    let (text, without) = (place.text(), place.text().lines().map(line).collect());
    assert_ne!(text, without);
    without
}

/// Without forward ports in the file the routers get what the processes say.
#[test]
fn a_v5_file_without_forward_ports_takes_them_from_the_processes() {
    let place = SandboxFixture::up(V5);
    std::fs::write(place.file(), without_forward_ports(&place)).unwrap();
    place.is_settled();
    place.declare("dn01", "s47");
    let plan = place.otb("plan --format json").run();
    let plan: serde_json::Value = serde_json::from_str(&plan.ends(0).stdout).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let lines = steps.iter().filter_map(|step| step["run"].as_array()).flatten().filter_map(|line| line.as_str());
    let alters: Vec<&str> = lines.filter(|line| line.contains("alter node dn01")).collect();
    assert_eq!(alters.len(), 4);
    assert!(alters.iter().all(|line| line.contains("forward=30001")), "{alters:?}");
    assert!(
        found(&plan, "forward:opentenbase_cluster").ends_with("otb uses the ports that the processes report"),
        "{plan}"
    );
    place.settles();
}

/// One that neither the file nor the process says would leave the old master's in the routers.
#[test]
fn a_forward_port_that_nothing_says_is_refused() {
    let place = SandboxFixture::up(V5);
    std::fs::write(place.file(), without_forward_ports(&place)).unwrap();
    place.declare("dn01", "s47");
    place.fault("fill-slots dn01@s47");
    let before = place.state();
    let says = "unknown forward:opentenbase_cluster the forward_port of dn01@s47 is not in the file";
    place.otb("apply --auto-approve").run().ends(3).says(&[says]);
    assert_eq!(place.state(), before);
}

/// A standby does not listen on its forward port: what does would keep the new master from serving.
#[test]
fn a_forward_port_that_is_taken_is_refused_before_anything_stops() {
    let place = SandboxFixture::moving(V5);
    let (address, before) = (place.address("s47"), place.state());
    let taken = std::net::TcpListener::bind((address.as_str(), 30_001)).unwrap();
    let says = ["block   forward:dn01@s47 ", "port 30001, the forward_port of dn01@s47, is taken on s47"];
    place.otb("apply --auto-approve").run().ends(3).says(&says).says(&["set another forward_port"]);
    assert_eq!(place.state(), before);
    drop(taken);
    let elsewhere = std::net::TcpListener::bind((place.address("s29").as_str(), 30_001)).unwrap();
    place.settles();
    drop(elsewhere);
}

/// Taken between the check and the promotion: otb does not call that done.
#[test]
fn a_new_master_that_cannot_forward_is_not_called_done() {
    let place = SandboxFixture::moving(V5);
    let address = place.address("s47");
    let _taken = std::net::TcpListener::bind((address.as_str(), 30_001)).unwrap();
    let waived = "apply --auto-approve --waive forward:dn01@s47 --reason CHG-1";
    let ended = place.otb(waived).limit(Duration::from_secs(120)).run();
    assert!([7, 9].contains(&ended.code), "{ended:?}");
}

/// Only the GTM moves: no pool is reloaded, and a session with a connection to a datanode lives on.
#[test]
fn a_gtm_moves_on_v5_without_a_pool_reload() {
    let place = SandboxFixture::up(V5);
    place.declare("gtm_1", "s47");
    let plan = place.otb("plan").run();
    plan.ends(0).says(&["repoint-gtm:cn01@s29"]);
    assert!(!plan.stdout.contains("pgxc_pool_reload"), "{plan:?}");
    place
        .otb("apply --auto-approve")
        .limit(Duration::from_secs(90))
        .run()
        .ends(0)
        .says(&["Done: the cluster is as declared"]);
    place.is_settled();
}

/// The plan counts the sessions that its reloads would end.
#[test]
fn a_v5_plan_counts_the_sessions_that_its_reloads_end() {
    let place = SandboxFixture::moving(V5);
    let plan = place.otb("plan --format json").run();
    let plan: serde_json::Value = serde_json::from_str(&plan.ends(0).stdout).unwrap();
    let none = "the pool reloads would end no session of a client now (cn01@s29 0, cn02@s47 0)";
    assert_eq!(found(&plan, "sessions:opentenbase_cluster"), none);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = connect(&place).await;
        client.simple_query("begin").await.unwrap();
        client.simple_query("execute direct on (dn02) 'select 1'").await.unwrap();
        let says = "would end 1 session of clients now (cn01@s29 1, cn02@s47 0)";
        let set = "alter system set persistent_connections_timeout = 0";
        place.otb("plan").run().ends(0).says(&["warn    sessions:opentenbase_cluster", says, set]);
        // What is set there spares those that are held.
        for coordinator in ["cn01@s29", "cn02@s47"] {
            place.fault(&format!("set {coordinator} persistent_connections_timeout 0"));
        }
        let plan = place.otb("plan").run();
        plan.ends(0).says(&[says, "none of them while otb holds clients"]);
        assert!(!plan.stdout.contains(set), "{plan:?}");
    });
}

/// What the check `id` of a plan found.
fn found<'a>(plan: &'a serde_json::Value, id: &str) -> &'a str {
    let checks = plan["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("{plan}"))["found"].as_str().unwrap()
}

async fn connect(place: &SandboxFixture) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host(place.address("s29")).port(15_432).user("opentenbase").dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Another session changes the row that otb is about to change: otb tries again.
#[test]
fn a_row_that_was_concurrently_updated_is_altered_again() {
    let place = SandboxFixture::moving(V5);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (other, watch) = (connect(&place).await, connect(&place).await);
        other.simple_query("begin").await.unwrap();
        other.simple_query("alter node dn01 with (port=23009)").await.unwrap();
        let log = place.dir().join("otb.log");
        let run = place.otb("apply --auto-approve --log-file").args([&log]).start();
        let waits = "select 1 from pg_stat_activity where state = 'active' and query like 'alter node dn01%'";
        while watch.simple_query(waits).await.unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        other.simple_query("commit").await.unwrap();
        tokio::task::spawn_blocking(move || run.wait()).await.unwrap().ends(0);
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains("tuple concurrently updated"), "{log}");
    });
    place.is_settled();
}

/// A killed v5 is there for some seconds more, with its port closed: otb looks again.
#[test]
fn a_process_that_is_about_to_end_is_observed_again() {
    let place = SandboxFixture::moving(V5);
    place.fault("kill dn01@s29");
    place.otb("plan").run().ends(0).says(&["failover   dn01"]);
}

/// Only the forward port differs: that is the route's difference.
#[test]
fn drift_calls_another_forward_port_a_route() {
    let place = SandboxFixture::up(V5);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        connect(&place).await.simple_query("alter node dn02 with (forward=6669)").await.unwrap();
    });
    let says = ["routes:cn01:dn02", "dn02 with the forward port 30002", "dn02 with the forward port 6669"];
    let drift = place.otb("drift").run();
    drift.ends(2).says(&says);
    assert!(!drift.stdout.contains("pooler:"), "{drift:?}");
}

/// opentenbase_ctl writes postgresql.conf.user; a base backup brings the master's files.
#[test]
fn a_rejoin_by_copy_keeps_the_files_that_postgresql_conf_includes() {
    let place = SandboxFixture::moving(V5);
    let (own, master) = (place.dir().join("s29/dn01"), place.dir().join("s47/dn01"));
    let includes = "include_if_exists = 'postgresql.conf.user'\ninclude_dir 'conf.d'\n";
    let conf = std::fs::read_to_string(own.join("postgresql.conf")).unwrap() + includes;
    std::fs::write(own.join("postgresql.conf"), &conf).unwrap();
    for (directory, text) in [(&own, "work_mem = 7MB\n"), (&master, "work_mem = 9MB\n")] {
        std::fs::create_dir(directory.join("conf.d")).unwrap();
        std::fs::write(directory.join("conf.d/a.conf"), text).unwrap();
        std::fs::write(directory.join("postgresql.conf.user"), text).unwrap();
    }
    std::fs::write(master.join("conf.d/masters.conf"), "port = 1\n").unwrap();
    place.fault("crash-lossy dn01@s29");
    place
        .otb("apply --auto-approve --waive data-loss:dn01 --reason CHG-1")
        .limit(Duration::from_secs(90))
        .run()
        .ends(0);
    let read = |name: &str| std::fs::read_to_string(own.join(name)).unwrap();
    assert_eq!(read("postgresql.conf"), conf);
    assert_eq!([read("postgresql.conf.user"), read("conf.d/a.conf")], ["work_mem = 7MB\n", "work_mem = 7MB\n"]);
    assert!(!own.join("conf.d/masters.conf").exists());
}
