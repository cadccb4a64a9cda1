//! Servers that cannot be reached, do not answer, or are something else.

use std::path::PathBuf;
use std::time::Duration;

use crate::closed_port::closed_port;
use crate::fakes::{Fake, listen};
use crate::fixture::SandboxFixture;
use crate::limited::{Ended, otb};

/// What otb says of a server that never answers, or never to the end.
const SILENT: &str = "within 0.4 s";

/// `place`'s cluster.yaml with `node` declared on another port of its master's server.
pub(crate) fn elsewhere(place: &SandboxFixture, node: &str, port: u16) -> PathBuf {
    let text = place.text();
    let (before, block) = text.split_once(&format!("  {node}:\n")).unwrap();
    let (head, rest) = block.split_once("port: ").unwrap();
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    place.write("elsewhere.yaml", format!("{before}  {node}:\n{head}port: {port}{rest}"))
}

/// The fake stands for `node`; otb sees that something is wrong, says `parts`, and changes nothing.
#[track_caller]
fn stands_for(place: &SandboxFixture, node: &str, port: u16, parts: &[&str]) {
    let before = place.state();
    let file = elsewhere(place, node, port);
    // Whoever says nothing is not waited for long. Who answers has the time of a busy machine.
    let is_silent = parts.contains(&SILENT);
    let limit = ["--timeout", if is_silent { "400ms" } else { "5s" }];
    let plan = otb(&file).line("plan --detailed-exitcode").args(limit).run();
    plan.ends(3).says(parts);
    assert_clean(&plan);
    let apply = otb(&file).line("apply --auto-approve").args(limit).run();
    apply.ends(3).says(&["Refused"]).says(parts);
    let status = otb(&file).line("status").args(limit).run();
    status.ends(0).says(&parts[parts.len() - 1..]);
    assert_eq!(place.state(), before);
}

/// Nothing of what a server says moves the cursor.
fn assert_clean(ended: &Ended) {
    let odd = |c: char| c.is_control() && c != '\n';
    assert!(!ended.stdout.contains(odd) && !ended.stderr.contains(odd), "{ended:?}");
}

fn fake(node: &str, fake: Fake, parts: &[&str]) {
    let place = SandboxFixture::up("");
    let server = if node == "gtm_1" { "s29" } else { "s47" };
    let port = listen(&place.address(server), fake);
    let at = format!("{}:{port}", place.address(server));
    stands_for(&place, node, port, &[parts, &[at.as_str()]].concat());
}

#[test]
fn a_datanode_that_refuses_connections() {
    let place = SandboxFixture::up("");
    let port = closed_port(&place.address("s47"));
    stands_for(&place, "dn02", port, &["Not observed", "refused the connection"]);
}

#[test]
fn a_gtm_that_refuses_connections() {
    let place = SandboxFixture::up("");
    let port = closed_port(&place.address("s29"));
    stands_for(&place, "gtm_1", port, &["no active GTM answers", "or start it by hand", "refused the connection"]);
}

#[test]
fn a_datanode_that_accepts_and_never_answers() {
    fake("dn02", Fake::Mute, &["no answer from", SILENT]);
}

#[test]
fn a_gtm_that_accepts_and_never_answers() {
    fake("gtm_1", Fake::Mute, &["no active GTM answers", SILENT]);
}

#[test]
fn a_server_that_closes_at_once() {
    fake("dn02", Fake::Closer, &["closed the connection before answering"]);
    fake("gtm_1", Fake::Closer, &["closed the connection before answering"]);
}

#[test]
fn a_server_that_speaks_http() {
    fake("cn02", Fake::Http, &["not the PostgreSQL protocol"]);
    fake("gtm_1", Fake::Http, &["not the GTM protocol"]);
}

#[test]
fn a_server_that_sends_garbage() {
    fake("dn02", Fake::Garbage, &["not the PostgreSQL protocol"]);
    fake("gtm_1", Fake::Garbage, &["not the GTM protocol"]);
}

#[test]
fn a_server_that_announces_two_gigabytes() {
    fake("dn02", Fake::Huge, &["role", SILENT]);
    fake("gtm_1", Fake::Huge, &["not the GTM protocol"]);
}

#[test]
fn a_server_that_drips() {
    fake("dn02", Fake::Dripping, &["role", SILENT]);
    fake("gtm_1", Fake::Dripping, &["no active GTM answers", SILENT]);
}

#[test]
fn a_postgresql_that_is_no_opentenbase() {
    fake("dn02", Fake::Postgres, &["pgxc_node"]);
    fake("cn02", Fake::Postgres, &["pgxc_node"]);
}

#[test]
fn a_server_whose_error_would_take_over_the_terminal() {
    fake("dn02", Fake::Terminal, &["refused the login"]);
}

#[test]
fn a_whole_server_in_a_hole() {
    let place = SandboxFixture::up("");
    let before = place.state();
    place.declare("dn01", "s47");
    let file = place.write("hole.yaml", place.text().replace(&place.address("s29"), "127.254.253.252"));
    otb(&file).line("plan --detailed-exitcode").run().ends(3).says(&["127.254.253.252:23001 refused", "Not observed"]);
    otb(&file).line("apply --auto-approve").run().ends(3).says(&["Refused"]);
    assert_eq!(place.state(), before);
}

#[test]
fn wrong_passwords() {
    let place = SandboxFixture::up("--password secret-of-dn01");
    for password in [None, Some("wrong-guess")] {
        for (line, code) in [("plan --detailed-exitcode", 3), ("apply --auto-approve", 3), ("status", 0)] {
            let run = place.otb(line);
            let run = if let Some(password) = password { run.env("PGPASSWORD", password) } else { run };
            let ended = run.run();
            ended.ends(code).says(&["refused the login"]);
            let all = ended.stdout + &ended.stderr;
            assert!(all.contains("password"), "{all}");
            assert!(!all.contains("wrong-guess") && !all.contains("secret-of"), "{all}");
        }
    }
    place.otb("plan --detailed-exitcode").env("PGPASSWORD", "secret-of-dn01").run().ends(0);
}

/// An old master that ends again as soon as it was started as a standby is not waited for until the step's five minutes
/// are over.
#[test]
fn a_standby_that_ends_after_its_start() {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    let mut run = place.otb("apply --auto-approve").limit(Duration::from_secs(120)).start();
    run.until_said("done     stop:dn01@s29");
    // It is asked for what it is only after a while, and that is when it is gone.
    place.fault("slow dn01@s29 3000");
    let pid_file = place.dir().join("s29/dn01/postmaster.pid");
    while !pid_file.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    place.fault("kill dn01@s29");
    run.wait().ends(8).says(&["not done rejoin:dn01@s29", "the server of dn01@s29 ended after its start"]);
}
