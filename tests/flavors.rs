//! Golden scenarios of versions that no test machine runs: on the sandbox only.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/limited.rs"]
mod limited;
#[path = "support/place.rs"]
mod place;
mod support;

use std::path::Path;
use std::time::Duration;

use place::Place;
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

/// A client that has used dn01 loses its session to the reload, and otb, which reloads once, does not.
#[test]
fn a_v5_reload_ends_clients_sessions_and_not_otbs() {
    let place = Place::up(V5);
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
        let place = Place::up(more);
        let text = place.text();
        if !sent {
            std::fs::write(place.file(), text.replace("port: 23001\n", "port: 23001\n    forward_port: 6669\n"))
                .unwrap();
            place.otb("plan").run().ends(0).says(&["forward:opentenbase_cluster", "it is not sent"]);
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
    let place = Place::up(V5);
    place.declare("dn01", "s47");
    // dn01's copies have 25001 on s29 and 30001 on s47.
    let with = |from: &str, to: &str| place.write("wrong.yaml", place.text().replace(from, to));
    let wrong = with("forward_port: 30001", "forward_port: 30009");
    let says = "block   forward:opentenbase_cluster dn01@s47 has forward_port 30001, the file says 30009";
    limited::otb(&wrong).line("apply --auto-approve").run().ends(3).says(&[says, "Refused"]);
    place.otb("status").run().ends(0).says(&["dn01"]);
    let wrong = with("forward_port: 25001", "forward_port: 25009");
    let says = "warn    forward:opentenbase_cluster dn01@s29 has forward_port 25001, the file says 25009";
    limited::otb(&wrong).line("plan").run().ends(0).says(&[says]);
    limited::otb(&with("forward_port: 30001", "forward_port: 30009"))
        .line("apply --auto-approve --waive forward:opentenbase_cluster --reason CHG-1")
        .run()
        .ends(0);
}

/// Without forward ports in the file otb says what it leaves as it is.
#[test]
fn a_v5_file_without_forward_ports_is_warned_of() {
    let place = Place::up(V5);
    let text = place.text();
    let without: String = text
        .lines()
        .map(|line| match line.split_once(", forward_port: ") {
            Some((before, after)) => format!("{before}{}\n", after.trim_start_matches(|c: char| c.is_ascii_digit())),
            None => format!("{line}\n"),
        })
        .collect();
    assert_ne!(text, without);
    std::fs::write(place.file(), without).unwrap();
    place.declare("dn01", "s47");
    place.otb("plan").run().ends(0).says(&["no forward_port is declared of cn01, cn02, dn01, dn02"]);
    place.otb("apply --auto-approve").run().ends(0);
    place.is_settled();
}
