//! The point of no return.

use std::time::{Duration, Instant};

use super::{Failed, run_all, settle};
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::apply::condition::{self, Found, Wait};
use crate::model::{Condition, Instance, InstanceId, NodeKind, Role};
use crate::opentenbase;
use crate::opentenbase::command::{self, Patience};
use crate::transport::ask_gtm;

/// How often the role is asked for inside the write gap.
const FINELY: Duration = Duration::from_millis(2);

/// How long the request may take to be sent.
const REQUEST: Duration = Duration::from_secs(15);

/// After how long without an answer the process itself is looked at.
const SILENT: Duration = Duration::from_secs(1);

/// Sends the request and polls the role: the exit code only says that the request was sent (opentenbase-v2.6-live.md, "Tools": a time-out is no failure, the request stays in force).
pub(super) async fn promote(id: &InstanceId, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let instance = access.instance(id)?;
    if instance.kind == NodeKind::Gtm {
        return promote_gtm(instance, limit, access).await;
    }
    match send(id, access).await {
        // Whether the request arrived shows in the role; a standby may be asked again.
        Err(Failed::Unknown(_)) if still_standby(id, access).await => drop(send(id, access).await),
        Err(Failed::Unknown(_)) => {}
        sent => sent?,
    }
    let deadline = Instant::now() + limit;
    let mut heard = Instant::now();
    loop {
        match condition::role_of(id, access).await {
            Ok(Role::Master) => return Ok(()),
            Ok(Role::Standby) => heard = Instant::now(),
            Err(error) if heard.elapsed() > SILENT => {
                died(id, access).await?;
                if Instant::now() >= deadline {
                    return Err(Failed::Unknown(error.to_string()));
                }
            }
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            return Err(Failed::Unknown(format!(
                "{id} is still a standby after {} s; the promotion request stays in force",
                limit.as_secs()
            )));
        }
        tokio::time::sleep(FINELY).await;
    }
}

async fn send(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    run_all(id, &[command::promote(access.instance(id)?)], REQUEST, access).await.map(drop)
}

/// Whether it is a standby some time after the request's script, if there was one, came to its end.
async fn still_standby(id: &InstanceId, access: &ClusterAccess<'_>) -> bool {
    if settle(id, REQUEST, access).await.is_err() {
        return false;
    }
    let master = Condition::Runs { instance: id.clone(), role: Role::Master };
    condition::wait(&master, access, Wait::until(SILENT, FINELY)).await != Found::Holds
}

/// The command waits until the GTM may be asked; then its role is polled, for the signal is ignored silently by a GTM
/// that cannot obey (opentenbase-v2.6-live.md, "Tools").
async fn promote_gtm(instance: &Instance, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    run_all(&instance.id, &[command::promote(instance)], limit, access).await?;
    loop {
        let found = match ask_gtm(&instance.endpoint, ASK).await {
            Ok(status) if status.role == Role::Master => return Ok(()),
            Ok(_) => format!("{} is still a standby after {} s", instance.id, limit.as_secs()),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(Failed::Unknown(found));
        }
        tokio::time::sleep(FINELY).await;
    }
}

/// A standby that may not write its recovery.conf dies of its promotion (opentenbase-v2.6-live.md, "Tools").
async fn died(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    match condition::check(&Condition::Stopped { instance: id.clone() }, access).await {
        Found::Holds => Err(Failed::NotDone(format!("the server of {id} ended during the promotion: read its log"))),
        Found::Fails(_) | Found::Unknown(_) => Ok(()),
    }
}

/// Starts a stopped master as what it was.
pub(super) async fn restart(
    id: &InstanceId,
    unfence: bool,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let instance = access.instance(id)?;
    let mut commands = Vec::new();
    if unfence {
        commands.push(opentenbase::lift_fence(instance));
    }
    commands.push(command::start(instance, Patience::from(limit)));
    run_all(id, &commands, limit, access).await?;
    access.forget(id).await;
    Ok(())
}
