//! What may happen between two steps.

use otb::model::{InstanceId, NodeName, ServerName};
use otb::sandbox::world::Elsewhere;

use super::act::Mishap;
use super::lab::{Lab, id};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Kill(&'static str),
    /// A clean shutdown by somebody else.
    Stop(&'static str),
    /// Somebody, or a supervisor, starts it as its files say.
    Start(&'static str),
    Hang(&'static str),
    Cut(&'static str),
    /// A server loses its power: what ran on it is dead and stays so, and nobody reaches it.
    PowerOff(&'static str),
    Lag(&'static str),
    PauseReplay(&'static str),
    ReadOnlyRecovery(&'static str),
    /// The node's master commits something.
    Write(&'static str),
    /// The node's master commits what no standby gets, and dies.
    CrashLossy(&'static str),
    /// The node's master works, commits nothing, no standby gets the WAL, and it dies.
    CrashUncommitted(&'static str),
    /// A router's pgxc_node leads astray: router, node.
    WrongRoute(&'static str, &'static str),
    StalePool(&'static str, &'static str),
    /// A commit was cut in half: prepared on this node's master, and so on another datanode.
    InDoubt(&'static str, Elsewhere),
    /// A commit was cut in half this moment, and clients wait for a page behind it: no fast stop of this node's master ends.
    WaitBehind(&'static str),
    /// An open transaction has read pgxc_node: ALTER NODE waits.
    LockRoutes(&'static str),
    /// What goes wrong with the next act.
    Mishap(Mishap),
    /// Ctrl-C, once.
    Interrupt,
    LockLost,
    /// SIGKILL, power, network: no undoing, no report.
    OtbKilled,
}

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

fn of_copies(copies: &[&'static str]) -> Vec<Fault> {
    const KINDS: [fn(&'static str) -> Fault; 7] =
        [Fault::Kill, Fault::Stop, Fault::Start, Fault::Hang, Fault::Lag, Fault::PauseReplay, Fault::ReadOnlyRecovery];
    copies.iter().flat_map(|copy| KINDS.iter().map(|kind| kind(copy))).collect()
}

fn of_masters(node: &'static str) -> [Fault; 4] {
    [
        Fault::Write(node),
        Fault::CrashLossy(node),
        Fault::WrongRoute("cn01@s29", node),
        Fault::StalePool("cn02@s47", node),
    ]
}

/// Every kind of fault on everything.
pub(crate) fn all() -> Vec<Fault> {
    let mut faults = of_copies(&INSTANCES);
    faults.extend(SERVERS.map(Fault::Cut));
    faults.extend(["gtm_1", "dn01", "dn02"].into_iter().flat_map(of_masters));
    faults.extend(["cn01@s29", "cn02@s47", "dn01@s29", "dn02@s47"].map(Fault::LockRoutes));
    faults.extend([Fault::InDoubt("dn01", Elsewhere::Committed), Fault::InDoubt("dn02", Elsewhere::Aborted)]);
    faults.extend([Fault::WaitBehind("dn01"), Fault::WaitBehind("dn02")]);
    faults.extend(RUN);
    faults
}

/// Every kind of fault on one node, its servers, and the run.
pub(crate) fn of_node(node: &'static str) -> Vec<Fault> {
    let copies: Vec<&'static str> = INSTANCES.into_iter().filter(|copy| copy.starts_with(node)).collect();
    let mut faults = of_copies(&copies);
    faults.extend(
        SERVERS.iter().filter(|server| copies.iter().any(|copy| copy.ends_with(*server))).map(|s| Fault::Cut(s)),
    );
    faults.extend(of_masters(node));
    faults.extend(RUN);
    faults
}

impl Fault {
    /// Strikes the cluster. False: it does not fit it as it is, or does not concern it.
    pub(crate) fn strike(self, lab: &mut Lab) -> bool {
        let struck = self.hit(lab);
        lab.do_to_files();
        struck
    }

    fn hit(self, lab: &mut Lab) -> bool {
        let now = lab.now();
        let disk = |lab: &Lab, at: &str| lab.disks[&id(at)];
        match self {
            Self::Kill(at) | Self::Stop(at) => {
                let disk = disk(lab, at);
                if lab.world.word(disk) == "stopped" {
                    return false;
                }
                match self {
                    Self::Kill(_) => lab.world.kill(disk, now),
                    _ if lab.world.gtm(disk).is_some() => lab.world.stop_gtm(disk),
                    _ => lab.world.shut_down(disk, now),
                }
                true
            }
            Self::Start(at) => lab.start(&id(at)).is_ok(),
            Self::Hang(at) => lab.world.set_hung(disk(lab, at), true, now),
            Self::PowerOff(server) => {
                let on: Vec<_> = lab.disks.iter().filter(|(id, _)| id.server.as_str() == server).collect();
                for disk in on.into_iter().map(|(_, disk)| *disk).collect::<Vec<_>>() {
                    lab.world.kill(disk, now);
                }
                lab.world.set_cut(&ServerName::new(server).unwrap(), true, now)
            }
            Self::Cut(server) => lab.world.set_cut(&ServerName::new(server).unwrap(), true, now),
            Self::Lag(at) => lab.world.set_allowance(disk(lab, at), Some(0), now),
            Self::PauseReplay(at) => lab.world.pause_replay(disk(lab, at), true, now),
            Self::ReadOnlyRecovery(at) => match &mut lab.files_of(&id(at)).recovery {
                Some(recovery) => std::mem::replace(&mut recovery.writable, false),
                None => false,
            },
            Self::Write(node) => master(lab, node).is_some_and(|disk| lab.world.commit_work(disk, 4096, now)),
            Self::CrashLossy(node) => master(lab, node).is_some_and(|disk| lab.world.crash_lossy(disk, 8192, 1, now)),
            Self::CrashUncommitted(node) => {
                master(lab, node).is_some_and(|disk| lab.world.crash_lossy(disk, 8192, 0, now))
            }
            Self::WrongRoute(router, node) => lab.world.force_route(disk(lab, router), node, "127.0.0.1", 1, now),
            Self::StalePool(router, node) => lab.world.stale_pool(disk(lab, router), node, "127.0.0.1", 1),
            Self::InDoubt(node, elsewhere) => {
                master(lab, node).is_some_and(|disk| lab.world.leave_in_doubt(disk, elsewhere, now))
            }
            Self::WaitBehind(node) => master(lab, node).is_some_and(|disk| {
                lab.world.leave_in_doubt(disk, Elsewhere::Prepared, now) && lab.world.set_waiting(disk, true)
            }),
            Self::LockRoutes(router) => lab.world.set_routes_read(disk(lab, router), true),
            Self::Mishap(_) | Self::Interrupt | Self::LockLost | Self::OtbKilled => false,
        }
    }
}

fn master(lab: &Lab, node: &str) -> Option<otb::sandbox::world::DiskId> {
    lab.world.master(&NodeName::new(node).unwrap())
}

/// Brings back by hand what a refusal's hint says.
pub(crate) fn start(lab: &mut Lab, id: &InstanceId) {
    // What does not start now is looked at again in the next round.
    let _ = lab.start(id);
    lab.do_to_files();
}
