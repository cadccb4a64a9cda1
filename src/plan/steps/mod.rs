//! From surveys to steps: which acts, in which order, and why each stands where it stands.

mod hold;
mod hung;
mod proofs;
mod salvage;
mod settle;
mod split;
mod sync;
mod takeover;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gtm::Repoint;
use super::limits;
use super::step::{Action, Phase, RejoinMethod, Step, StepId, Undo};
use super::survey::{NodeSurvey, PlannedRejoin, RouterSurvey};
use super::wording;
use crate::model::{Cluster, Condition, InstanceId, Node, NodeKind, NodeName, Role};

pub(super) use settle::settle;

/// Builds all steps, in an order in which they could be done one after the other.
pub(crate) fn build(
    cluster: &Cluster,
    nodes: &[NodeSurvey<'_>],
    routers: &[RouterSurvey],
    will_serve: &dyn Fn(&Node) -> bool,
    coordinators: &[InstanceId],
) -> Vec<Step> {
    let mut list = StepList {
        cluster,
        steps: Vec::new(),
        gtm_part: Vec::new(),
        told: BTreeMap::new(),
        hold: None,
        worded: wording::Worded::default(),
    };
    let is_gtm = |survey: &&NodeSurvey<'_>| survey.node.kind == NodeKind::Gtm;
    let (gtm, others): (Vec<_>, Vec<_>) = nodes.iter().partition(is_gtm);
    for survey in gtm.iter().chain(&others) {
        list.prepare(survey);
    }
    for survey in gtm {
        list.takeover(survey);
    }
    for repoint in routers.iter().filter_map(|router| router.repoint.as_ref()).filter(|repoint| repoint.now) {
        let needs = list.ids(is_takeover);
        list.repoint(repoint, Phase::Gtm, needs);
    }
    list.gtm_part = list.ids(|step| step.phase == Phase::Gtm);
    list.hold(&others, coordinators);
    for survey in others {
        list.takeover(survey);
    }
    for survey in nodes {
        list.returns(survey);
    }
    let settled = list.ids(|step| step.phase == Phase::Gtm || is_takeover(step));
    for router in routers {
        list.tell(router, settled.clone());
    }
    let taken_over = list.ids(is_takeover);
    for router in routers.iter().filter(|router| router.reload) {
        list.reload(router, &taken_over);
    }
    let serving: Vec<&Node> = cluster.nodes_of(NodeKind::Coordinator).filter(|node| will_serve(node)).collect();
    list.proofs(&serving, nodes, routers);
    for survey in nodes {
        list.prove_commits(survey);
    }
    list.release(coordinators);
    // After the reloads: an old master that still waits is how a cut-off run is recognised.
    let needs = list.ids(|step| matches!(step.phase, Phase::Gtm | Phase::Move | Phase::Reload | Phase::Prove));
    for survey in nodes {
        list.rejoins(survey, &needs);
    }
    list.steps
}

fn is_takeover(step: &Step) -> bool {
    matches!(step.action, Action::Promote { .. } | Action::Restart { .. }) || step.gives_up()
}

fn is_telling(step: &Step) -> bool {
    matches!(step.action, Action::RepointGtm { .. } | Action::Reroute { .. })
}

struct StepList<'a> {
    cluster: &'a Cluster,
    steps: Vec<Step>,
    /// The GTM's own steps: nothing else is interrupted before they are settled.
    gtm_part: Vec<StepId>,
    /// The steps that update a node's router, by node: its reload waits for them and not for those of other routers.
    told: BTreeMap<NodeName, Vec<StepId>>,
    /// The step that holds the clients: no master of a coordinator or datanode stops before it.
    hold: Option<StepId>,
    worded: wording::Worded,
}

/// The part that differs from step to step; the rest follows from the action.
struct Draft {
    phase: Phase,
    action: Action,
    before: Vec<Condition>,
    after: Vec<Condition>,
    undo: Undo,
    why: &'static str,
    needs: Vec<StepId>,
}

fn runs(instance: &InstanceId, role: Role) -> Condition {
    Condition::Runs { instance: instance.clone(), role }
}

impl StepList<'_> {
    fn push(&mut self, draft: Draft) -> StepId {
        let Draft { phase, action, before, after, undo, why, needs } = draft;
        let id = action.id();
        let run = self.worded.run(self.cluster, &action);
        let limit_seconds = limits::of(&action).as_secs();
        let ends_a_second_master = matches!(action, Action::Stop { .. }) && undo == Undo::Never;
        let point_of_no_return = matches!(action, Action::Promote { .. }) || ends_a_second_master;
        let why = why.to_owned();
        let id_of_it = id.clone();
        let step = Step { id, phase, action, run, before, after, limit_seconds, undo, point_of_no_return, why, needs };
        if is_telling(&step) {
            self.told.entry(step.action.target().node.clone()).or_default().push(id_of_it.clone());
        }
        self.steps.push(step);
        id_of_it
    }

    fn ids(&self, test: impl Fn(&Step) -> bool) -> Vec<StepId> {
        self.steps.iter().filter(|step| test(step)).map(|step| step.id.clone()).collect()
    }

    fn repoint(&mut self, repoint: &Repoint, phase: Phase, needs: Vec<StepId>) -> StepId {
        let Repoint { at, route, spares_pool, .. } = repoint;
        let active = self.cluster.nodes.get(&route.node).map(|gtm| runs(&gtm.master_id(), Role::Master));
        let routed = Condition::Routed { router: at.clone(), routes: Arc::new(vec![route.clone()]) };
        self.push(Draft {
            phase,
            action: Action::RepointGtm { router: at.clone(), route: route.clone(), spares_pool: *spares_pool },
            before: active.into_iter().collect(),
            after: vec![routed, Condition::GetsTimestamp { router: at.clone() }],
            undo: Undo::Never,
            why: if route.unread {
                "It was down and may have missed a move of the GTM: without the right GTM it can read nothing."
            } else {
                "This works without a GTM and fixes the router at once; a SELECT in a new session is the proof."
            },
            needs,
        })
    }

    /// If a router gets a master only in this run, its GTM route is updated after that.
    fn tell(&mut self, router: &RouterSurvey, mut needs: Vec<StepId>) {
        if let Some(repoint) = router.repoint.as_ref().filter(|repoint| !repoint.now) {
            let told = self.repoint(repoint, Phase::Reroute, needs.clone());
            needs.push(told);
        }
        if !router.routes.is_empty() {
            self.reroute(router, needs);
        }
    }

    fn reroute(&mut self, router: &RouterSurvey, needs: Vec<StepId>) {
        let id = &router.router;
        let routed = Condition::Routed { router: id.clone(), routes: Arc::clone(&router.routes) };
        self.push(Draft {
            phase: Phase::Reroute,
            action: Action::Reroute { router: id.clone(), routes: Arc::clone(&router.routes) },
            before: vec![runs(id, Role::Master)],
            after: vec![routed],
            undo: Undo::Never,
            why: if router.is_unread() {
                "It was down and may have missed a move: each row is compared, and changed if it differs."
            } else {
                "ALTER NODE changes only one router: otb runs it on each of them."
            },
            needs,
        });
    }

    fn reload(&mut self, router: &RouterSurvey, taken_over: &[StepId]) {
        let id = &router.router;
        let asked = self.cluster.nodes.get(&id.node).is_some_and(|node| node.kind == NodeKind::Coordinator);
        let agrees = asked.then(|| Condition::PoolAgrees { router: id.clone() });
        let forwards = router.forward.map(|port| Condition::Forwards { instance: id.clone(), port });
        // Not the steps of other routers: a router that cannot be updated now must not keep the rest on the old
        // address.
        let mut needs = self.told.get(&id.node).cloned().unwrap_or_default();
        // The pass over all routers has waited for every takeover.
        if router.routes.is_empty() && router.repoint.as_ref().is_none_or(|repoint| repoint.now) {
            needs.splice(..0, taken_over.iter().cloned());
        }
        self.push(Draft {
            phase: Phase::Reload,
            action: Action::Reload { router: id.clone() },
            before: vec![runs(id, Role::Master)],
            after: agrees.into_iter().chain(forwards).collect(),
            undo: Undo::NotNeeded,
            why: "The pooler keeps the old address until it is reloaded, even when pgxc_node is right.",
            needs,
        });
    }

    fn rejoins(&mut self, survey: &NodeSurvey<'_>, needs: &[StepId]) {
        let upstream = survey.node.master_id();
        let replaced = |rejoin: &&PlannedRejoin| rejoin.method == RejoinMethod::Replace;
        let (first, rest): (Vec<_>, Vec<_>) = survey.rejoins.iter().partition(replaced);
        // A standby of a master that is given up is rebuilt before that master. As long as the given-up master exists
        // as a master, a later run can recognise it, and no other history can be streamed from it.
        let mut behind = Vec::new();
        for rejoin in first.into_iter().chain(rest) {
            let mut needs = needs.to_vec();
            if rejoin.method == RejoinMethod::BaseBackup {
                needs.extend(behind.iter().cloned());
            }
            let id = &rejoin.instance;
            let method = if self.has_returned(id) { RejoinMethod::Unfence } else { rejoin.method };
            if method == RejoinMethod::Unfence {
                needs.extend(self.ids(|step| step.phase == Phase::Return && step.action.target() == id));
            }
            let step = self.push(Draft {
                phase: Phase::Rejoin,
                action: Action::Rejoin {
                    instance: id.clone(),
                    upstream: upstream.clone(),
                    method,
                    keeps: rejoin.keeps.clone(),
                },
                before: method.before(id, &upstream),
                after: vec![Condition::Streams { standby: id.clone(), upstream: upstream.clone() }],
                undo: Undo::Never,
                why: match method {
                    RejoinMethod::InPlace if survey.node.kind == NodeKind::Gtm => {
                        "A GTM standby copies its master's state when it starts."
                    }
                    RejoinMethod::InPlace => {
                        "Its WAL is a part of the master's WAL: it can follow without a \
                        rebuild."
                    }
                    RejoinMethod::Reconnect => {
                        "It connects to its master every few seconds: the step is done when it streams again."
                    }
                    RejoinMethod::Unfence => "It streams already: from now on it is an ordinary standby.",
                    RejoinMethod::Repoint => "It runs as a standby, but not of the declared master.",
                    RejoinMethod::Replace => "It runs but can never follow the master: it must be rebuilt.",
                    RejoinMethod::BaseBackup => "Its WAL may not be part of the master's history: it must be rebuilt.",
                },
                needs,
            });
            if method == RejoinMethod::Replace {
                behind.push(step);
            }
        }
    }
}
