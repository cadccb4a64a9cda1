//! The law of reconciling, over real sockets and commands: whatever happens to a cluster, once a human has mended
//! what only a human can mend, `otb apply` ends in a cluster whose plan is empty.
//!
//! `OTB_CASES` says how many histories each test plays (default 5).

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;

use proptest::prelude::*;
use serde_json::Value;

use fixture::SandboxFixture;

const INSTANCES: [&str; 8] =
    ["gtm_1@s29", "gtm_1@s47", "cn01@s29", "cn02@s47", "dn01@s29", "dn01@s47", "dn02@s29", "dn02@s47"];
const ROUTERS: [&str; 4] = ["cn01", "cn02", "dn01", "dn02"];

/// How far a run comes before it is killed.
const MOMENTS: [&str; 6] =
    ["lock held", "done     stop", "done     promote", "done     reroute", "done     reload", "done     prove"];

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happening {
    /// A fault of the sandbox. It may be impossible just now: then nothing happens.
    Fault(String),
    /// Somebody changes a `master:` line.
    Declare(&'static str, &'static str),
    /// An apply that comes to its end, however it ends.
    Apply,
    /// An apply that is killed.
    CutOff(&'static str, u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let fault = |kinds: &'static [&'static str], on: &'static [&'static str]| {
        let both = (prop::sample::select(kinds), prop::sample::select(on));
        both.prop_map(|(kind, on)| Happening::Fault(format!("{kind} {on}")))
    };
    let route = (prop::sample::select(&["wrong-route", "stale-pool"][..]), prop::sample::select(&ROUTERS[..]));
    let route = (route, prop::sample::select(&["dn01", "dn02"][..]))
        .prop_map(|((kind, router), node)| Happening::Fault(format!("{kind} {router} {node}=127.0.0.1:1")));
    let declare = (prop::sample::select(&["dn01", "dn02"][..]), prop::sample::select(&["s29", "s47"][..]));
    let cut_off = (prop::sample::select(&MOMENTS[..]), 0u64..12);
    prop_oneof![
        3 => fault(&["kill", "stop"], &INSTANCES),
        1 => fault(&["hang", "unhang"], &INSTANCES[2..]),
        1 => fault(&["lag", "pause-replay", "resume", "readonly-recovery"], &INSTANCES[4..]),
        1 => fault(&["partition", "heal"], &["s29", "s47"]),
        1 => Just(Happening::Fault("write 3".to_owned())),
        2 => route,
        4 => declare.prop_map(|(node, server)| Happening::Declare(node, server)),
        2 => Just(Happening::Apply),
        3 => cut_off.prop_map(|(moment, wait)| Happening::CutOff(moment, wait)),
    ]
}

const APPLY: &str = "apply --auto-approve --lock-timeout 20s";

fn happen(place: &SandboxFixture, happening: &Happening) {
    match happening {
        Happening::Fault(line) => drop(place.try_fault(line)),
        Happening::Declare(node, server) => place.declare(node, server),
        Happening::Apply => {
            let code = place.otb(APPLY).line("--timeout 700ms").run().code;
            assert!([0, 1, 3, 6, 7, 8, 9].contains(&code), "{code}");
        }
        Happening::CutOff(moment, wait) => {
            let mut run = place.otb(APPLY).line("--timeout 700ms").start();
            run.until_said(moment);
            std::thread::sleep(std::time::Duration::from_millis(*wait));
            run.signal(limited::Signal::KILL);
            run.wait();
        }
    }
}

/// What only a human can mend.
fn mend(place: &SandboxFixture) {
    place.fault("heal all");
    for instance in INSTANCES {
        for kind in ["unhang", "resume", "writable-recovery"] {
            place.try_fault(&format!("{kind} {instance}"));
        }
    }
    for gtm in &INSTANCES[..2] {
        place.try_fault(&format!("start {gtm}"));
    }
}

/// The sandbox's words for the two copies of a datanode.
fn copies(place: &SandboxFixture, node: &str) -> Vec<(String, String)> {
    let state = place.state();
    let lines = state.lines().filter(|line| line.starts_with(&format!("{node}@")));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.map(|words| (words[0].to_owned(), words[3].to_owned())).collect()
}

/// Does what the hints of a refusal tell an operator to do. The checks name the nodes.
fn follow_hints(place: &SandboxFixture) {
    let plan = place.otb("plan --format json").run();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let refusing = plan["checks"].as_array().unwrap().iter();
    let refusing = refusing.filter(|check| matches!(check["verdict"].as_str(), Some("block" | "unknown")));
    for check in refusing {
        let (code, subject) = check["id"].as_str().unwrap().split_once(':').unwrap();
        let node = subject.split('@').next().unwrap();
        let copies = copies(place, node);
        let master = copies.iter().find(|(_, word)| word == "master");
        match (code, master) {
            // "bring the other instance back": nobody has taken over, so it comes back as what it was.
            ("data-loss" | "fence" | "standby" | "routes", None) => {
                for (id, _) in copies.iter().filter(|(_, word)| word == "stopped") {
                    place.try_fault(&format!("start {id}"));
                }
            }
            // "declare … as master, apply, then move"
            ("standby", Some((id, _))) => place.declare(node, id.split_once('@').unwrap().1),
            // "rebuild it with pg_basebackup", "wait until it has caught up"
            ("attached" | "lag", Some((id, _))) => {
                std::thread::sleep(std::time::Duration::from_millis(500));
                place.declare(node, id.split_once('@').unwrap().1);
            }
            _ => {}
        }
    }
}

fn converges(history: &[Happening]) {
    let place = SandboxFixture::up("");
    for happening in history {
        happen(&place, happening);
    }
    mend(&place);
    let mut said = Vec::new();
    for _ in 0..4 {
        let ended = place.otb(APPLY).run();
        said.push(ended.clone());
        if ended.code == 0 {
            break;
        }
        follow_hints(&place);
    }
    let last = said.last().unwrap();
    assert_eq!(last.code, 0, "{}\n{}\n{}", last.stdout, last.stderr, place.state());
    place.is_settled();
    same_bytes(&place);
}

/// Planning twice gives the same, but for the time.
fn same_bytes(place: &SandboxFixture) {
    let plan = || {
        let mut plan: Value = serde_json::from_str(&place.otb("plan --format json").run().stdout).unwrap();
        plan["observed_at"] = Value::Null;
        plan
    };
    assert_eq!(plan(), plan());
}

fn play(longest: usize) {
    let cases = std::env::var("OTB_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(5);
    let config = ProptestConfig { cases, max_shrink_iters: 12, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(history in prop::collection::vec(happening(), 1..longest))| converges(&history));
}

#[test]
fn short_histories_converge() {
    play(4);
}

#[test]
fn longer_histories_converge() {
    play(8);
}
