//! Everything up to the moment when the old master is stopped and the standby has all it wrote.

use std::time::{Duration, Instant};

use super::conf::standby_of;
use super::{Failed, run_all};
use crate::apply::cluster_access::{ASK, ClusterAccess, LastWal};
use crate::apply::condition::{self, Found};
use crate::model::{Condition, ControlState, Instance, InstanceId, Lsn, NodeKind, Role};
use crate::opentenbase;
use crate::opentenbase::command::{self, Patience};
use crate::opentenbase::{Command, sanitize_for_display};
use crate::plan::AT_ONCE;
use crate::transport::{Rows, ask_gtm};

/// How often the replay position is asked for inside the write gap.
const FINELY: Duration = Duration::from_millis(2);

/// A standby that replays nothing for so long has no more WAL of a master that is gone.
const STANDS_STILL: Duration = Duration::from_secs(3);

/// A checkpoint that took longer is written once more before the stop.
const SHORT_CHECKPOINT: Duration = Duration::from_millis(500);

/// At most so many: where clients write faster than the disk, none is ever short.
const CHECKPOINTS: u32 = 3;

/// How often it is asked whether a checkpoint can end.
const LOOK: Duration = Duration::from_secs(1);

/// Limit of a script that only moves small files.
const FILES: Duration = Duration::from_secs(10);

pub(super) async fn stage_fence(
    id: &InstanceId,
    upstream: &InstanceId,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let instance = access.instance(id)?;
    let write = standby_of(id, upstream, true, &opentenbase::staged_fence(instance), access).await?;
    run_all(id, &[write], FILES, access).await?;
    Ok(())
}

pub(super) async fn fence(id: &InstanceId, upstream: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let instance = access.instance(id)?;
    let write = standby_of(id, upstream, true, &opentenbase::recovery_path(instance), access).await?;
    run_all(id, &[write], FILES, access).await?;
    Ok(())
}

/// The checkpoint of the stop writes what clients wrote while this one ran. On a busy master with much to flush,
/// another checkpoint takes a part of that time, until the stop's checkpoint is short.
pub(super) async fn checkpoint(id: &InstanceId, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    for _ in 0..CHECKPOINTS {
        let begun = Instant::now();
        let sql = opentenbase::checkpoint();
        let written = access.query(id, &sql, deadline.saturating_duration_since(begun));
        tokio::select! {
            answer = written => drop(answer?),
            why = cannot_end(id, access) => return Err(Failed::NotDone(why)),
        }
        if begun.elapsed() < SHORT_CHECKPOINT {
            break;
        }
    }
    Ok(())
}

/// Ends when a checkpoint under way waits for a page behind a transaction in doubt, and says so. It would wait until that
/// transaction is finished, and so would the stop.
async fn cannot_end(id: &InstanceId, access: &ClusterAccess<'_>) -> String {
    let sql = opentenbase::waits_for_a_page();
    let mut before: Option<String> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let rows = access.aside(id, &sql).await.ok();
        let row = rows.as_ref().and_then(Rows::first);
        let waiting = row.and_then(|row| row.get("waiting")?.parse::<u64>().ok()).filter(|waiting| *waiting > 0);
        let found = row.and_then(|row| row.get("gid").map(sanitize_for_display)).zip(waiting);
        let Some((gid, waiting)) = found else {
            before = None;
            continue;
        };
        // Twice, for sessions of a busy server wait for a moment.
        if before.as_deref() == Some(gid.as_str()) {
            let sessions = if waiting == 1 { "1 session waits" } else { &format!("{waiting} sessions wait") };
            return format!("a checkpoint of {id} does not end: {sessions} for a page behind {gid}, which is in doubt");
        }
        before = Some(gid);
    }
}

/// Stops, moves the staged fence into place and reads the control file, in one round trip.
pub(super) async fn stop(
    id: &InstanceId,
    fenced: bool,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let instance = access.instance(id)?;
    let commands = |patience: Duration| {
        let fence = || command::rename(&opentenbase::staged_fence(instance), &opentenbase::recovery_path(instance));
        let stop = command::stop(instance, Patience::from(patience));
        std::iter::once(stop).chain(fenced.then(fence)).collect::<Vec<Command>>()
    };
    if instance.kind == NodeKind::Gtm {
        let gone = command::gtm_pid_is_gone(instance);
        return stop_gtm(instance, &[commands(limit), vec![gone]].concat(), limit, access).await;
    }
    let stop = |patience: Duration| [commands(patience), vec![command::controldata(instance)]].concat();
    let output = match run_all(id, &stop(access.cluster.policy.fast_stop().min(limit)), limit, access).await {
        Err(Failed::NotDone(why)) => match shutdown(id, access).await {
            Shutdown::NotBegun => return Err(Failed::NotDone(why)),
            // A checkpoint is work that ends.
            Shutdown::Checkpoint => run_all(id, &stop(limit), limit, access).await?,
            Shutdown::Stuck => return stop_at_once(instance, fenced, access).await,
        },
        answer => answer?,
    };
    access.forget(id).await;
    let control = opentenbase::read_control(&output.text).map_err(|why| format!("pg_controldata of {id}: {why}"))?;
    if control.state != ControlState::ShutDown {
        return Err(Failed::NotDone(format!(
            "{id} did not stop cleanly: its control file says {:?}",
            control.state.words()
        )));
    }
    access.remember_last_wal(id, LastWal::Record(control.checkpoint)).await;
    Ok(())
}

/// Ends a server whose sessions do not end, fences it, and learns where its WAL ends. The move goes on once the standby
/// has replayed all of that, which is the next step's to prove; else it is taken back.
async fn stop_at_once(instance: &Instance, fenced: bool, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let id = &instance.id;
    let seconds = access.cluster.policy.fast_stop_seconds;
    let told = format!(
        "sessions of {id} did not end within {seconds} s of a fast stop (they may wait for a page behind a \
            transaction in doubt); otb stopped it with -m immediate"
    );
    let fence =
        fenced.then(|| command::rename(&opentenbase::staged_fence(instance), &opentenbase::recovery_path(instance)));
    let stop = command::stop_at_once(instance, Patience::from(AT_ONCE));
    let commands: Vec<Command> = std::iter::once(stop).chain(fence).chain([command::controldata(instance)]).collect();
    let last = async {
        let output = run_all(id, &commands, AT_ONCE + FILES, access).await?;
        access.forget(id).await;
        let control = opentenbase::read_control(&output.text)?;
        if control.state == ControlState::ShutDown {
            // Its last session ended in the same moment.
            return Ok(LastWal::Record(control.checkpoint));
        }
        let read = command::end_of_wal(instance, &control, Patience::from(FILES));
        let output = run_all(id, &[read], FILES, access).await?;
        Ok(LastWal::End(opentenbase::read_end_of_wal(&output.text, &control)?))
    };
    let last = last.await.map_err(|failed: Failed| Failed::NotDone(format!("{told}; {failed}")))?;
    access.remember_last_wal(id, last).await;
    access.note(format!("{told}. The move continues if the standby has all its WAL: {last}.")).await;
    Ok(())
}

/// State of a server that did not stop in time.
pub(in crate::apply) enum Shutdown {
    /// It serves, or has ended.
    NotBegun,
    /// It writes its shutdown checkpoint, or waits for what follows: the archiver and its standbys.
    Checkpoint,
    /// It takes no logins any more and waits for sessions: the postmaster asks for the checkpoint only after the last of
    /// them (PM_WAIT_BACKENDS, postmaster.c), and until then the control file says "in production".
    Stuck,
}

/// ProcessProbes at a coordinator or datanode that did not stop in time.
pub(in crate::apply) async fn shutdown(id: &InstanceId, access: &ClusterAccess<'_>) -> Shutdown {
    access.forget(id).await;
    let serves = Condition::Runs { instance: id.clone(), role: Role::Master };
    let ended = Condition::Stopped { instance: id.clone() };
    if condition::check(&serves, access).await == Found::Holds {
        return Shutdown::NotBegun;
    }
    // A server that cannot be seen is not stopped at once.
    match (condition::check(&ended, access).await, condition::control(id, access).await.map(|control| control.state)) {
        (Found::Fails(_), Ok(ControlState::InProduction)) => Shutdown::Stuck,
        (Found::Fails(_), Ok(ControlState::ShuttingDown | ControlState::ShutDown)) => Shutdown::Checkpoint,
        _ => Shutdown::NotBegun,
    }
}

/// Ends a server that takes no logins and does not stop.
pub(in crate::apply) async fn end_at_once(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), String> {
    let command = command::stop_at_once(access.instance(id)?, Patience::from(AT_ONCE));
    let ended = run_all(id, &[command], AT_ONCE, access).await.map(drop).map_err(|failed| failed.to_string());
    access.forget(id).await;
    ended
}

/// Asks how far the GTM's log goes while it can still say so, and stops it.
async fn stop_gtm(
    gtm: &Instance,
    commands: &[Command],
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let status = ask_gtm(&gtm.endpoint, ASK).await.map_err(|error| Failed::NotBegun(error.to_string()))?;
    run_all(&gtm.id, commands, limit, access).await?;
    access.remember_flush(&gtm.id, status.flushed).await;
    Ok(())
}

async fn catch_up_gtm(
    standby: &InstanceId,
    source: &InstanceId,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let position = access.remembered_flush(source).await;
    let position = position.ok_or_else(|| format!("the last WAL position that {source} flushed is not known"))?;
    let deadline = Instant::now() + limit.saturating_sub(ASK);
    loop {
        match condition::flushed(standby, position, access).await {
            Ok(Found::Holds) => return Ok(()),
            Ok(Found::Fails(why) | Found::Unknown(why)) | Err(why) if Instant::now() >= deadline => {
                return Err(Failed::NotDone(why));
            }
            _ => tokio::time::sleep(FINELY).await,
        }
    }
}

pub(super) async fn catch_up(
    standby: &InstanceId,
    source: &InstanceId,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    if access.instance(standby)?.kind == NodeKind::Gtm {
        return catch_up_gtm(standby, source, limit, access).await;
    }
    let last = super::last_wal(source, access).await?;
    let deadline = Instant::now() + limit.saturating_sub(ASK);
    let mut advanced = (Lsn::default(), Instant::now());
    loop {
        let why = match condition::replay(standby, access).await {
            Ok((Role::Master, _)) => return Err(Failed::NotDone(format!("{standby} runs as master"))),
            Ok((Role::Standby, replayed)) if last.is_held_by(replayed) => return Ok(()),
            Ok((Role::Standby, replayed)) => {
                if replayed > advanced.0 {
                    advanced = (replayed, Instant::now());
                }
                condition::behind(standby, replayed, last)
            }
            Err(why) => why,
        };
        // A server that was stopped at once has sent its last word.
        let stands_still = matches!(last, LastWal::End(_)) && advanced.1.elapsed() >= STANDS_STILL;
        if stands_still || Instant::now() >= deadline {
            return Err(Failed::NotDone(why));
        }
        tokio::time::sleep(FINELY).await;
    }
}
