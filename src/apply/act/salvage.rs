//! Salvage: the WAL that a dead master wrote last is brought to its standby, which replays it before it is promoted.

use std::time::{Duration, Instant};

use super::{Failed, run_all, settle};
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::apply::condition::{self, Found, Wait};
use crate::model::{Condition, Control, Instance, InstanceId, Lsn, Role, Timeline};
use crate::opentenbase::command::{self, Patience};
use crate::opentenbase::salvage::{self, Piece, SalvageRange, WalPart};
use crate::opentenbase::{Command, Script, read_end_of_wal, sanitize_for_display};
use crate::plan::START;

/// Limit of a script that reads, writes or checks at most one WAL file.
const ONE_FILE: Duration = Duration::from_secs(60);

/// How long a standby may take to answer again after its restart, or after a salvage was taken back.
const SERVES: Duration = Duration::from_secs(120);

/// How often the replay position is asked for while the node has no master.
const FINELY: Duration = Duration::from_millis(10);

/// How long replay may stand still short of the end.
const STANDS_STILL: Duration = Duration::from_secs(30);

/// The result that a salvage must reach.
pub(super) struct Wanted<'a> {
    pub standby: &'a InstanceId,
    pub source: &'a InstanceId,
    pub timeline: Timeline,
    pub to: Lsn,
    pub segment_bytes: u32,
}

/// Stages what the standby lacks, restarts it, and waits until it has replayed to the end of the dead master's WAL.
pub(super) async fn salvage(wanted: &Wanted<'_>, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let Wanted { standby, source, to, .. } = *wanted;
    let deadline = Instant::now() + limit;
    let control = source_as_planned(wanted, access).await.map_err(Failed::NotBegun)?;
    let (role, replayed) = condition::replay(standby, access).await.map_err(Failed::NotBegun)?;
    if role == Role::Master {
        return Err(Failed::NotBegun(format!("{standby} runs as master")));
    }
    if replayed >= to {
        return Ok(());
    }
    let range = SalvageRange { timeline: wanted.timeline, from: replayed, to, segment_bytes: wanted.segment_bytes };
    let way = Way { access, standby: access.instance(standby)?, source: access.instance(source)? };
    way.stage(&range, &control, deadline).await?;
    let own = read_conf(standby, access).await.map_err(begun)?;
    restart(way.standby, &salvage::with_salvage(&own, way.standby), access).await.map_err(begun)?;
    replay_to(wanted, deadline, access).await?;
    let own = salvage::without_salvage(&own);
    let end = [salvage::write_own_recovery_conf(way.standby, own), salvage::end_staging(way.standby)];
    run_all(standby, &end, ONE_FILE, access).await.map(drop).map_err(begun)
}

/// Something is staged by now: a script that was not sent is no reason to leave that there.
fn begun(failed: Failed) -> Failed {
    match failed {
        Failed::NotBegun(why) | Failed::NotDone(why) => Failed::NotDone(why),
        unknown @ Failed::Unknown(_) => unknown,
    }
}

/// The source's control file, if it belongs to the standby's system and its WAL still ends where the plan says.
async fn source_as_planned(wanted: &Wanted<'_>, access: &ClusterAccess<'_>) -> Result<Control, String> {
    let Wanted { standby, source, timeline, to, segment_bytes } = *wanted;
    let (its, own) = tokio::join!(condition::control(source, access), condition::control(standby, access));
    let (its, own) = (its?, own?);
    if its.system_id != own.system_id {
        let (its, own) = (its.system_id, own.system_id);
        return Err(format!("the directory of {source} has system identifier {its}, but {standby} has {own}"));
    }
    if its.timeline != timeline || its.wal_segment_bytes != segment_bytes {
        let (timeline, bytes) = (its.timeline, its.wal_segment_bytes);
        return Err(format!("{source} is on timeline {timeline} now, with WAL files of {bytes} bytes"));
    }
    let look = command::end_of_wal(access.instance(source)?, &its, Patience::from(ONE_FILE));
    let output = run_all(source, &[look], ONE_FILE, access).await.map_err(|failed| failed.to_string())?;
    let end = read_end_of_wal(&output.text, &its)?;
    match salvage::end_of_last_record(end, segment_bytes) {
        end if end == to => Ok(its),
        end => Err(format!("the WAL of {source} ends at {end}; when the plan was made it ended at {to}")),
    }
}

/// Between two servers the bytes travel through otb: no login from one to the other is needed.
struct Way<'a> {
    access: &'a ClusterAccess<'a>,
    standby: &'a Instance,
    source: &'a Instance,
}

impl Way<'_> {
    async fn stage(&self, range: &SalvageRange, control: &Control, deadline: Instant) -> Result<(), Failed> {
        self.write(&[salvage::begin_staging(self.standby)], "begins staging").await?;
        for part in range.parts() {
            if Instant::now() >= deadline {
                return Err(Failed::NotDone("the time limit ended before all WAL files were staged".to_owned()));
            }
            self.stage_part(&part, control).await?;
        }
        Ok(())
    }

    /// While one piece is written the next one is read.
    async fn stage_part(&self, part: &WalPart, control: &Control) -> Result<(), Failed> {
        let pieces = part.pieces();
        let describe = salvage::describe_part(self.source, part);
        let first = async {
            match pieces.first() {
                Some(piece) => self.read(part, *piece).await.map(Some),
                None => Ok(None),
            }
        };
        let (described, first) = tokio::join!(self.look(&describe, "describes a WAL file"), first);
        let sum = salvage::read_part(&described?, part, control.system_id, control.timeline)?;
        let mut carried = first?;
        let mut commands = vec![salvage::begin_part(self.standby, part)];
        for next in pieces.iter().skip(1).map(Some).chain([None]) {
            commands.extend(carried.take().map(|piece| salvage::append_piece(self.standby, part, &piece)));
            if next.is_none() {
                commands.push(salvage::seal_part(self.standby, part, &sum));
            }
            let about = format!("stages a piece of WAL file {}", part.name);
            let read = async {
                match next {
                    Some(piece) => self.read(part, *piece).await.map(Some),
                    None => Ok(None),
                }
            };
            let (written, read) = tokio::join!(self.write(&commands, &about), read);
            written?;
            carried = read?;
            commands.clear();
        }
        Ok(())
    }

    async fn read(&self, part: &WalPart, piece: Piece) -> Result<String, Failed> {
        let text = self.look(&salvage::read_piece(self.source, part, piece), "reads a piece of a WAL file").await?;
        let text =
            salvage::check_piece(&text, piece).map_err(|why| format!("{} of {}: {why}", part.name, self.source.id))?;
        Ok(text.to_owned())
    }

    /// Reads on the dead master's server. Nothing there is changed, so a lost answer is no mishap.
    async fn look(&self, command: &Command, about: &str) -> Result<String, Failed> {
        let (source, shells) = (self.source, &self.access.connections.shells);
        let script = Script::at(source).then(command);
        let output = shells.carry(&source.id.server, script.as_str(), about, ONE_FILE).await;
        let output = output.map_err(|error| Failed::NotDone(error.to_string()))?;
        if output.is_success() {
            return Ok(output.text);
        }
        let (server, said) = (&source.id.server, sanitize_for_display(output.said()));
        Err(Failed::NotDone(format!("could not read the WAL of {} on {server}: {said}", source.id)))
    }

    async fn write(&self, commands: &[Command], about: &str) -> Result<(), Failed> {
        let (standby, shells) = (self.standby, &self.access.connections.shells);
        let script = commands.iter().fold(Script::alone_at(standby, Patience::from(ONE_FILE)), Script::then);
        let output = shells.carry(&standby.id.server, script.as_str(), about, ONE_FILE).await;
        let output = output.map_err(|error| begun(error.into()))?;
        if output.is_success() {
            return Ok(());
        }
        let (server, said) = (&standby.id.server, sanitize_for_display(output.said()));
        Err(Failed::NotDone(format!("could not stage the WAL for {} on {server}: {said}", standby.id)))
    }
}

async fn read_conf(standby: &InstanceId, access: &ClusterAccess<'_>) -> Result<String, Failed> {
    let read = [crate::opentenbase::read_recovery_file(access.instance(standby)?)];
    Ok(run_all(standby, &read, ASK, access).await?.text)
}

/// One script: should otb end, the standby runs again.
async fn restart(standby: &Instance, conf: &str, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let patience = Patience::from(START);
    let commands = [
        command::stop(standby, patience),
        salvage::write_salvage_conf(standby, conf),
        command::start(standby, patience),
    ];
    access.forget(&standby.id).await;
    run_all(&standby.id, &commands, START, access).await.map(drop)
}

/// Waits until the standby has replayed to the end; not for long where it does not get any further.
async fn replay_to(wanted: &Wanted<'_>, deadline: Instant, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let Wanted { standby, to, .. } = *wanted;
    let (mut reached, mut since) = (Lsn(0), Instant::now());
    loop {
        let why = match condition::replay(standby, access).await {
            Ok((Role::Standby, replayed)) if replayed >= to => return Ok(()),
            Ok((Role::Standby, replayed)) => {
                if replayed > reached {
                    (reached, since) = (replayed, Instant::now());
                }
                format!("{standby} replays only to {replayed}, but the salvaged WAL ends at {to}: read its log")
            }
            Ok((Role::Master, _)) => return Err(Failed::Unknown(format!("{standby} runs as master"))),
            Err(why) => why,
        };
        if Instant::now() >= deadline || since.elapsed() >= STANDS_STILL {
            return Err(Failed::NotDone(why));
        }
        tokio::time::sleep(FINELY).await;
    }
}

/// Gives the standby its own recovery.conf back, restarts it where it had another one, and removes what was staged. WAL
/// that it has replayed stays replayed: it is the dead master's.
pub(in crate::apply) async fn undo(standby: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), String> {
    let instance = access.instance(standby)?;
    let text = |failed: Failed| failed.to_string();
    settle(standby, SERVES, access).await.map_err(text)?;
    let conf = read_conf(standby, access).await.map_err(text)?;
    let own = salvage::without_salvage(&conf);
    access.forget(standby).await;
    let stopped = condition::check(&Condition::Stopped { instance: standby.clone() }, access).await == Found::Holds;
    let changed = own.len() != conf.len();
    let patience = Patience::from(SERVES);
    let stop = (changed && !stopped).then(|| command::stop(instance, patience));
    let write = changed.then(|| salvage::write_own_recovery_conf(instance, own));
    let start = (changed || stopped).then(|| command::start(instance, patience));
    let commands: Vec<Command> =
        [stop, write, Some(salvage::end_staging(instance)), start].into_iter().flatten().collect();
    let ran = run_all(standby, &commands, SERVES, access).await.map(drop).map_err(text);
    let serves = Condition::Runs { instance: standby.clone(), role: Role::Standby };
    match condition::wait(&serves, access, Wait::until(SERVES, Duration::from_millis(100))).await {
        Found::Holds => ran,
        Found::Fails(why) | Found::Unknown(why) => Err(ran.err().unwrap_or(why)),
    }
}
