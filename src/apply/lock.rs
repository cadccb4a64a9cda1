//! The lock: two runs of otb never act at once on one cluster.
//!
//! `flock` held by a shell on the cluster's own servers works with the GTM up or down, needs no service, and
//! dies with its holder: the shell reads its standard input, which ends when otb or the connection does
//! (field notes, section 9). It is taken on every server in the order of their names, so that two runs that
//! see the same servers cannot both succeed.

use std::time::Duration;

use crate::dialect::{lock_script, read_lock};
use crate::model::{Cluster, Instance, ServerName};
use crate::transport::{Held, Outside};

/// How long giving one server's lock back may take.
const RELEASE: Duration = Duration::from_secs(2);

/// The lock on every server that could be reached.
pub struct Lock {
    held: Vec<(ServerName, Held)>,
    /// Servers on which it could not be taken because no shell answered.
    pub unreached: Vec<String>,
}

/// Why the lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another otb works on {cluster}: {holder} (lock on {server})")]
    Taken { cluster: String, server: ServerName, holder: String },
    /// It could be taken nowhere.
    #[error("the lock could not be taken on any server: {0}")]
    Nowhere(String),
}

impl Lock {
    /// Takes the lock or says who holds it. `holder` is what the others will read: who, since when, from where.
    pub async fn take(cluster: &Cluster, outside: &Outside, holder: &str, limit: Duration) -> Result<Self, LockError> {
        let mut lock = Self { held: Vec::new(), unreached: Vec::new() };
        for server in cluster.servers.keys() {
            let here: Vec<&Instance> = cluster.instances().filter(|instance| instance.id.server == *server).collect();
            if here.is_empty() {
                continue;
            }
            match outside.shells.hold(server, &lock_script(&here, holder), limit).await {
                Ok(held) => lock.add(cluster, server, held).await?,
                Err(error) => lock.unreached.push(format!("{server}: {error}")),
            }
        }
        if lock.held.is_empty() {
            return Err(LockError::Nowhere(lock.unreached.join("; ")));
        }
        Ok(lock)
    }

    /// Whether it is still held everywhere; else the server on which it is not. A connection that was cut off
    /// without a word counts as held until the transport notices.
    pub fn still_held(&mut self) -> Result<(), ServerName> {
        let lost = self.held.iter_mut().find_map(|(server, held)| (!held.is_alive()).then(|| server.clone()));
        lost.map_or(Ok(()), Err)
    }

    /// On how many servers it is held.
    pub fn servers(&self) -> usize {
        self.held.len()
    }

    async fn add(&mut self, cluster: &Cluster, server: &ServerName, held: Held) -> Result<(), LockError> {
        match read_lock(held.first_line()) {
            Ok(()) => {
                self.held.push((server.clone(), held));
                Ok(())
            }
            Err(holder) => {
                for (_, held) in self.held.drain(..) {
                    held.close(RELEASE).await;
                }
                Err(LockError::Taken { cluster: cluster.name.to_string(), server: server.clone(), holder })
            }
        }
    }

    /// Gives it back.
    pub async fn release(self) {
        for (_, held) in self.held {
            held.close(RELEASE).await;
        }
    }
}
