//! Seeing that it works: sessions warmed before anything stops, statements through coordinators afterwards,
//! standbys that stream.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::act;
use super::cluster_access::{ASK, ClusterAccess, Identity};
use super::condition::Found;
use crate::model::{Condition, Endpoint, InstanceId, NodeKind, NodeName, Role, Spelling};
use crate::opentenbase::{self, Sql, query};
use crate::plan::{Action, Plan};
use crate::transport::{Rows, SqlError, ask_gtm};

/// Opens every session and shell the run will need, before anything is interrupted, and makes sure that the
/// routers let otb alter them: a refusal must come now, not inside the write gap.
pub(super) async fn warm_up(plan: &Plan, access: &ClusterAccess<'_>) -> Result<(), String> {
    let promoted: Vec<&InstanceId> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Promote { .. } | Action::Restart { .. }))
        .map(|step| step.action.target())
        .collect();
    let routers = plan.steps.iter().filter_map(|step| match &step.action {
        Action::RepointGtm { router, .. } | Action::Reroute { router, .. } | Action::Reload { router }
            if !promoted.contains(&router) =>
        {
            Some(router)
        }
        _ => None,
    });
    let superuser = routers.collect::<BTreeSet<_>>().into_iter().map(|router| may_alter(router, access));
    let shells =
        plan.steps.iter().filter(|step| act::needs_shell(&step.action)).map(|step| &step.action.target().server);
    let shells = shells.collect::<BTreeSet<_>>().into_iter().map(|server| async move {
        access.connections.shells.open(server, ASK).await.map_err(|error| format!("no shell on {server}: {error}"))
    });
    let standbys = promoted.iter().map(|id| async move {
        let is_pg = access.instance(id)?.kind != NodeKind::Gtm;
        // A stopped master that is to be started again has no session yet.
        if is_pg {
            let _ = access.warm(id).await;
            let _ = access.warm_witness(id).await;
        }
        Ok(())
    });
    let (routers, shells, standbys) =
        futures_util::future::join3(join_all(superuser), join_all(shells), join_all(standbys)).await;
    let failures: Vec<String> = routers.into_iter().chain(shells).chain(standbys).filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

async fn may_alter(router: &InstanceId, access: &ClusterAccess<'_>) -> Result<(), String> {
    let rows = access.query(router, &query::is_superuser(), ASK).await.map_err(|error| format!("{router}: {error}"))?;
    match rows.single() {
        Some("on") => Ok(()),
        _ => Err(format!(
            "{router}: user {} is not a superuser there, and ALTER NODE requires one",
            access.cluster.connection.user
        )),
    }
}

/// Whether a new session gets a timestamp: any SELECT on a master requires one. An existing session would prove less,
/// because it may still have a connection to the old GTM.
pub(super) async fn gets_timestamp(router: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let session = access.connections.session(access.instance(router)?, ASK).await.map_err(|error| error.to_string())?;
    let answer = session.query(&query::role(), ASK).await;
    session.close().await;
    Ok(match answer {
        Ok(_) => Found::Holds,
        Err(error) => Found::Fails(error.to_string()),
    })
}

/// The answers of the nodes behind each coordinator.
pub(super) struct CoordinatorReachability(BTreeMap<InstanceId, BTreeMap<NodeName, Result<Option<Identity>, String>>>);

impl CoordinatorReachability {
    /// Asks what the proofs among `conditions` need: of each coordinator in one round trip, for it may be far away and
    /// many nodes may have moved.
    pub(super) async fn ask(conditions: &[Condition], access: &ClusterAccess<'_>) -> Self {
        let mut asked: BTreeMap<&InstanceId, BTreeSet<&NodeName>> = BTreeMap::new();
        let mut meant: BTreeSet<&InstanceId> = BTreeSet::new();
        for condition in conditions {
            if let Condition::Reached { coordinator, instance } = condition {
                asked.entry(coordinator).or_default().insert(&instance.node);
                meant.insert(instance);
            }
        }
        let answers = asked.into_iter().map(|(coordinator, nodes)| async move {
            (coordinator.clone(), through(coordinator, nodes, access).await)
        });
        // Meanwhile otb also learns and remembers the process that a direct connection finds; it asks a node again
        // that does not answer.
        let direct = join_all(meant.into_iter().map(|instance| access.identity(instance, None)));
        let (answers, _) = join(join_all(answers), direct).await;
        Self(answers.into_iter().collect())
    }

    /// Whether a statement through `coordinator` reached exactly the process that a direct connection to `instance`
    /// finds. The start time identifies a process. Unlike inet_server_addr() it is not NULL when the pooler uses the
    /// unix socket (opentenbase-v2.6-live.md, "Routes and poolers").
    pub(super) async fn reached(
        &self,
        coordinator: &InstanceId,
        instance: &InstanceId,
        access: &ClusterAccess<'_>,
    ) -> Result<Found, String> {
        let through = match self.0.get(coordinator).and_then(|nodes| nodes.get(&instance.node)) {
            Some(Ok(identity)) => identity.as_ref(),
            // The pooler's first statements after a move may fail (opentenbase-v2.6-live.md, "Routes and poolers"), so
            // otb asks again.
            Some(Err(error)) => {
                return Ok(Found::Fails(format!("{coordinator} does not reach {}: {error}", instance.node)));
            }
            None => return Err(format!("{coordinator} was not asked about {}", instance.node)),
        };
        let mut direct = access.identity(instance, None).await.map_err(|e| e.to_string())?;
        if direct.as_ref() != through {
            // The process may have restarted since it was asked.
            direct = access.identity(instance, direct.as_ref()).await.map_err(|e| e.to_string())?;
        }
        if through.is_some() && through == direct.as_ref() {
            return Ok(Found::Holds);
        }
        let words = |identity: Option<&Identity>| identity.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let (through, direct) = (words(through), words(direct.as_ref()));
        Ok(Found::Fails(format!(
            "{coordinator} reaches another process of {}: {through}, but {instance} is {direct}",
            instance.node
        )))
    }
}

/// Sends a statement to each of `nodes` through `coordinator`.
async fn through(
    coordinator: &InstanceId,
    nodes: BTreeSet<&NodeName>,
    access: &ClusterAccess<'_>,
) -> BTreeMap<NodeName, Result<Option<Identity>, String>> {
    /// The pooler connects to one node after the other.
    const EACH: Duration = Duration::from_millis(100);
    let questions: Vec<Sql> = nodes.iter().map(|node| opentenbase::execute_direct(node, &query::role())).collect();
    let limit = ASK + EACH * u32::try_from(questions.len()).unwrap_or(u32::MAX);
    let answers = access.query_all(coordinator, &questions, limit).await;
    let read = |answer: Result<Rows, SqlError>| answer.map(|rows| Identity::read(&rows)).map_err(|e| e.to_string());
    nodes.into_iter().cloned().zip(answers.into_iter().map(read)).collect()
}

/// Whether `standby` has a WAL receiver that streams from `upstream`, and goes on doing so: a receiver that
/// is turned down (forked WAL) shows as streaming only for a moment.
pub(super) async fn streams(
    standby: &InstanceId,
    upstream: &InstanceId,
    access: &ClusterAccess<'_>,
) -> Result<Found, String> {
    const STILL: Duration = Duration::from_millis(250);
    let first = streams_now(standby, upstream, access).await?;
    if first != Found::Holds {
        return Ok(first);
    }
    tokio::time::sleep(STILL).await;
    streams_now(standby, upstream, access).await
}

async fn streams_now(standby: &InstanceId, upstream: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let wanted = &access.instance(upstream)?.endpoint;
    if access.instance(standby)?.kind == NodeKind::Gtm {
        return gtm_streams(standby, upstream, access).await;
    }
    let rows = access.query(standby, &query::receiver(), ASK).await.map_err(|e| e.to_string())?;
    let Some(row) = rows.first() else {
        return Ok(Found::Fails(format!("{standby} has no WAL receiver: read its log")));
    };
    let status = row.get("status").unwrap_or_default();
    let leads = row.get("conninfo").and_then(opentenbase::read_conninfo);
    if status == "streaming" && leads.as_ref().is_some_and(|leads| Spelling::is_same(&access.spellings, leads, wanted))
    {
        return Ok(Found::Holds);
    }
    let leads = leads.map_or_else(|| "nobody".to_owned(), |endpoint| endpoint.to_string());
    Ok(Found::Fails(format!("the WAL receiver of {standby} is {status} from {leads}, not streaming from {wanted}")))
}

/// Whether a GTM standby runs as one, its master lists it, and it has flushed more than it had when it was first
/// observed on that list. The list is not enough: a standby that has not replayed a record yet must not be promoted,
/// and one that follows a GTM with a broken log is listed and ends a second later (seen live). An idle GTM writes a
/// record every five seconds. otb asks the master first, because a standby that still copies its master's state
/// accepts connections but does not answer (seen live).
async fn gtm_streams(standby: &InstanceId, upstream: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let (own, master) = (access.instance(standby)?, access.instance(upstream)?);
    let active = ask_gtm(&master.endpoint, ASK).await.map_err(|error| error.to_string())?;
    let status = ask_gtm(&own.endpoint, ASK).await.map_err(|error| error.to_string())?;
    if status.role != Role::Standby {
        return Ok(Found::Fails(format!("{standby} runs as {}", status.role)));
    }
    let others = access.cluster.nodes.get(&standby.node).into_iter().flat_map(|node| node.instances.values());
    let others: Vec<_> = others.filter(|other| other.id != *upstream && other.id != *standby).collect();
    let asked = join_all(others.iter().map(|other| ask_gtm(&other.endpoint, ASK))).await;
    let runs = others.iter().zip(&asked).filter(|(_, said)| said.as_ref().is_ok_and(|s| s.role == Role::Standby));
    let all: Vec<&Endpoint> = runs.map(|(other, _)| &other.endpoint).chain([&own.endpoint]).collect();
    let names: Vec<&str> = active.standbys.iter().map(|listed| listed.name.as_str()).collect();
    if !opentenbase::gtm_lists(&names, &own.endpoint, &all) {
        let lists = if names.is_empty() { "no standby".to_owned() } else { names.join(", ") };
        let (runs, more) = (all.len(), if all.len() == 1 { "runs" } else { "run" });
        let why = format!("{upstream} lists {lists}, and {runs} {more}: read the log of {standby}");
        return Ok(Found::Fails(why));
    }
    // Not before it is on the list, and not another one of the same name: what it had copied until then counts as new.
    let mark = access.attached_at(standby, active.flushed).await;
    if status.flushed > mark {
        return Ok(Found::Holds);
    }
    let flushed = status.flushed;
    Ok(Found::Fails(format!("{standby} has flushed to {flushed}, and received nothing new since {mark}: read its log")))
}
