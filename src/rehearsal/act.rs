//! A step's act on the simulated cluster, with the decisions around it that apply makes.

use crate::apply::{Failed, Found, Outcome, judge, left_of, not_begun};
use crate::model::{Condition, ControlState, Endpoint, InstanceId, Lsn, NodeKind, RouteChange};
use crate::opentenbase::{alter_gtm_node, alter_node, commit_that_waits, finish_in_doubt};
use crate::plan::{Action, RejoinMethod, Step};
use crate::sandbox::world::{Gtm, Postgres, Promotion, Reach, Recovery};

use super::condition::{check, is_gtm};
use super::fault::Fault;
use super::lab::Lab;

/// A failure of the next act itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Mishap {
    #[default]
    None,
    /// The command fails and does nothing.
    Refused,
    /// It runs, but its answer is lost.
    AnswerLost,
    /// It does not run, and its answer is lost too.
    RequestLost,
    /// It takes longer than its limit: it is carried out after otb has stopped waiting.
    Late,
}

/// When a fault strikes inside a step: what it was asked for has been proved, and what it does is still to be done or done
/// and not yet proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inside {
    BeforeTheAct,
    AfterTheAct,
}

pub(super) fn perform(
    lab: &mut Lab,
    step: &Step,
    action: &Action,
    established: &[Condition],
    (mishap, strike): (Mishap, Option<(Inside, &Fault)>),
) -> (Outcome, bool) {
    let open = step.before.iter().filter(|condition| !established.contains(condition));
    let unmet = open.map(|condition| (condition, check(lab, condition))).find(|(_, found)| *found != Found::Holds);
    if let Some((condition, found)) = unmet {
        return (not_begun(condition, &found), false);
    }
    let lost = || Err(Failed::Unknown("no answer".to_owned()));
    let strikes = |lab: &mut Lab, now: Inside| {
        strike.filter(|(inside, _)| *inside == now).is_some_and(|(_, fault)| fault.strike(lab))
    };
    let mut struck = strikes(lab, Inside::BeforeTheAct);
    let acted = match mishap {
        Mishap::None => act(lab, action),
        // Whatever becomes of the statement, the sessions end with it.
        _ if matches!(action, Action::Release { .. }) => act(lab, action),
        // Nothing is sent that could be refused.
        Mishap::Refused
            if matches!(action, Action::Prove { .. } | Action::ProveCommit { .. } | Action::AwaitRedo { .. }) =>
        {
            act(lab, action)
        }
        Mishap::Refused => Err(Failed::NotDone("the tool failed".to_owned())),
        Mishap::AnswerLost => {
            let _ = act(lab, action);
            lab.ended.remove(action.target());
            // Whoever hears nothing of the locks drops the sessions that have them.
            if matches!(action, Action::Hold { .. }) {
                lab.release();
            }
            lost()
        }
        Mishap::RequestLost | Mishap::Late => lost(),
    };
    struck |= strikes(lab, Inside::AfterTheAct);
    // The conditions that the stop itself has observed are not checked again.
    let has_ended = |lab: &Lab| matches!(action, Action::Stop { instance, .. } if lab.ended.contains_key(instance));
    let after = step.after.iter().filter(|_| !has_ended(lab)).filter_map(|condition| left_of(condition, action));
    let unmet = after.map(|condition| (condition.clone().into_owned(), check(lab, &condition)));
    let unmet = unmet.into_iter().find(|(_, found)| *found != Found::Holds);
    let outcome = judge(acted, unmet, !step.after.is_empty());
    if mishap == Mishap::Late {
        // Whoever comes next waits until it has ended.
        let _ = act(lab, action);
        lab.ended.remove(action.target());
    }
    (outcome, struck)
}

fn at(lab: &Lab, id: &InstanceId) -> Result<Endpoint, Failed> {
    lab.endpoint(id).cloned().ok_or_else(|| not_done("it is not declared"))
}

fn not_done(why: impl Into<String>) -> Failed {
    Failed::NotDone(why.into())
}

/// A command over the shell: its answer is lost if the server is cut off.
fn shell(lab: &Lab, id: &InstanceId) -> Result<(), Failed> {
    if lab.world.is_cut(&id.server) { Err(Failed::Unknown("the shell is cut off".to_owned())) } else { Ok(()) }
}

/// A statement: its answer is lost if the process is silent.
fn sql(lab: &mut Lab, id: &InstanceId, text: &str) -> Result<(), Failed> {
    if lab.world.is_silent(lab.disk(id)) {
        return Err(Failed::Unknown("no answer".to_owned()));
    }
    lab.sql(id, text).map_err(not_done)
}

fn act(lab: &mut Lab, action: &Action) -> Result<(), Failed> {
    match action {
        Action::StageFence { instance, upstream } => {
            shell(lab, instance)?;
            let to = at(lab, upstream)?;
            lab.files_of(instance).staged = Some(Recovery::to(&to, true));
            Ok(())
        }
        Action::Fence { instance, upstream } => {
            shell(lab, instance)?;
            let to = at(lab, upstream)?;
            lab.files_of(instance).recovery = Some(Recovery::to(&to, true));
            Ok(())
        }
        Action::Checkpoint { instance } => sql(lab, instance, "checkpoint"),
        Action::Stop { instance, fenced } => stop(lab, instance, *fenced),
        Action::End { instance } => end(lab, instance),
        Action::CatchUp { standby, source } => {
            let all = Condition::ReplayedAll { standby: standby.clone(), source: source.clone() };
            match check(lab, &all) {
                Found::Holds => Ok(()),
                Found::Fails(why) => Err(not_done(why)),
                Found::Unknown(why) => Err(Failed::Unknown(why)),
            }
        }
        Action::Salvage { standby, source, to, .. } => salvage(lab, standby, source, *to),
        Action::Promote { instance } => promote(lab, instance),
        Action::Restart { instance, unfence } => {
            shell(lab, instance)?;
            if *unfence {
                lab.files_of(instance).recovery = None;
            }
            lab.start(instance).map_err(not_done)
        }
        Action::RepointGtm { router, route, .. } => sql(lab, router, &statement(route)),
        Action::Reroute { router, routes } => {
            for change in routes.iter() {
                sql(lab, router, &statement(change))?;
            }
            Ok(())
        }
        Action::Reload { router } => sql(lab, router, "select pgxc_pool_reload()"),
        Action::Prove { .. } => Ok(()),
        Action::ProveCommit { instance } => prove_commit(lab, instance),
        Action::Settle { coordinator, .. } => sql(lab, coordinator, finish_in_doubt().as_str()),
        Action::Hold { coordinators, .. } => lab.hold(coordinators).map_err(not_done),
        Action::Release { .. } => {
            lab.release();
            Ok(())
        }
        Action::AwaitRedo { .. } => {
            lab.much_later();
            Ok(())
        }
        Action::Return { instance, upstream, method } => rejoin(lab, instance, upstream, *method, true),
        Action::Rejoin { instance, upstream, method, .. } => rejoin(lab, instance, upstream, *method, false),
    }
}

fn statement(change: &RouteChange) -> String {
    match change.kind {
        NodeKind::Gtm => alter_gtm_node(&change.node, &change.to),
        NodeKind::Coordinator | NodeKind::Datanode => alter_node(&change.node, &change.to, change.forward),
    }
    .to_string()
}

fn stop(lab: &mut Lab, id: &InstanceId, fenced: bool) -> Result<(), Failed> {
    shell(lab, id)?;
    let disk = lab.disk(id);
    if let Some(position) = lab.world.gtm(disk).map(Gtm::flushed) {
        return stop_gtm(lab, id, fenced, position);
    }
    if lab.world.is_hung(disk) {
        return Err(not_done("pg_ctl: server does not shut down"));
    }
    if lab.world.postgres(disk).is_none_or(|copy| copy.process.is_none()) {
        return Err(not_done("pg_ctl: PID file does not exist"));
    }
    let now = lab.now();
    if lab.world.is_stuck(disk) {
        let end = lab.world.postgres(disk).map(|copy| copy.wal.end()).unwrap_or_default();
        lab.ended.insert(id.clone(), end);
        lab.world.abort(disk, now);
    } else {
        lab.world.shut_down(disk, now);
    }
    if fenced {
        let files = lab.files_of(id);
        files.recovery = files.staged.take();
    }
    match lab.world.postgres(disk).map(|copy| copy.control.state) {
        Some(ControlState::ShutDown) => Ok(()),
        Some(_) if lab.ended.contains_key(id) => Ok(()),
        _ => Err(not_done("it did not stop cleanly")),
    }
}

/// SIGKILL reaches what hangs.
fn end(lab: &mut Lab, id: &InstanceId) -> Result<(), Failed> {
    shell(lab, id)?;
    let (disk, now) = (lab.disk(id), lab.now());
    if lab.world.word(disk) == "stopped" {
        return Err(not_done("its pid file does not exist"));
    }
    lab.world.kill(disk, now);
    let files = lab.files_of(id);
    if let Some(fence) = files.staged.take() {
        files.recovery = Some(fence);
    }
    Ok(())
}

/// The GTM itself must answer how far it has flushed.
fn stop_gtm(lab: &mut Lab, id: &InstanceId, fenced: bool, position: Lsn) -> Result<(), Failed> {
    let disk = lab.disk(id);
    match lab.world.word(disk) {
        "hung" | "stopped" => return Err(Failed::NotBegun("no answer".to_owned())),
        _ => lab.world.stop_gtm(disk),
    }
    let files = lab.files_of(id);
    if let Some(fence) = files.staged.take_if(|_| fenced) {
        files.recovery = Some(fence);
    }
    lab.flushed.insert(id.clone(), position);
    Ok(())
}

/// The standby is stopped, given the dead master's files, and started.
fn salvage(lab: &mut Lab, standby: &InstanceId, source: &InstanceId, to: Lsn) -> Result<(), Failed> {
    let done = Condition::ReplayedTo { standby: standby.clone(), source: source.clone(), position: to };
    match check(lab, &done) {
        Found::Holds => return Ok(()),
        Found::Fails(_) => {}
        Found::Unknown(why) => return Err(not_done(why)),
    }
    shell(lab, source)?;
    shell(lab, standby)?;
    let disk = lab.disk(standby);
    let now = lab.now();
    lab.world.shut_down(disk, now);
    let files = lab.world.postgres(lab.disk(source)).map(Postgres::wal_files).unwrap_or_default();
    for file in files {
        for (_, bytes) in file.parts {
            if let Ok(mark) = bytes.try_into() {
                lab.world.take_restored(disk, mark);
            }
        }
    }
    lab.start(standby).map_err(not_done)?;
    match check(lab, &done) {
        Found::Holds => Ok(()),
        Found::Fails(why) | Found::Unknown(why) => Err(not_done(why)),
    }
}

/// gtm_ctl promote is a signal, and says nothing of what became of it.
fn promote_gtm(lab: &mut Lab, id: &InstanceId) -> Result<(), Failed> {
    let (disk, now) = (lab.disk(id), lab.now());
    lab.world.promote_gtm(disk, now);
    lab.do_to_files();
    match lab.world.word(disk) {
        "master" => Ok(()),
        "stopped" => Err(not_done("gtm_ctl: PID file does not exist")),
        _ => Err(Failed::Unknown("it does not answer as the active one".to_owned())),
    }
}

fn promote(lab: &mut Lab, id: &InstanceId) -> Result<(), Failed> {
    shell(lab, id)?;
    if is_gtm(lab, id) {
        return promote_gtm(lab, id);
    }
    let writable = lab.recovery(id).is_none_or(|recovery| recovery.writable);
    let now = lab.now();
    let promotion = lab.world.promote(lab.disk(id), writable, now);
    let ended = match promotion {
        Promotion::Promoted => Ok(()),
        Promotion::Pending => Err(Failed::Unknown("it is still a standby; the request stays in force".to_owned())),
        Promotion::Died => Err(not_done("the server ended during the promotion")),
        Promotion::NotAStandby => Err(not_done("pg_ctl: not in standby mode")),
    };
    lab.do_to_files();
    ended
}

/// A commit that waits for ever is dropped by apply when its limit is over.
fn prove_commit(lab: &mut Lab, id: &InstanceId) -> Result<(), Failed> {
    sql(lab, id, commit_that_waits().as_str())?;
    let disk = lab.disk(id);
    let end = lab.world.postgres(disk).map_or(Lsn(0), |copy| copy.wal.end());
    if lab.world.is_synchronised(disk, end) { Ok(()) } else { Err(not_done("a commit that waits does not end")) }
}

fn rejoin(
    lab: &mut Lab,
    id: &InstanceId,
    upstream: &InstanceId,
    method: RejoinMethod,
    fence: bool,
) -> Result<(), Failed> {
    if method == RejoinMethod::Reconnect {
        return Ok(());
    }
    shell(lab, id)?;
    let to = Recovery::to(&at(lab, upstream)?, fence);
    let now = lab.now();
    let disk = lab.disk(id);
    if method == RejoinMethod::Unfence {
        lab.files_of(id).recovery = Some(to);
        return Ok(());
    }
    if is_gtm(lab, id) {
        lab.files_of(id).recovery = Some(to);
        if method == RejoinMethod::Repoint {
            lab.world.stop_gtm(disk);
        }
        let started = lab.start(id).map_err(not_done);
        // The step's end is awaited: another record of the master's.
        lab.much_later();
        return started;
    }
    if matches!(method, RejoinMethod::Repoint | RejoinMethod::Replace) {
        lab.world.shut_down(disk, now);
    }
    if matches!(method, RejoinMethod::BaseBackup | RejoinMethod::Replace) {
        let source = lab.disk(upstream);
        let to = at(lab, upstream)?;
        match lab.world.reach(&id.server, to.host.as_str(), to.port) {
            Reach::Live(_) => {}
            _ => return Err(not_done("pg_basebackup: could not connect")),
        }
        let copied = lab.world.base_backup(source, &id.server, now).ok_or_else(|| not_done("no source"))?;
        lab.disks.insert(id.clone(), copied);
    }
    lab.files_of(id).recovery = Some(to);
    lab.start(id).map_err(not_done)
}

/// Takes a step back, as apply does.
pub(super) fn take_back(lab: &mut Lab, step: &Step) -> Result<(), String> {
    let target = step.action.target().clone();
    if lab.world.is_cut(&target.server) {
        return Err("the shell is cut off".to_owned());
    }
    match &step.action {
        Action::StageFence { .. } => lab.files_of(&target).staged = None,
        Action::Fence { .. } => lab.files_of(&target).recovery = None,
        Action::Salvage { .. } if lab.world.word(lab.disk(&target)) == "stopped" => lab.start(&target)?,
        Action::Stop { fenced, .. } if lab.world.word(lab.disk(&target)) == "stopped" => {
            if *fenced {
                lab.files_of(&target).recovery = None;
            }
            lab.ended.remove(&target);
            lab.start(&target)?;
        }
        Action::End { .. } if lab.world.word(lab.disk(&target)) == "stopped" => {
            lab.files_of(&target).recovery = None;
            lab.start(&target)?;
        }
        _ => {}
    }
    Ok(())
}
