//! The lock: two runs of otb never act at once on one cluster.
//!
//! `flock` held by a shell on the cluster's own servers works with the GTM up or down, needs no service, and
//! dies with its holder: the shell reads its standard input, which ends when otb or the connection does
//! (opentenbase-v2.6-live.md, "Tools"). It is taken on every server in the order of their names, so that two runs that
//! see the same servers cannot both succeed.

use std::time::Duration;

use crate::model::{Cluster, Instance, Server, ServerName, ShellVia};
use crate::opentenbase::{Leftovers, LockAnswer, lock_script, locked_directories, read_lock, sanitize_for_display};
use crate::transport::{Connections, Held};

/// How long giving one server's lock back may take.
const RELEASE: Duration = Duration::from_secs(2);

/// How long taking it again may take on a server whose connection broke.
const AGAIN: Duration = Duration::from_secs(5);

/// The lock on every server that could be reached.
pub struct Lock {
    held: Vec<Hold>,
    /// Servers on which it could not be taken because no shell answered.
    pub unreached: Vec<String>,
}

/// The lock on one server.
struct Hold {
    server: ServerName,
    /// What is needed to take it again.
    script: String,
    held: Held,
}

/// Why the lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another otb is working on {cluster}: {holder} (lock on {server})")]
    Taken { cluster: String, server: ServerName, holder: String },
    /// It could be taken nowhere.
    #[error("otb could not take the lock on any server: {0}")]
    Nowhere(String),
}

impl Lock {
    /// Takes the lock or says who holds it. `holder` is what the others will read: who, since when, from where.
    pub async fn take(
        cluster: &Cluster,
        connections: &Connections,
        holder: &str,
        limit: Duration,
    ) -> Result<Self, LockError> {
        let mut lock = Self { held: Vec::new(), unreached: Vec::new() };
        for (server, here) in machines(cluster) {
            let first = lock_script(&here, holder, Leftovers::Await);
            let held = match connections.shells.hold(server, &first, limit).await {
                Ok(held) => held,
                Err(error) => {
                    lock.unreached.push(format!("{server}: {error}"));
                    continue;
                }
            };
            match read_lock(held.first_line()) {
                Some(LockAnswer::Held) => {}
                Some(LockAnswer::Taken(holder)) => {
                    lock.release().await;
                    return Err(LockError::Taken { cluster: cluster.name.to_string(), server: server.clone(), holder });
                }
                None => {
                    lock.unreached.push(format!("{server}: {}", unreadable(&held)));
                    held.close(RELEASE).await;
                    continue;
                }
            }
            let script = lock_script(&here, holder, Leftovers::Ignore);
            lock.held.push(Hold { server: server.clone(), script, held });
        }
        if lock.held.is_empty() {
            return Err(LockError::Nowhere(lock.unreached.join("; ")));
        }
        Ok(lock)
    }

    /// Ensures that no other run can have started. While otb holds the lock on one server, that server refuses another
    /// run. If a connection broke, otb takes the lock again on every server that it can reach. Returns what happened
    /// to the lock, or why it is lost: no server has it any more, or another run does. A connection that was cut
    /// without a message counts as held until the transport notices.
    pub async fn keep(&mut self, connections: &Connections) -> Result<Vec<String>, String> {
        let mut broken = Vec::new();
        for mut hold in std::mem::take(&mut self.held) {
            if hold.held.is_alive() { &mut self.held } else { &mut broken }.push(hold);
        }
        if let ([first, ..], true) = (broken.as_slice(), self.held.is_empty()) {
            return Err(format!("the lock on {} was lost", first.server));
        }
        let mut notes = Vec::new();
        for hold in broken {
            notes.push(self.take_again(hold, connections).await?);
        }
        Ok(notes)
    }

    async fn take_again(&mut self, lost: Hold, connections: &Connections) -> Result<String, String> {
        let Hold { server, script, .. } = lost;
        match connections.shells.hold(&server, &script, AGAIN).await {
            Ok(held) => match read_lock(held.first_line()) {
                Some(LockAnswer::Held) => {
                    let note = format!("the lock on {server} was lost and taken again");
                    self.held.push(Hold { server, script, held });
                    Ok(note)
                }
                Some(LockAnswer::Taken(holder)) => Err(format!(
                    "the lock on {server} was lost, and {holder} has it \
                    now"
                )),
                None => {
                    Ok(format!("the lock on {server} was lost, and its old holder still has it: {}", unreadable(&held)))
                }
            },
            Err(error) => Ok(format!("the lock on {server} was lost, and its old holder still has it: {error}")),
        }
    }

    /// On how many servers it is held.
    pub fn servers(&self) -> usize {
        self.held.len()
    }

    /// Gives it back.
    pub async fn release(self) {
        for hold in self.held {
            hold.held.close(RELEASE).await;
        }
    }
}

/// The servers on which something of the cluster is, with their instances. Two that are one machine and keep data in the
/// same directories are one here: the second lock would find the first one's.
fn machines(cluster: &Cluster) -> Vec<(&ServerName, Vec<&Instance>)> {
    let mut machines: Vec<(&Server, Vec<&Instance>)> = Vec::new();
    for server in cluster.servers.values() {
        let here: Vec<&Instance> = cluster.instances().filter(|instance| instance.id.server == server.name).collect();
        if here.is_empty() {
            continue;
        }
        let directories = locked_directories(&here);
        let shared = machines.iter_mut().find(|(other, instances)| {
            is_one_machine(server, other) && !locked_directories(instances).is_disjoint(&directories)
        });
        match shared {
            Some((_, instances)) => instances.extend(here),
            None => machines.push((server, here)),
        }
    }
    machines.into_iter().map(|(server, instances)| (&server.name, instances)).collect()
}

/// Whether two servers have the same shell, as far as the file shows: the same command, or for an address the same
/// address.
fn is_one_machine(one: &Server, other: &Server) -> bool {
    let is_local = one.shell.via == ShellVia::Local;
    one.shell == other.shell && (is_local || one.address == other.address)
}

/// The answer of a script that neither has the lock nor reports its holder.
fn unreadable(held: &Held) -> String {
    format!("the lock script printed {:?}", sanitize_for_display(held.first_line()))
}
