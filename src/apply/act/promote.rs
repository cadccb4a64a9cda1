//! The point of no return.

use std::time::{Duration, Instant};

use super::{Failed, run_all};
use crate::apply::condition::{self, Found};
use crate::apply::field::Field;
use crate::dialect;
use crate::dialect::command::{self, Patience};
use crate::model::{Condition, InstanceId, Role};

/// How often the role is asked for inside the write gap.
const FINELY: Duration = Duration::from_millis(2);

/// After how long without an answer the process itself is looked at.
const SILENT: Duration = Duration::from_secs(1);

/// Sends the request and polls the role: the exit code only says that the request was sent (field notes,
/// section 6: a time-out is no failure, the request stays in force).
pub(super) async fn promote(id: &InstanceId, limit: Duration, field: &Field<'_>) -> Result<(), Failed> {
    run_all(id, &[command::promote(field.instance(id)?)], Duration::from_secs(15), field).await?;
    let deadline = Instant::now() + limit;
    let mut heard = Instant::now();
    loop {
        match condition::role_of(id, field).await {
            Ok(Role::Master) => return Ok(()),
            Ok(Role::Standby) => heard = Instant::now(),
            Err(error) if heard.elapsed() > SILENT => {
                died(id, field).await?;
                if Instant::now() >= deadline {
                    return Err(Failed::Unknown(error.to_string()));
                }
            }
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            return Err(Failed::Unknown(format!(
                "{id} is still a standby after {} s; the request stays in force",
                limit.as_secs()
            )));
        }
        tokio::time::sleep(FINELY).await;
    }
}

/// A standby that may not write its recovery.conf dies of its promotion (field notes, section 6).
async fn died(id: &InstanceId, field: &Field<'_>) -> Result<(), Failed> {
    match condition::check(&Condition::Stopped { instance: id.clone() }, field).await {
        Found::Holds => Err(Failed::NotDone(format!("the server of {id} died of the promotion: its log says why"))),
        Found::Fails(_) | Found::Unknown(_) => Ok(()),
    }
}

/// Starts a stopped master as what it was.
pub(super) async fn restart(id: &InstanceId, unfence: bool, limit: Duration, field: &Field<'_>) -> Result<(), Failed> {
    let instance = field.instance(id)?;
    let mut commands = Vec::new();
    if unfence {
        commands.push(dialect::remove_file(&dialect::recovery_path(instance)));
    }
    commands.push(command::start(instance, Patience::from(limit)));
    run_all(id, &commands, limit, field).await?;
    field.forget(id).await;
    Ok(())
}
