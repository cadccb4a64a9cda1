//! The events that may happen between two steps.

use crate::model::{InstanceId, NodeName, ServerName};
use crate::sandbox::world::{DiskId, Elsewhere};

use super::act::Mishap;
use super::lab::Lab;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Kill(InstanceId),
    /// A clean shutdown by another program.
    Stop(InstanceId),
    /// Somebody, or a supervisor, starts it as its files say.
    Start(InstanceId),
    Hang(InstanceId),
    Cut(ServerName),
    /// A server loses its power: its processes are dead and stay so, and it cannot be reached.
    PowerOff(ServerName),
    Lag(InstanceId),
    /// It gets nothing any more, and its node's master goes on committing.
    FallBehind(InstanceId),
    PauseReplay(InstanceId),
    ReadOnlyRecovery(InstanceId),
    /// The node's master commits something.
    Write(NodeName),
    /// The node's master commits what no standby gets, and dies.
    CrashLossy(NodeName),
    /// The node's master works, commits nothing, no standby gets the WAL, and it dies.
    CrashUncommitted(NodeName),
    /// A router's pgxc_node leads astray: router, node.
    WrongRoute(InstanceId, NodeName),
    StalePool(InstanceId, NodeName),
    /// A commit was cut in half: prepared on this node's master, and so on another datanode.
    InDoubt(NodeName, Elsewhere),
    /// A commit was cut in half this moment, and clients wait for a page behind it: no fast stop of this node's master ends.
    WaitBehind(NodeName),
    /// An open transaction has read pgxc_node: ALTER NODE waits.
    LockRoutes(InstanceId),
    /// A failure of the next act.
    Mishap(Mishap),
    /// Ctrl-C, once.
    Interrupt,
    LockLost,
    /// SIGKILL, power, network: no undoing, no report.
    OtbKilled,
}

impl Fault {
    /// Strikes the cluster. False: it does not fit it as it is, or does not concern it.
    pub fn strike(&self, lab: &mut Lab) -> bool {
        let struck = self.hit(lab);
        lab.do_to_files();
        struck
    }

    fn hit(&self, lab: &mut Lab) -> bool {
        let now = lab.now();
        match self {
            Self::Kill(at) | Self::Stop(at) => {
                let disk = lab.disk(at);
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
            Self::Start(at) => lab.start(at).is_ok(),
            Self::Hang(at) => lab.world.set_hung(lab.disk(at), true, now),
            Self::PowerOff(server) => {
                let on: Vec<_> = lab.disks.iter().filter(|(id, _)| id.server == *server).collect();
                for disk in on.into_iter().map(|(_, disk)| *disk).collect::<Vec<_>>() {
                    lab.world.kill(disk, now);
                }
                lab.world.set_cut(server, true, now)
            }
            Self::Cut(server) => lab.world.set_cut(server, true, now),
            Self::Lag(at) => lab.world.set_allowance(lab.disk(at), Some(0), now),
            Self::FallBehind(at) => {
                lab.world.set_allowance(lab.disk(at), Some(0), now)
                    && master(lab, &at.node).is_some_and(|disk| lab.world.commit_work(disk, 4096, now))
            }
            Self::PauseReplay(at) => lab.world.pause_replay(lab.disk(at), true, now),
            Self::ReadOnlyRecovery(at) => match &mut lab.files_of(at).recovery {
                Some(recovery) => std::mem::replace(&mut recovery.writable, false),
                None => false,
            },
            Self::Write(node) => master(lab, node).is_some_and(|disk| lab.world.commit_work(disk, 4096, now)),
            Self::CrashLossy(node) => master(lab, node).is_some_and(|disk| lab.world.crash_lossy(disk, 8192, 1, now)),
            Self::CrashUncommitted(node) => {
                master(lab, node).is_some_and(|disk| lab.world.crash_lossy(disk, 8192, 0, now))
            }
            Self::WrongRoute(router, node) => {
                lab.world.force_route(lab.disk(router), node.as_str(), "127.0.0.1", 1, now)
            }
            Self::StalePool(router, node) => lab.world.stale_pool(lab.disk(router), node.as_str(), "127.0.0.1", 1),
            Self::InDoubt(node, elsewhere) => {
                master(lab, node).is_some_and(|disk| lab.world.leave_in_doubt(disk, *elsewhere, now))
            }
            Self::WaitBehind(node) => master(lab, node).is_some_and(|disk| {
                lab.world.leave_in_doubt(disk, Elsewhere::Prepared, now) && lab.world.set_waiting(disk, true)
            }),
            Self::LockRoutes(router) => lab.world.set_routes_read(lab.disk(router), true),
            Self::Mishap(_) | Self::Interrupt | Self::LockLost | Self::OtbKilled => false,
        }
    }
}

fn master(lab: &Lab, node: &NodeName) -> Option<DiskId> {
    lab.world.master(node)
}
