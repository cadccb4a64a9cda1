//! Exhaustive search over the pure sandbox world: each fault at each step of a takeover, and each pair of faults for
//! one node. The decisions are those of the real thing: `plan::plan` plans, `apply::Ledger` says what comes next and
//! what is taken back; only the acts are done on a simulated cluster, without sockets, files or clocks.
//!
//! In every state: never two masters of a node, or two active GTMs, that routers can reach, and no promotion of a copy
//! that lacks what another copy of its node has acknowledged, unless a waiver says so by name. After the faults have
//! healed, plan + apply converges.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the number of states visited is to be seen")]

mod explore;
mod fault;
mod lab;
mod planted;
mod rehearsed;

use std::io::Write as _;

use explore::Search;
use otb::plan::Step;
use otb::rehearsal::{Fault, Lab, QUICK, Run};
use otb::sandbox::world::Elsewhere;

use fault::{all, of_node, server};
use lab::{declare, id, node, seed, wait_for_standbys};

/// The example cluster after `before`, with the masters named declared elsewhere.
fn declared(moves: &[(&str, &str)], before: &[Fault]) -> Lab {
    let mut lab = seed();
    for fault in before {
        fault.strike(&mut lab);
    }
    for (node, server) in moves {
        declare(&mut lab, node, server);
    }
    lab
}

/// Explores with up to `most` of `faults` on the way; prints what was visited.
fn explore(name: &str, lab: &Lab, mut search: Search<'_>, faults: usize, most: usize) {
    search.run(lab, most);
    let line = format!(
        "search {name}: {} states, {} runs, {} ends that converge, {faults} faults in up to {most} places",
        search.states(),
        search.runs,
        search.ends(),
    );
    // Past the runner's capture: the figure is to be seen.
    let _ = writeln!(std::io::stderr(), "{line}");
    assert!(search.states() > 10 * faults, "{line}");
}

fn search(name: &str, moves: &[(&str, &str)], before: &[Fault], faults: &[Fault], most: usize) {
    explore(name, &declared(moves, before), Search::new(faults), faults.len(), most);
}

#[test]
fn any_fault_at_any_step_of_a_switchover() {
    search("switchover of dn01", &[("dn01", "s47")], &[], &all(), 1);
}

/// Commits wait for the old master: it returns behind its fence, and a run that is cut off after that is recognised.
#[test]
fn any_fault_at_any_step_of_a_switchover_whose_commits_wait() {
    for (name, moves) in [("dn01", [("dn01", "s47")]), ("dn02", [("dn02", "s29")])] {
        let mut lab = declared(&moves, &[]);
        wait_for_standbys(&mut lab);
        let faults = all();
        explore(&format!("switchover of {name}, commits wait"), &lab, Search::new(&faults), faults.len(), 1);
    }
}

#[test]
fn any_fault_at_any_step_of_a_failover_whose_commits_wait() {
    let mut lab = declared(&[("dn01", "s47")], &[Fault::Kill(id("dn01@s29"))]);
    wait_for_standbys(&mut lab);
    let faults = all();
    explore("failover of dn01, commits wait", &lab, Search::new(&faults), faults.len(), 1);
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
    let killed = [Fault::Kill(id("dn01@s29"))];
    search("failover of dn01", &[("dn01", "s47")], &killed, &all(), 1);
}

/// A commit was cut in half when dn01's master died: dn02 holds it prepared, dn01's standby knows that it was rolled back.
#[test]
fn any_fault_at_any_step_of_a_failover_beside_a_commit_that_was_cut_in_half() {
    for elsewhere in [Elsewhere::Committed, Elsewhere::Aborted] {
        let before = [Fault::InDoubt(node("dn02"), elsewhere), Fault::Kill(id("dn01@s29"))];
        search("failover of dn01 beside a commit cut in half", &[("dn01", "s47")], &before, &all(), 1);
    }
}

#[test]
fn any_pair_of_faults_of_one_node() {
    search("pairs on dn01", &[("dn01", "s47")], &[], &of_node("dn01"), 2);
}

#[test]
fn any_pair_of_faults_of_a_node_with_two_standbys() {
    search("pairs on dn02", &[("dn02", "s29")], &[], &of_node("dn02"), 2);
}

#[test]
fn any_pair_of_faults_of_a_coordinator() {
    search("pairs on cn01", &[("dn01", "s47")], &[], &of_node("cn01"), 2);
}

#[test]
fn any_fault_at_any_step_of_a_switchover_of_the_gtm() {
    search("switchover of gtm_1", &[("gtm_1", "s47")], &[], &all(), 1);
}

#[test]
fn any_fault_at_any_step_of_a_failover_of_the_gtm() {
    let killed = [Fault::Kill(id("gtm_1@s29"))];
    search("failover of gtm_1", &[("gtm_1", "s47")], &killed, &all(), 1);
}

#[test]
fn any_fault_at_any_step_of_a_restart_of_the_gtm() {
    search("restart of gtm_1", &[], &[Fault::Kill(id("gtm_1@s29"))], &all(), 1);
}

#[test]
fn any_fault_at_any_step_of_a_move_of_the_gtm_and_a_datanode() {
    search("gtm_1 and dn01", &[("gtm_1", "s47"), ("dn01", "s47")], &[], &all(), 1);
}

#[test]
fn any_fault_at_any_step_of_a_failover_of_the_gtm_with_a_move_after_it() {
    let killed = [Fault::Kill(id("gtm_1@s29"))];
    search("failover of gtm_1, then dn01", &[("gtm_1", "s47"), ("dn01", "s47")], &killed, &all(), 1);
}

#[test]
fn any_pair_of_faults_of_the_gtm() {
    search("pairs on gtm_1", &[("gtm_1", "s47")], &[], &of_node("gtm_1"), 2);
}

/// Hardly any time passes: no checkpoint after a promotion is written, and no GTM writes a record unasked.
#[test]
fn any_fault_at_any_step_in_a_hurry() {
    for (name, moves) in [("dn01 in a hurry", [("dn01", "s47")]), ("gtm_1 in a hurry", [("gtm_1", "s47")])] {
        // The GTM's standby has just been started, and has redone nothing.
        let mut lab = declared(&moves, &[Fault::Kill(id("gtm_1@s47")), Fault::Start(id("gtm_1@s47"))]);
        lab.pace = QUICK;
        explore(name, &lab, Search::new(&all()), all().len(), 1);
    }
}

/// dn01's master died with transactions that no standby has: who waives that by name loses them, and nothing else.
#[test]
fn any_fault_at_any_step_of_a_failover_that_loses_data_by_waiver() {
    let mut lab = declared(&[("dn01", "s47")], &[Fault::CrashLossy(node("dn01"))]);
    lab.unreadable = true;
    Search::new(&[]).assert_refused(&lab, "data-loss:dn01");
    let faults = all();
    let search = Search::new(&faults).waiving(&["data-loss:dn01"]);
    explore("failover of dn01, loss waived", &lab, search, faults.len(), 1);
}

/// dn01's master died with transactions that no standby has, and its disk can be read: they are brought to the standby, and
/// no waiver is needed.
#[test]
fn any_fault_at_any_step_of_a_failover_that_salvages() {
    let lab = declared(&[("dn01", "s47")], &[Fault::CrashLossy(node("dn01"))]);
    let faults = all();
    explore("failover of dn01, salvaged", &lab, Search::new(&faults), faults.len(), 1);
}

/// dn01's master died with WAL that no standby has, and no transaction was committed in it: nothing is lost, and no waiver
/// is needed.
#[test]
fn any_fault_at_any_step_of_a_failover_that_lacks_wal_without_a_commit() {
    let lab = declared(&[("dn01", "s47")], &[Fault::CrashUncommitted(node("dn01"))]);
    let faults = all();
    explore("failover of dn01, nothing committed", &lab, Search::new(&faults), faults.len(), 1);
}

/// The server of dn02's master lost its power: what it holds is not known, and only a person can say that it is off.
#[test]
fn any_fault_at_any_step_of_a_failover_from_a_server_that_is_off() {
    let mut lab = declared(&[("dn02", "s61")], &[]);
    Search::new(&[]).settle(&mut lab);
    Fault::PowerOff(server("s61")).strike(&mut lab);
    declare(&mut lab, "dn02", "s47");
    for missing in ["fence:dn02", "data-loss:dn02"] {
        Search::new(&[]).assert_refused(&lab, missing);
    }
    // Who waived `fence` has said that it stays off.
    let mut faults = all();
    faults.retain(|fault| *fault != Fault::Start(id("dn02@s61")));
    let search = Search::new(&faults).waiving(&["fence:dn02", "data-loss:dn02"]);
    explore("failover of dn02, fence waived", &lab, search, faults.len(), 1);
}

/// A third copy that does not run, and would start as a master: nobody has stopped it in this run, and yet it is fenced.
#[test]
fn any_fault_at_any_step_of_a_switchover_beside_a_former_master_that_is_stopped() {
    let third = id("dn02@s61");
    let mut lab = declared(&[("dn02", "s29")], &[Fault::Stop(id("dn02@s61"))]);
    lab.files_of(&third).recovery = None;
    // Started before it is fenced it is a second master, and no switchover's fault.
    let mut faults = all();
    faults.retain(|fault| *fault != Fault::Start(id("dn02@s61")));
    explore("dn02 beside a former master", &lab, Search::new(&faults), faults.len(), 1);

    let found = Search::new(&[]).make_plan(&lab, false);
    let mut cut_off = found.clone();
    let promoted = cut_off.steps.iter().position(|step| step.point_of_no_return).unwrap();
    cut_off.steps.truncate(promoted + 1);
    // What otb held ends with otb.
    let release = found.steps.iter().find(|step| step.action.verb() == "release").unwrap();
    let needs = vec![cut_off.steps[promoted].id.clone()];
    cut_off.steps.push(Step { needs, ..release.clone() });
    let mut run = Run::new(lab, &cut_off);
    while explore::advance(&mut run) {}
    let mut lab = run.lab;
    lab.start(&third).unwrap();
    assert_eq!(lab.world.word(lab.disk(&third)), "standby", "{:#?}", found.steps);
}

/// What a third copy does, or would do, that cannot be looked at: it may be a master, and a person must say that it is
/// not.
#[test]
fn a_switchover_beside_a_copy_out_of_sight_wants_a_waiver() {
    for hidden in [Fault::Cut(server("s61")), Fault::Hang(id("dn02@s61"))] {
        let lab = declared(&[("dn02", "s29")], std::slice::from_ref(&hidden));
        Search::new(&[]).assert_refused(&lab, "fence:dn02");
        let faults = [Fault::Kill(id("dn02@s47")), Fault::OtbKilled];
        let search = Search::new(&faults).waiving(&["fence:dn02"]);
        explore(&format!("dn02 beside {hidden:?}"), &lab, search, faults.len(), 2);
    }
}

/// It is ended by the plan, without a waiver; whatever fails, it may wake up in any moment before, and its node serves again.
#[test]
fn a_master_that_hangs_is_ended() {
    for (node, to, hung) in [("dn01", "s47", "dn01@s29"), ("gtm_1", "s47", "gtm_1@s29")] {
        let lab = declared(&[(node, to)], &[Fault::Hang(id(hung))]);
        let plan = Search::new(&[]).make_plan(&lab, false);
        assert!(!plan.is_refused(), "{:?}", plan.checks);
        assert!(plan.steps.iter().any(|step| step.id.as_str() == format!("end:{hung}")), "{:#?}", plan.steps);
        let faults = [Fault::Kill(id("dn01@s47")), Fault::OtbKilled];
        explore(&format!("{hung} hangs"), &lab, Search::new(&faults), faults.len(), 2);
    }
}
