//! Which servers may replicate from which instances: the only query that needs other answers first, and a process on a
//! server.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::Limits;
use crate::model::{
    Cluster, Endpoint, Fact, Instance, InstanceId, NodeName, Observation, ReplicationAccess, Role, ServerName,
    UnknownKind,
};
use crate::opentenbase::{Script, most_logins, read_replication_access, replication_access, sanitize_for_display};
use crate::transport::{Connections, Output, ShellError};

/// A master that is to become a standby, as the user that its new master itself replicates as: that user otb writes into
/// its recovery.conf.
struct Login<'a> {
    from: &'a Instance,
    to: &'a Instance,
    user: String,
}

/// Asked only for a master that will move or be given up. An access that worked for the same user when `lately` was
/// observed is not tried again; one that failed may work by now.
pub(super) async fn ask(
    cluster: &Cluster,
    nodes: &BTreeSet<&NodeName>,
    connections: &Connections,
    limits: &Limits,
    [lately, known]: [&Observation; 2],
) -> Vec<(InstanceId, Fact<ReplicationAccess>)> {
    let is_known = |login: &Login<'_>| {
        lately.instances.get(&login.from.id).is_some_and(|facts| facts.replication_access == login.admitted())
    };
    let (known, asked): (Vec<_>, Vec<_>) = logins(cluster, nodes, known).into_iter().partition(is_known);
    let mut alike: BTreeMap<(&ServerName, &str, &str), Vec<&Login<'_>>> = BTreeMap::new();
    for login in &asked {
        let way = (&login.from.id.server, login.from.install.as_str(), login.user.as_str());
        alike.entry(way).or_default().push(login);
    }
    let shells = Semaphore::new(limits.shells.get());
    let asker = Asker { connections, limits, shells };
    let rows = alike.iter().flat_map(|((.., user), logins)| logins.chunks(most_logins(user)));
    let answers = join_all(rows.map(|row| asker.ask(row))).await.into_iter().flatten();
    known.iter().map(|login| (login.from.id.clone(), login.admitted())).chain(answers).collect()
}

fn logins<'a>(cluster: &'a Cluster, nodes: &BTreeSet<&NodeName>, known: &Observation) -> Vec<Login<'a>> {
    let is_master = |id: &InstanceId| known.instances.get(id).is_some_and(|facts| facts.is_running(Role::Master));
    let affected = cluster.nodes.values().filter(|node| node.kind.is_router() && nodes.contains(&node.name));
    let moves = affected.filter_map(|node| {
        let to = node.master_instance()?;
        let facts = known.instances.get(&to.id).filter(|facts| facts.role.known().is_some())?;
        let file = facts.data_dir.known().and_then(|dir| dir.recovery_conf.as_ref());
        let user = file.and_then(|file| file.user.clone()).unwrap_or_else(|| cluster.connection.user.clone());
        let from = node.standbys().filter(|instance| is_master(&instance.id));
        Some(from.map(move |from| Login { from, to, user: user.clone() }))
    });
    moves.flatten().collect()
}

impl Login<'_> {
    fn admitted(&self) -> Fact<ReplicationAccess> {
        Fact::Known(ReplicationAccess::Admitted { user: self.user.clone() })
    }
}

struct Asker<'a> {
    connections: &'a Connections,
    limits: &'a Limits,
    shells: Semaphore,
}

impl Asker<'_> {
    /// One process tries all of them as long as each succeeds. After the first failure each one is tried separately,
    /// in parallel: only that shows why.
    async fn ask(&self, logins: &[&Login<'_>]) -> Vec<(InstanceId, Fact<ReplicationAccess>)> {
        let in_a_row = match logins {
            [_, _, ..] => self.log_in(logins).await.map(|output| read_replication_access(&output.text)),
            _ => Ok(0),
        };
        let admitted = match in_a_row {
            Ok(count) => count.min(logins.len()),
            Err(error) if error.is_outcome_unknown() => 0,
            // No shell is there for any of them.
            Err(error) => {
                return logins.iter().map(|login| (login.from.id.clone(), Fact::Unknown(error.unknown()))).collect();
            }
        };
        let (admitted, others) = logins.split_at(admitted);
        let others = join_all(others.iter().map(|login| self.ask_one(login))).await;
        admitted.iter().map(|login| (login.from.id.clone(), login.admitted())).chain(others).collect()
    }

    async fn ask_one(&self, login: &Login<'_>) -> (InstanceId, Fact<ReplicationAccess>) {
        let answer = match self.log_in(&[login]).await {
            Ok(output) => read(&output, &login.user),
            Err(error) => Fact::Unknown(error.unknown()),
        };
        (login.from.id.clone(), answer)
    }

    /// From the one server of all, as their one user.
    async fn log_in(&self, logins: &[&Login<'_>]) -> Result<Output, ShellError> {
        let (from, user) = (logins[0].from, &logins[0].user);
        let ways: Vec<(&Instance, &Endpoint)> = logins.iter().map(|login| (login.from, &login.to.endpoint)).collect();
        let script = Script::at(from).then(&replication_access(&ways, user));
        // Never closed; if it were, asking without a permit is still right.
        let _permit = self.shells.acquire().await.ok();
        self.connections.shells.run_short(&from.id.server, script.as_str(), self.limits.shell).await
    }
}

/// psql's exit status where the connection came to nothing (its manual page).
const NO_CONNECTION: i32 = 2;

/// Reads the output of the script. Only psql can report a refusal: if it did not run, nothing was refused.
fn read(output: &Output, user: &str) -> Fact<ReplicationAccess> {
    let user = user.to_owned();
    if output.is_success() {
        return Fact::Known(ReplicationAccess::Admitted { user });
    }
    let why = sanitize_for_display(output.said());
    if output.status == NO_CONNECTION {
        Fact::Known(ReplicationAccess::Refused { user, why })
    } else {
        Fact::unknown(UnknownKind::Failed, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_psql_can_refuse() {
        let output = |status, said: &str| Output { status, text: said.to_owned(), truncated: false };
        let refused = read(&output(2, "psql: FATAL:  no pg_hba.conf entry\n"), "otb");
        let why = "psql: FATAL: no pg_hba.conf entry".to_owned();
        assert_eq!(refused, Fact::Known(ReplicationAccess::Refused { user: "otb".to_owned(), why }));
        for (status, said) in [(3, "its data directory cannot be entered"), (127, "sh: 1: psql: not found")] {
            assert_eq!(read(&output(status, said), "otb"), Fact::unknown(UnknownKind::Failed, said));
        }
    }
}
