//! Exhaustive search over the pure sandbox world: each fault at each step of a takeover, and each pair of faults for
//! one node. The decisions are those of the real thing: `plan::plan` plans, `apply::Ledger` says what comes next and
//! what is taken back; only the acts are done on a simulated cluster, without sockets, files or clocks.
//!
//! In every state: never two masters of a node that routers can reach, and no promotion of a copy that lacks what
//! another copy of its node has acknowledged. After the faults have healed, plan + apply converges.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the number of states visited is to be seen")]

mod act;
mod condition;
mod explore;
mod fault;
mod lab;
mod seen;

use std::io::Write as _;

use explore::Search;
use fault::{Fault, all, of_node};
use lab::Lab;

/// Moves the masters named, with up to `most` of `faults` on the way; prints what was visited.
fn search(name: &str, moves: &[(&str, &str)], before: &[Fault], faults: &[Fault], most: usize) {
    let mut lab = Lab::new();
    for fault in before {
        fault.strike(&mut lab);
    }
    for (node, server) in moves {
        lab.declare(node, server);
    }
    let mut search = Search::new(faults);
    search.run(&lab, most);
    let line = format!(
        "search {name}: {} states, {} runs, {} ends that converge, {} faults in up to {most} places",
        search.states(),
        search.runs,
        search.ends(),
        faults.len()
    );
    // Past the runner's capture: the figure is to be seen.
    let _ = writeln!(std::io::stderr(), "{line}");
    assert!(search.states() > 100, "{line}");
}

#[test]
fn any_fault_at_any_step_of_a_switchover() {
    search("switchover of dn01", &[("dn01", "s47")], &[], &all(), 1);
}

#[test]
fn any_fault_at_any_step_of_a_switchover_with_two_standbys() {
    search("switchover of dn02", &[("dn02", "s29")], &[], &all(), 1);
}

#[test]
fn any_fault_at_any_step_of_two_switchovers_at_once() {
    search("both datanodes", &[("dn01", "s47"), ("dn02", "s61")], &[], &all(), 1);
}

#[test]
fn any_fault_at_any_step_of_a_failover() {
    let killed = [Fault::Kill("dn01@s29")];
    search("failover of dn01", &[("dn01", "s47")], &killed, &all(), 1);
}

#[test]
fn any_pair_of_faults_of_one_node() {
    search("pairs on dn01", &[("dn01", "s47")], &[], &of_node("dn01"), 2);
}

#[test]
fn any_pair_of_faults_of_a_node_with_two_standbys() {
    search("pairs on dn02", &[("dn02", "s29")], &[], &of_node("dn02"), 2);
}
