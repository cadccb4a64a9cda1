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

/// How long taking it again may take on a server whose connection broke.
const AGAIN: Duration = Duration::from_secs(5);

/// The lock on every server that could be reached.
pub struct Lock {
    cluster: Cluster,
    holder: String,
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
        let (cluster, holder) = (cluster.clone(), holder.to_owned());
        let mut lock = Self { cluster, holder, held: Vec::new(), unreached: Vec::new() };
        let servers: Vec<ServerName> = lock.cluster.servers.keys().cloned().collect();
        for server in servers {
            if let Some(script) = lock.script(&server) {
                match outside.shells.hold(&server, &script, limit).await {
                    Ok(held) => lock.add(&server, held).await?,
                    Err(error) => lock.unreached.push(format!("{server}: {error}")),
                }
            }
        }
        if lock.held.is_empty() {
            return Err(LockError::Nowhere(lock.unreached.join("; ")));
        }
        Ok(lock)
    }

    /// None: there is nothing of the cluster on that server.
    fn script(&self, server: &ServerName) -> Option<String> {
        let here: Vec<&Instance> = self.cluster.instances().filter(|instance| instance.id.server == *server).collect();
        (!here.is_empty()).then(|| lock_script(&here, &self.holder))
    }

    /// Sees to it that nobody else can have begun. As long as it is held on one server, another run is refused there;
    /// where its connection broke it is taken again, by the rule it was first taken by: on every server that can be
    /// reached. Gives what happened to it; or why it is lost: nothing of it is left, or somebody else has it.
    /// A connection that was cut off without a word counts as held until the transport notices.
    pub async fn keep(&mut self, outside: &Outside) -> Result<Vec<String>, String> {
        let mut held = Vec::new();
        let mut broken = Vec::new();
        for (server, mut one) in self.held.drain(..) {
            if one.is_alive() {
                held.push((server, one));
            } else {
                broken.push(server);
            }
        }
        self.held = held;
        if let ([first, ..], true) = (broken.as_slice(), self.held.is_empty()) {
            return Err(format!("the lock on {first} was lost"));
        }
        let mut notes = Vec::new();
        for server in broken {
            notes.push(self.take_again(&server, outside).await?);
        }
        Ok(notes)
    }

    async fn take_again(&mut self, server: &ServerName, outside: &Outside) -> Result<String, String> {
        let Some(script) = self.script(server) else { return Ok(String::new()) };
        match outside.shells.hold(server, &script, AGAIN).await {
            Ok(held) => {
                read_lock(held.first_line())
                    .map_err(|holder| format!("the lock on {server} was lost, and {holder} has it"))?;
                self.held.push((server.clone(), held));
                Ok(format!("the lock on {server} was lost and taken again"))
            }
            Err(error) => Ok(format!("the lock on {server} was lost and is held elsewhere still: {error}")),
        }
    }

    /// On how many servers it is held.
    pub fn servers(&self) -> usize {
        self.held.len()
    }

    async fn add(&mut self, server: &ServerName, held: Held) -> Result<(), LockError> {
        match read_lock(held.first_line()) {
            Ok(()) => {
                self.held.push((server.clone(), held));
                Ok(())
            }
            Err(holder) => {
                for (_, held) in self.held.drain(..) {
                    held.close(RELEASE).await;
                }
                Err(LockError::Taken { cluster: self.cluster.name.to_string(), server: server.clone(), holder })
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
