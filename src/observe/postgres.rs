//! The answers of a coordinator or datanode, in two round trips; a third one reads a table that otb has not read yet.

use crate::model::{Fact, Instance, InstanceFacts, NodeKind, Process, Role, SystemId, UnknownKind};
use crate::opentenbase::{self, Sql, query};
use crate::transport::{Connections, Deadline, Session, SqlError};

use super::Limits;
use super::answer::{self, Answer, fact};
use super::in_doubt;
use super::tables::Tables;
use super::vitals;

/// So many prepared transactions of one master are listed; the rest is counted.
const MOST_PREPARED: usize = 50;

/// Logs in and asks, all within one time limit. Whatever cannot be learned keeps the reason.
pub(super) async fn ask(
    connections: &Connections,
    instance: &Instance,
    limits: &Limits,
    tables: &Tables,
) -> InstanceFacts {
    let deadline = Deadline::from(limits.answer);
    let session = match connections.session(instance, limits.answer).await {
        Ok(session) => session,
        Err(error) => return no_session(&error),
    };
    let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "it was not asked");
    facts.process = Fact::Known(Process::Running);
    facts.version = match session.version() {
        Some(version) => Fact::Known(version.to_owned()),
        None => Fact::unknown(UnknownKind::Unreadable, "the login reported no server_version"),
    };
    let blocked = first_round(&session, instance.kind, deadline, &mut facts).await;
    facts.round_trip = match session.round_trip() {
        Some(took) => Fact::Known(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        None => Fact::not_asked("no query was answered"),
    };
    match blocked {
        Some(error) => nothing_more(&error, &mut facts),
        None => second_round(&session, instance.kind, deadline, tables, &mut facts).await,
    }
    session.close().await;
    facts
}

fn no_session(error: &SqlError) -> InstanceFacts {
    let unknown = error.unknown();
    let mut facts = InstanceFacts::unknown(unknown.kind, &unknown.why);
    // A server that starts up, shuts down or has no room says so: it runs.
    if error.proves_a_process() {
        facts.process = Fact::Known(Process::Running);
    }
    facts
}

/// Identity and role. SHOW and SET work while the GTM is down or silent, so they go first. Then comes the SELECT: if
/// it fails because of the GTM, no other SELECT will work (each would take a second to fail).
async fn first_round(
    session: &Session,
    kind: NodeKind,
    deadline: Deadline,
    facts: &mut InstanceFacts,
) -> Option<SqlError> {
    let mut questions = vec![query::node_name(), query::default_read_only(), query::read_only()];
    if kind == NodeKind::Datanode {
        questions.push(query::allow_dml());
    }
    questions.extend([query::stay_read_only(), query::role()]);
    let mut answers = session.query_all(&questions, deadline).await.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Ok(crate::transport::Rows::default()));
    let (name, default, read_only) = (next(), next(), next());
    let allow_dml = (kind == NodeKind::Datanode).then(&mut next);
    let (_set, role) = (next(), next());

    facts.node_name = fact(&name, answer::node_name);
    facts.role = fact(&role, answer::role);
    facts.started = fact(&role, answer::started);
    let error = role.err()?;
    if let Some(reports) = role_by_show(&default, &read_only, allow_dml.as_ref()) {
        facts.role = Fact::Known(reports);
    }
    (is_without_timestamp(&error, facts) || error.ends_session()).then_some(error)
}

/// Whether a SELECT failed because of the GTM: the server says so, or it is a master that answers SHOW, which takes no
/// snapshot, but does not answer a SELECT (a GTM host that drops packets; opentenbase-v2.6-live.md, "GTM").
fn is_without_timestamp(error: &SqlError, facts: &InstanceFacts) -> bool {
    match error {
        SqlError::Server(error) => opentenbase::is_want_of_timestamp(&error.sqlstate, &error.message),
        SqlError::TimedOut { .. } => facts.is_running(Role::Master),
        _ => false,
    }
}

/// The role by SHOW transaction_read_only, where nothing but the role can have made it so.
fn role_by_show(default: &Answer, read_only: &Answer, allow_dml: Option<&Answer>) -> Option<Role> {
    let word = |answer: &Answer| answer.as_ref().ok().and_then(|rows| rows.single().map(str::to_owned));
    let writable_if_master =
        word(default)? == "off" && allow_dml.is_none_or(|answer| word(answer).as_deref() == Some("on"));
    match word(read_only)?.as_str() {
        "off" => Some(Role::Master),
        "on" if writable_if_master => Some(Role::Standby),
        _ => None,
    }
}

async fn second_round(
    session: &Session,
    kind: NodeKind,
    deadline: Deadline,
    tables: &Tables,
    facts: &mut InstanceFacts,
) {
    let role = facts.role.known().copied();
    let mut questions =
        vec![query::system_id(), query::routes_digest(session.version()), query::settings(), query::load()];
    questions.extend(match role {
        Some(Role::Master) => [query::master_wal(), query::senders(), query::prepared(MOST_PREPARED)].to_vec(),
        Some(Role::Standby) => [query::standby_wal(), query::receiver()].to_vec(),
        None => Vec::<Sql>::new(),
    });
    let pool = kind == NodeKind::Coordinator && role == Some(Role::Master);
    if pool {
        questions.push(query::pool_check());
    }
    // Anybody else would only fill the server's log with errors, at every look.
    let superuser = session.is_superuser();
    questions.extend(superuser.then(query::pid_file));
    let mut answers = session.query_all(&questions, deadline).await;
    facts.pid_file = match superuser.then(|| answers.pop()).flatten() {
        Some(file) => fact(&file, |rows| opentenbase::read_pid_file(answer::one_word(rows)?)),
        None => Fact::not_asked("only a superuser may read it"),
    };
    let [system_id, digest, settings, load, rest @ ..] = answers.as_slice() else { return };
    facts.system_id = fact(system_id, answer::parsed::<SystemId>);
    facts.routes = tables.of(session, digest, deadline).await;
    facts.settings = match load {
        Ok(load) => fact(settings, |rows| vitals::settings(rows, load)),
        Err(error) => error.fact(),
    };
    facts.load = fact(load, vitals::load);
    match (role, rest) {
        (Some(Role::Master), [wal, senders, prepared, ..]) => {
            facts.wal_end = fact(wal, answer::master_lsn);
            facts.timeline = fact(wal, answer::master_timeline);
            facts.senders = fact(senders, answer::senders);
            facts.prepared = fact(prepared, in_doubt::prepared);
            facts.standby = Fact::not_asked("it is a master");
        }
        (Some(Role::Standby), [wal, receiver, ..]) => read_standby(wal, receiver, facts),
        _ => {}
    }
    facts.pool_agrees = match rest.last() {
        Some(check) if pool => fact(check, |rows| answer::truth(answer::one_word(rows)?)),
        _ => Fact::not_asked("only a coordinator that is a master can report it"),
    };
}

fn read_standby(wal: &Answer, receiver: &Answer, facts: &mut InstanceFacts) {
    facts.standby = match receiver {
        Ok(receiver) => fact(wal, |wal| answer::standby(wal, receiver)),
        Err(error) => error.fact(),
    };
    facts.wal_end = match facts.standby.known() {
        Some(standby) => match standby.replayed {
            Some(replayed) => Fact::Known(replayed),
            None => Fact::unknown(UnknownKind::Unreadable, "it has replayed nothing yet"),
        },
        None => facts.standby.map(|_| crate::model::Lsn(0)),
    };
    facts.timeline = fact(receiver, answer::received_timeline);
    facts.senders = Fact::not_asked("it is a standby");
    facts.prepared = Fact::not_asked("it is a standby");
}

/// The same reason for everything that was still to be asked.
fn nothing_more(error: &SqlError, facts: &mut InstanceFacts) {
    let mut unknown = error.unknown();
    if is_without_timestamp(error, facts) {
        unknown.kind = UnknownKind::NoTimestamp;
    }
    facts.system_id = Fact::Unknown(unknown.clone());
    facts.pid_file = Fact::Unknown(unknown.clone());
    facts.routes = Fact::Unknown(unknown.clone());
    facts.wal_end = Fact::Unknown(unknown.clone());
    facts.timeline = Fact::Unknown(unknown.clone());
    facts.standby = Fact::Unknown(unknown.clone());
    facts.senders = Fact::Unknown(unknown.clone());
    facts.pool_agrees = Fact::Unknown(unknown.clone());
    facts.settings = Fact::Unknown(unknown.clone());
    facts.prepared = Fact::Unknown(unknown.clone());
    facts.load = Fact::Unknown(unknown);
}
