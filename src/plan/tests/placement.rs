//! Where masters go when a server is emptied.

use super::seed::{cluster, healthy, id, stop};
use crate::model::*;
use crate::plan::{Drain, drain};

fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

/// The example cluster with a third copy of dn01 on s63.
pub(super) fn three() -> (Cluster, Observation) {
    let mut declared = cluster("s29");
    let mut seen = healthy(&declared);
    let dn01 = declared.nodes.get_mut(&id("dn01@s29").node).unwrap();
    let mut copy = dn01.instances[&server("s47")].clone();
    copy.id = id("dn01@s63");
    seen.instances.insert(copy.id.clone(), seen.instances[&id("dn01@s47")].clone());
    dn01.instances.insert(server("s63"), copy);
    (declared, seen)
}

fn drained(declared: &Cluster, seen: &Observation) -> Drain {
    drain(declared, seen, &server("s29"), &|node| node.as_str() == "dn01")
}

#[track_caller]
fn goes_to(declared: &Cluster, seen: &Observation, to: &str, because: &str) {
    let moves = drained(declared, seen).moves;
    let found: Vec<_> = moves.iter().map(|one| (one.to.as_str(), one.because.as_str())).collect();
    assert_eq!(found, [(to, because)]);
}

fn behind(seen: &mut Observation, at: &str, bytes: u64) {
    if let Fact::Known(facts) = &mut seen.instances.get_mut(&id(at)).unwrap().standby {
        (facts.received, facts.replayed) = (Some(Lsn(1000 - bytes)), Some(Lsn(1000 - bytes)));
    }
}

#[test]
fn among_equals_the_server_with_the_fewest_masters_then_the_least_lag_then_the_name() {
    let (mut declared, mut seen) = three();
    // cn02 and dn02 have their masters on s47.
    goes_to(&declared, &seen, "s63", "standby, 0 B behind");
    for node in ["cn02", "dn02"] {
        declared.nodes.get_mut(&NodeName::new(node).unwrap()).unwrap().master = server("s29");
    }
    goes_to(&declared, &seen, "s47", "standby, 0 B behind");
    behind(&mut seen, "dn01@s47", 8);
    goes_to(&declared, &seen, "s63", "standby, 0 B behind");
}

#[test]
fn fitness_goes_before_everything() {
    let (mut declared, mut seen) = three();
    declared.policy.max_lag = bytesize::ByteSize(100);
    behind(&mut seen, "dn01@s63", 101);
    goes_to(&declared, &seen, "s47", "standby, 0 B behind");
    behind(&mut seen, "dn01@s47", 102);
    goes_to(&declared, &seen, "s63", "standby, 101 B behind: too far to promote now");
    seen.instances.get_mut(&id("dn01@s63")).unwrap().role = Fact::Known(Role::Master);
    goes_to(&declared, &seen, "s63", "runs as master already");
    stop(&mut seen, "dn01@s63", ControlState::ShutDown);
    goes_to(&declared, &seen, "s47", "standby, 102 B behind: too far to promote now");
    seen.instances.insert(id("dn01@s47"), InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5s"));
    goes_to(&declared, &seen, "s47", "not observed: no answer within 5s");
}

/// Nothing streams from a dead master: then it counts who holds the most.
#[test]
fn without_a_master_the_copy_that_holds_the_most_is_chosen() {
    let (declared, mut seen) = three();
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    for at in ["dn01@s47", "dn01@s63"] {
        if let Fact::Known(facts) = &mut seen.instances.get_mut(&id(at)).unwrap().standby {
            facts.streaming = false;
        }
    }
    behind(&mut seen, "dn01@s63", 1);
    goes_to(&declared, &seen, "s47", "standby, 0 B behind");
    behind(&mut seen, "dn01@s47", 2);
    goes_to(&declared, &seen, "s63", "standby, 0 B behind");
}

#[test]
fn a_node_with_one_instance_is_stuck_and_others_are_left_alone() {
    let (declared, seen) = three();
    let all = drain(&declared, &seen, &server("s29"), &|_| true);
    let moved: Vec<String> = all.moves.iter().map(|one| format!("{} {}", one.node, one.to)).collect();
    assert_eq!(moved, ["dn01 s63", "gtm_1 s47"]);
    assert_eq!(all.stuck, [NodeName::new("cn01").unwrap()]);
    assert_eq!(drain(&declared, &seen, &server("s63"), &|_| true), Drain::default());
}
