//! Readers of what others write, on millions of mutilated inputs: they may refuse, they may not panic, hang, or take
//! long.
//!
//! `OTB_INPUTS` says how many inputs there are in all (default 20,000), shared out by `SHARES`; `OTB_SEED` where the
//! random numbers begin (default 1). A failure prints the reader and the input. docs/testing.md has the command for
//! ten million. Seeds are the files of tests/config, plans of the search's cluster, and what real tools said.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]
#![allow(clippy::print_stdout, reason = "the rate is to be seen")]

#[path = "../search/lab.rs"]
#[allow(dead_code, reason = "the search's cluster, of which only its start is wanted here")]
mod lab;
mod mutator;
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mutator::Mutator;
use otb::observe::read_routes;
use otb::opentenbase::{
    Look, Tools, gtm_body_length, read_conninfo, read_control, read_end_of_wal, read_gtm_conf, read_gtm_status,
    read_gtm_status_text, read_pg_status, read_probe, read_recovery_conf,
};
use otb::plan::{Plan, audit, is_intact};
use otb::transport::{Passwords, Rows};

/// Per mille of all inputs: the slow readers get less, none less than a twentieth.
const SHARES: [(&str, u64); 8] = [
    ("cluster.yaml", 100),
    ("saved plan", 50),
    ("saved plan, bytes", 50),
    ("pgxc_node", 150),
    ("GTM answer", 250),
    ("pg_controldata", 150),
    ("probe", 100),
    (".pgpass", 150),
];

/// No input may take longer. What did is asked twice more: the machine may have been busy.
const LONGEST: Duration = Duration::from_millis(100);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Feeds `read` with what `make` gives; prints how many there were, how many a second, and the longest.
fn feed<T: std::fmt::Debug>(name: &str, make: impl Fn(&mut Mutator) -> T, read: impl Fn(&T)) {
    let (_, share) = SHARES.iter().find(|(known, _)| *known == name).unwrap();
    let cases = number("OTB_INPUTS", 20_000) * share / 1000;
    let mut mutator = Mutator(number("OTB_SEED", 1));
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    for _ in 0..cases {
        let input = make(&mut mutator);
        let once = || {
            let began = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| read(&input)));
            assert!(outcome.is_ok(), "{name} panicked on {input:?}");
            began.elapsed()
        };
        let mut took = once();
        for _ in 0..2 {
            if took > LONGEST {
                took = took.min(once());
            }
        }
        assert!(took <= LONGEST, "{name} took {took:?} for {input:?}");
        longest = longest.max(took);
    }
    let rate = f64::from(u32::try_from(cases).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64();
    println!("{name}: {cases} inputs, {rate:.0} a second, the longest {longest:?}");
}

/// As `feed`, with mutilated copies of `seeds`.
fn feed_bytes(name: &str, seeds: &[&[u8]], read: impl Fn(&[u8])) {
    feed(name, |mutator| Shown(mutator.mutilate(seeds)), |input| read(&input.0));
}

/// Bytes that a failure prints as text.
struct Shown(Vec<u8>);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", text(&self.0))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn shares_make_the_whole() {
    assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<u64>(), 1000);
}

#[test]
fn cluster_yaml() {
    let files = seeds::cluster_files();
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    feed_bytes("cluster.yaml", &files, |bytes| drop(otb::config::load("cluster.yaml", &text(bytes))));
}

fn digest(plan: &Plan) {
    let _ = (is_intact(plan), audit(plan), otb::view::plan_text(plan, true));
    let _ = (otb::view::plan_markdown(plan), otb::view::plan_html(plan));
}

/// As trees: what comes out is JSON, and most of it is nearly a plan.
#[test]
fn saved_plans() {
    let plans: Vec<serde_json::Value> = seeds::plans().iter().map(|plan| serde_json::to_value(plan).unwrap()).collect();
    let make = |mutator: &mut Mutator| {
        let mut plan = mutator.one_of(&plans).clone();
        mutator.reshape(&mut plan);
        plan
    };
    feed("saved plan", make, |value| {
        if let Ok(plan) = serde_json::from_value::<Plan>(value.clone()) {
            digest(&plan);
        }
    });
}

#[test]
fn saved_plans_as_bytes() {
    let plans: Vec<Vec<u8>> = seeds::plans().iter().map(|plan| serde_json::to_vec(plan).unwrap()).collect();
    assert!(plans.iter().all(|plan| is_intact(&serde_json::from_slice(plan).unwrap())));
    let plans: Vec<&[u8]> = plans.iter().map(Vec::as_slice).collect();
    feed_bytes("saved plan, bytes", &plans, |bytes| {
        if let Ok(plan) = serde_json::from_slice::<Plan>(bytes) {
            digest(&plan);
        }
    });
}

#[test]
fn rows_of_pgxc_node() {
    let columns = ["node_name", "node_type", "node_port", "node_host", "node_forward_port", "node_cluster_name"];
    feed_bytes("pgxc_node", &seeds::ROWS, |bytes| {
        let said = text(bytes);
        let rows: Vec<Vec<Option<&str>>> =
            said.lines().map(|line| line.split(',').map(|field| (field != "~").then_some(field)).collect()).collect();
        let width = rows.iter().map(Vec::len).min().unwrap_or_default().min(columns.len());
        let rows: Vec<&[Option<&str>]> = rows.iter().map(|row| &row[..width]).collect();
        let _ = read_routes(&Rows::of(&columns[..width], &rows));
    });
}

#[test]
fn answers_of_a_gtm() {
    let whole = seeds::gtm_status(2, 0);
    assert!(read_gtm_status(&whole).is_ok(), "{:?}", read_gtm_status(&whole));
    let make = |mutator: &mut Mutator| {
        // Counts and lengths that lie, then a few foreign bytes.
        let honest = seeds::gtm_status(
            *mutator.one_of(&[0, 1, 2, 9]),
            *mutator.one_of(&[0, 0, 1, -1, i32::MAX, i32::MIN, 1 << 20]),
        );
        Shown(if mutator.below(3) == 0 {
            honest
        } else {
            mutator.mutilate(&[&honest, b"S\0\0\0\x20", b"E\0\0\0\x08no"])
        })
    };
    feed("GTM answer", make, |Shown(bytes)| {
        let _ = read_gtm_status(bytes);
        if let Some(head) = bytes.first_chunk() {
            let _ = gtm_body_length(*head);
        }
    });
}

#[test]
fn what_tools_say() {
    let control = read_control(seeds::CONTROL).unwrap();
    feed_bytes("pg_controldata", &seeds::TOOLS.map(str::as_bytes), |bytes| {
        let said = text(bytes);
        let _ = (read_control(&said), read_end_of_wal(&said, &control), read_pg_status(0, &said));
        let _ = (read_recovery_conf(&said), read_gtm_conf(&said), read_conninfo(&said), read_gtm_status_text(0, &said));
    });
}

#[test]
fn what_the_observing_script_says() {
    let cluster = lab::seed().cluster;
    let looks: Vec<Look<'_>> = cluster.instances().take(3).map(|at| Look { at, tools: Tools::All }).collect();
    feed_bytes("probe", &[seeds::PROBE.as_bytes()], |bytes| drop(read_probe(&looks, &text(bytes))));
}

#[test]
fn password_files() {
    let cluster = lab::seed().cluster;
    let endpoint = &cluster.instances().next().unwrap().endpoint;
    feed_bytes(".pgpass", &[seeds::PGPASS.as_bytes()], |bytes| {
        let passwords = Passwords::from_text(&text(bytes));
        if let Some(password) = passwords.find(&cluster.connection, endpoint) {
            assert_eq!(format!("{password:?}"), "***");
        }
    });
}
