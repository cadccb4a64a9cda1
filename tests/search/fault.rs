//! What may happen between two steps of the seed's cluster.

use otb::model::{InstanceId, ServerName};
use otb::rehearsal::{Fault, Lab, Mishap};
use otb::sandbox::world::Elsewhere;

use super::lab::{id, node};

const INSTANCES: [&str; 9] =
    ["gtm_1@s29", "gtm_1@s47", "cn01@s29", "cn02@s47", "dn01@s29", "dn01@s47", "dn02@s29", "dn02@s47", "dn02@s61"];
const SERVERS: [&str; 3] = ["s29", "s47", "s61"];

/// What has to do with the run itself.
const RUN: [Fault; 6] = [
    Fault::Mishap(Mishap::Refused),
    Fault::Mishap(Mishap::AnswerLost),
    Fault::Mishap(Mishap::RequestLost),
    Fault::Interrupt,
    Fault::LockLost,
    Fault::OtbKilled,
];

pub(crate) fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

fn of_copies(copies: &[&str]) -> Vec<Fault> {
    const KINDS: [fn(InstanceId) -> Fault; 7] =
        [Fault::Kill, Fault::Stop, Fault::Start, Fault::Hang, Fault::Lag, Fault::PauseReplay, Fault::ReadOnlyRecovery];
    copies.iter().flat_map(|copy| KINDS.iter().map(|kind| kind(id(copy)))).collect()
}

fn of_masters(name: &str) -> [Fault; 4] {
    let node = || node(name);
    [
        Fault::Write(node()),
        Fault::CrashLossy(node()),
        Fault::WrongRoute(id("cn01@s29"), node()),
        Fault::StalePool(id("cn02@s47"), node()),
    ]
}

/// Every kind of fault on everything.
pub(crate) fn all() -> Vec<Fault> {
    let mut faults = of_copies(&INSTANCES);
    faults.extend(SERVERS.map(|name| Fault::Cut(server(name))));
    faults.extend(["gtm_1", "dn01", "dn02"].into_iter().flat_map(of_masters));
    faults.extend(["cn01@s29", "cn02@s47", "dn01@s29", "dn02@s47"].map(|router| Fault::LockRoutes(id(router))));
    faults
        .extend([Fault::InDoubt(node("dn01"), Elsewhere::Committed), Fault::InDoubt(node("dn02"), Elsewhere::Aborted)]);
    faults.extend([Fault::WaitBehind(node("dn01")), Fault::WaitBehind(node("dn02"))]);
    faults.extend(RUN);
    faults
}

/// Every kind of fault on one node, its servers, and the run.
pub(crate) fn of_node(node: &str) -> Vec<Fault> {
    let copies: Vec<&str> = INSTANCES.into_iter().filter(|copy| copy.starts_with(node)).collect();
    let mut faults = of_copies(&copies);
    let servers = SERVERS.iter().filter(|server| copies.iter().any(|copy| copy.ends_with(*server)));
    faults.extend(servers.map(|name| Fault::Cut(server(name))));
    faults.extend(of_masters(node));
    faults.extend(RUN);
    faults
}

/// Brings back by hand what a refusal's hint says.
pub(crate) fn start(lab: &mut Lab, id: &InstanceId) {
    // What does not start now is looked at again in the next round.
    let _ = lab.start(id);
    lab.do_to_files();
}
