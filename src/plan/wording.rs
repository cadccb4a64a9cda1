//! The statements of a step, word for word: SQL behind `dn01@s29=>`, commands behind `s29$`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::limits;
use super::lines::Lines;
use super::salvage_wording as salvage;
use super::step::{Action, RejoinMethod};
use crate::model::{Cluster, Instance, InstanceId, NodeKind, RouteChange};
use crate::opentenbase::command::{self, Patience};
use crate::opentenbase::{self, Command, Sql, query};

type Routes = Vec<RouteChange>;

/// The statements of reroutes put into words so far, by the routes that routers share, which are kept beside them.
#[derive(Debug, Default)]
pub(super) struct Worded(BTreeMap<*const Routes, (Arc<Routes>, Arc<Vec<String>>)>);

impl Worded {
    /// The statements or commands of `action`, in order.
    pub(super) fn run(&mut self, cluster: &Cluster, action: &Action) -> Lines {
        let Action::Reroute { router, routes } = action else { return run(cluster, action).into() };
        let alter = |change: &RouteChange| {
            format!("{}{}", opentenbase::alter_node(&change.node, &change.to, change.forward), only(change))
        };
        let said = || (Arc::clone(routes), Arc::new(routes.iter().map(alter).collect()));
        let (_, lines) = self.0.entry(Arc::as_ptr(routes)).or_insert_with(said);
        Lines::new(format!("{router}=> "), Arc::clone(lines))
    }
}

/// The statements or commands of `action`, in order.
fn run(cluster: &Cluster, action: &Action) -> Vec<String> {
    let Some(target) = cluster.instance(action.target()) else { return Vec::new() };
    let upstream =
        |id: &InstanceId| cluster.instance(id).map(|instance| instance.endpoint.to_string()).unwrap_or_default();
    let patience = Patience::from(limits::of(action));
    match action {
        Action::StageFence { upstream: master, .. } => {
            vec![conf(target, &opentenbase::staged_fence(target), &upstream(master))]
        }
        Action::Fence { upstream: master, .. } => {
            vec![conf(target, &opentenbase::recovery_path(target), &upstream(master))]
        }
        Action::Checkpoint { .. } => vec![sql(target, &opentenbase::checkpoint())],
        Action::Stop { fenced, .. } => stop(target, *fenced, cluster.policy.fast_stop()),
        Action::End { .. } => {
            let fence = command::rename(&opentenbase::staged_fence(target), &opentenbase::recovery_path(target));
            [command::end(target), fence].map(|command| shell(target, &command)).to_vec()
        }
        Action::AwaitRedo { upstream, .. } => {
            [upstream, &target.id].map(|id| gtm_asked(id, "status, how far it has flushed")).to_vec()
        }
        Action::CatchUp { .. } | Action::Promote { .. } if target.kind == NodeKind::Gtm => promote_gtm(target, action),
        Action::CatchUp { .. } => vec![sql(target, &query::replayed())],
        Action::Salvage { source, .. } => {
            action.salvage_range().map_or_else(Vec::new, |range| salvage::run(target, source, &range))
        }
        Action::Promote { .. } => vec![shell(target, &command::promote(target)), sql(target, &query::role())],
        Action::Restart { unfence, .. } => {
            let unfence = unfence.then(|| shell(target, &opentenbase::lift_fence(target)));
            unfence.into_iter().chain([shell(target, &command::start(target, patience))]).collect()
        }
        Action::RepointGtm { route, .. } => {
            vec![sql(target, &opentenbase::alter_gtm_node(&route.node, &route.to)) + only(route)]
        }
        // These are many, and shared: see Worded.
        Action::Reroute { .. } => Vec::new(),
        Action::Reload { .. } => vec![sql(target, &opentenbase::pool_reload())],
        Action::Prove { instances, .. } => {
            instances.iter().map(|id| sql(target, &opentenbase::execute_direct(&id.node, &query::role()))).collect()
        }
        Action::Settle { masters, .. } => settle(cluster, target, masters),
        Action::Hold { coordinators, .. } => hold(coordinators),
        Action::Release { coordinators, .. } => {
            vec![format!("{}=> {}", listed(coordinators), opentenbase::release_hold())]
        }
        Action::ProveCommit { .. } => {
            vec![sql(target, &query::senders()), sql(target, &opentenbase::commit_that_waits())]
        }
        Action::Return { upstream: master, method, .. } => {
            rejoin(target, cluster.instance(master), (*method, &[]), &cluster.connection.user)
        }
        Action::Rejoin { upstream: master, method, keeps, .. } => {
            rejoin(target, cluster.instance(master), (*method, keeps), &cluster.connection.user)
        }
    }
}

/// Follows the statement of a row that is read first.
fn only(change: &RouteChange) -> &'static str {
    if change.unread { "   (only if it differs)" } else { "" }
}

/// Every coordinator gets the same statements, in each database.
fn hold(coordinators: &[InstanceId]) -> Vec<String> {
    let all = listed(coordinators);
    vec![
        format!("{all}=> {}   (in each database, a session of its own)", opentenbase::client_tables()),
        format!(
            "{all}=> {}   (a session with remotetype=coordinator: it stays local)",
            opentenbase::hold_tables_in_words(limits::HOLD_ATTEMPT)
        ),
    ]
}

fn listed(instances: &[InstanceId]) -> String {
    instances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Every master is asked the same.
fn settle(cluster: &Cluster, coordinator: &Instance, masters: &[InstanceId]) -> Vec<String> {
    let all = listed(masters);
    let database = &cluster.connection.database;
    vec![
        format!("{all}=> {}", query::prepared(opentenbase::MOST_PREPARED)),
        format!(
            "{}=> {}   (only for what is still prepared after {} s; in each database, {database} and others)",
            coordinator.id,
            opentenbase::finish_in_doubt(),
            opentenbase::LEAST_AGE_SECONDS
        ),
    ]
}

fn stop(target: &Instance, fenced: bool, limit: Duration) -> Vec<String> {
    let mut lines = vec![shell(target, &command::stop(target, limit.into()))];
    if fenced {
        lines.push(shell(
            target,
            &command::rename(&opentenbase::staged_fence(target), &opentenbase::recovery_path(target)),
        ));
    }
    lines.push(match target.kind {
        NodeKind::Gtm => shell(target, &command::gtm_pid_is_gone(target)),
        NodeKind::Coordinator | NodeKind::Datanode => shell(target, &command::controldata(target)),
    });
    lines
}

/// A GTM is asked over its own protocol, which has no text.
fn gtm_asked(id: &InstanceId, what: &str) -> String {
    format!("{id}=> GTM protocol: {what}")
}

fn promote_gtm(target: &Instance, action: &Action) -> Vec<String> {
    match action {
        Action::Promote { .. } => {
            vec![shell(target, &command::promote(target)), gtm_asked(&target.id, "status, its role")]
        }
        _ => vec![gtm_asked(&target.id, "status, how far it has flushed")],
    }
}

fn rejoin(
    target: &Instance,
    upstream: Option<&Instance>,
    (method, keeps): (RejoinMethod, &[String]),
    user: &str,
) -> Vec<String> {
    let Some(upstream) = upstream else { return Vec::new() };
    let path = opentenbase::recovery_path(target);
    let write = conf(target, &path, &upstream.endpoint.to_string());
    // The names only: values may be secrets.
    let kept = if keeps.is_empty() { String::new() } else { format!(", with its own {}", keeps.join(", ")) };
    let old = (!keeps.is_empty()).then(|| shell(target, &opentenbase::keep_old_recovery_conf(&path)));
    let write = || old.iter().cloned().chain([format!("{write}{kept}")]);
    let start = shell(target, &command::start(target, limits::START.into()));
    match method {
        RejoinMethod::Reconnect => vec![sql(target, &query::receiver())],
        RejoinMethod::Unfence => write().collect(),
        RejoinMethod::InPlace => write().chain([start]).collect(),
        RejoinMethod::Repoint => {
            write().chain([shell(target, &command::stop(target, limits::START.into())), start]).collect()
        }
        RejoinMethod::BaseBackup | RejoinMethod::Replace => {
            let stop = (method == RejoinMethod::Replace).then(|| command::stop(target, limits::START.into()));
            let commands = stop.into_iter().chain(opentenbase::rebuild(target, &upstream.endpoint, user, ""));
            let kept =
                (!keeps.is_empty()).then(|| format!("{}$ keep in the new recovery.conf{kept}", target.id.server));
            commands.map(|command| shell(target, &command)).chain(kept).chain([start]).collect()
        }
    }
}

fn sql(target: &Instance, sql: &Sql) -> String {
    format!("{}=> {sql}", target.id)
}

fn shell(target: &Instance, command: &Command) -> String {
    format!("{}$ {command}", target.id.server)
}

/// A file's whole text would drown the plan: where it is and where it leads is what matters. A secret in an
/// existing primary_conninfo is never shown.
fn conf(target: &Instance, path: &str, upstream: &str) -> String {
    format!("{}$ write {path}: a standby of {upstream}", target.id.server)
}
