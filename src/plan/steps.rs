//! From surveys to steps: which acts, in which order, and why each stands where it stands.

use super::limits;
use super::situation::Situation;
use super::step::{Action, Phase, RejoinMethod, Step, StepId, Undo};
use super::survey::{NodeSurvey, RouterSurvey};
use super::{document::ChangeKind, wording};
use crate::model::{Cluster, Condition, InstanceId, NodeKind, Role};

/// Builds all steps, in an order in which they could be done one after the other.
pub(crate) fn build(cluster: &Cluster, nodes: &[NodeSurvey<'_>], routers: &[RouterSurvey]) -> Vec<Step> {
    let mut list = StepList { cluster, steps: Vec::new() };
    for survey in nodes {
        list.takeover(survey);
    }
    let taken_over: Vec<StepId> =
        list.ids(|step| matches!(step.action, Action::Promote { .. } | Action::Restart { .. }));
    for router in routers.iter().filter(|router| !router.routes.is_empty()) {
        list.reroute(router, &taken_over);
    }
    for router in routers {
        // Not of the others: a router that cannot be told just now must not keep the rest on the old address.
        let told = list.ids(|step| step.phase == Phase::Reroute && *step.action.target() == router.router);
        list.reload(router, &[taken_over.as_slice(), told.as_slice()].concat());
    }
    list.proofs(nodes, routers);
    for survey in nodes {
        list.rejoins(survey);
    }
    list.steps
}

struct StepList<'a> {
    cluster: &'a Cluster,
    steps: Vec<Step>,
}

/// What differs from step to step; the rest follows from the action.
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
        let run = wording::run(self.cluster, &action);
        let limit_seconds = limits::of(&action).as_secs();
        let point_of_no_return = matches!(action, Action::Promote { .. });
        let why = why.to_owned();
        self.steps.push(Step {
            id: id.clone(),
            phase,
            action,
            run,
            before,
            after,
            limit_seconds,
            undo,
            point_of_no_return,
            why,
            needs,
        });
        id
    }

    fn ids(&self, test: impl Fn(&Step) -> bool) -> Vec<StepId> {
        self.steps.iter().filter(|step| test(step)).map(|step| step.id.clone()).collect()
    }

    fn takeover(&mut self, survey: &NodeSurvey<'_>) {
        let to = survey.node.master_id();
        match (survey.change, &survey.from) {
            (Some(ChangeKind::Switchover), Some(from)) if matches!(survey.situation, Situation::Elsewhere { .. }) => {
                self.switchover(from, &to, &survey.stopped);
            }
            (Some(ChangeKind::Switchover | ChangeKind::Failover), from) => {
                self.takeover_from_stopped(survey, from.as_ref(), &to);
            }
            (Some(ChangeKind::Restart), _) => self.restart(&to, survey.fenced),
            _ => {}
        }
    }

    fn switchover(&mut self, from: &InstanceId, to: &InstanceId, stopped: &[InstanceId]) {
        let is_master = vec![runs(from, Role::Master), runs(to, Role::Standby)];
        let fence = self.push(Draft {
            phase: Phase::Prepare,
            action: Action::StageFence { instance: from.clone(), upstream: to.clone() },
            before: is_master.clone(),
            after: Vec::new(),
            undo: Undo::Possible("the staged file is removed".to_owned()),
            why: "Prepared now, it costs the write gap nothing, and the old master cannot come up as a master again.",
            needs: Vec::new(),
        });
        let checkpoint = self.push(Draft {
            phase: Phase::Prepare,
            action: Action::Checkpoint { instance: from.clone() },
            before: vec![runs(from, Role::Master)],
            after: Vec::new(),
            undo: Undo::NotNeeded,
            why: "What is flushed now need not be flushed while nobody can write.",
            needs: Vec::new(),
        });
        let stop = self.push(Draft {
            phase: Phase::Move,
            action: Action::Stop { instance: from.clone(), fenced: true },
            before: is_master,
            // Somebody else may have stopped it: then nothing has moved the fence into its place.
            after: vec![
                Condition::CleanlyStopped { instance: from.clone() },
                Condition::Fenced { instance: from.clone(), upstream: to.clone() },
            ],
            undo: Undo::Possible("the fence is removed and the old master is started again".to_owned()),
            why: "Only a stopped master writes nothing more; the write gap begins here.",
            needs: vec![fence, checkpoint],
        });
        let caught_up = self.catch_up(from, to, vec![stop]);
        self.promote([std::slice::from_ref(from), stopped].concat(), to, vec![caught_up]);
    }

    fn catch_up(&mut self, from: &InstanceId, to: &InstanceId, needs: Vec<StepId>) -> StepId {
        self.push(Draft {
            phase: Phase::Move,
            action: Action::CatchUp { standby: to.clone(), source: from.clone() },
            before: vec![Condition::CleanlyStopped { instance: from.clone() }],
            after: vec![Condition::ReplayedAll { standby: to.clone(), source: from.clone() }],
            undo: Undo::NotNeeded,
            why: "Received is not replayed: promoted before this point, the new master would lack transactions.",
            needs,
        })
    }

    fn promote(&mut self, stopped: Vec<InstanceId>, to: &InstanceId, needs: Vec<StepId>) {
        let stopped = stopped.into_iter().map(|instance| Condition::Stopped { instance });
        self.push(Draft {
            phase: Phase::Move,
            action: Action::Promote { instance: to.clone() },
            before: stopped.chain([runs(to, Role::Standby)]).collect(),
            after: vec![runs(to, Role::Master)],
            undo: Undo::Never,
            why: "The new timeline begins: from here on no other copy may become master.",
            needs,
        });
    }

    /// The last master does not run: fence what could come up, make sure of the WAL, promote.
    fn takeover_from_stopped(&mut self, survey: &NodeSurvey<'_>, from: Option<&InstanceId>, to: &InstanceId) {
        let mut needs = Vec::new();
        for instance in &survey.unfenced {
            needs.push(self.push(Draft {
                phase: Phase::Move,
                action: Action::Fence { instance: instance.clone(), upstream: to.clone() },
                before: vec![Condition::Stopped { instance: instance.clone() }],
                after: vec![Condition::Fenced { instance: instance.clone(), upstream: to.clone() }],
                undo: Undo::Possible("recovery.conf is removed again".to_owned()),
                why: "Started as it is, it would be a second master, and nothing in OpenTenBase complains of two.",
                needs: Vec::new(),
            }));
        }
        if survey.change == Some(ChangeKind::Switchover)
            && let Some(from) = from
        {
            needs = vec![self.catch_up(from, to, needs)];
        }
        self.promote(survey.stopped.clone(), to, needs);
    }

    fn restart(&mut self, to: &InstanceId, unfence: bool) {
        self.push(Draft {
            phase: Phase::Move,
            action: Action::Restart { instance: to.clone(), unfence },
            before: vec![Condition::Stopped { instance: to.clone() }],
            after: vec![runs(to, Role::Master)],
            undo: Undo::Never,
            why: "Nobody took over, and no other copy holds more: started again, it goes on where it stopped.",
            needs: Vec::new(),
        });
    }

    fn reroute(&mut self, router: &RouterSurvey, needs: &[StepId]) {
        let id = &router.router;
        let routed = router.routes.iter().map(|change| Condition::Routed {
            router: id.clone(),
            node: change.node.clone(),
            to: change.to.clone(),
            forward: change.forward,
        });
        self.push(Draft {
            phase: Phase::Reroute,
            action: Action::Reroute { router: id.clone(), routes: router.routes.clone() },
            before: vec![runs(id, Role::Master)],
            after: routed.collect(),
            undo: Undo::Never,
            why: "ALTER NODE is local: each router must be told.",
            needs: needs.to_vec(),
        });
    }

    fn reload(&mut self, router: &RouterSurvey, needs: &[StepId]) {
        let id = &router.router;
        let asked = self.cluster.nodes.get(&id.node).is_some_and(|node| node.kind == NodeKind::Coordinator);
        let agrees = asked.then(|| Condition::PoolAgrees { router: id.clone() });
        self.push(Draft {
            phase: Phase::Reload,
            action: Action::Reload { router: id.clone() },
            before: vec![runs(id, Role::Master)],
            after: agrees.into_iter().collect(),
            undo: Undo::NotNeeded,
            why: "The pooler is not the catalog: without it the router keeps using the old address.",
            needs: needs.to_vec(),
        });
    }

    /// Moved nodes are proved through every coordinator, rerouted ones through those whose row changed.
    fn proofs(&mut self, nodes: &[NodeSurvey<'_>], routers: &[RouterSurvey]) {
        for coordinator in self.cluster.nodes_of(NodeKind::Coordinator) {
            let through = coordinator.master_id();
            let needs = self.ids(|step| match step.phase {
                Phase::Move => true,
                Phase::Reload => *step.action.target() == through,
                Phase::Prepare | Phase::Reroute | Phase::Prove | Phase::Rejoin => false,
            });
            let rerouted = |id: &InstanceId| {
                let mine = routers.iter().filter(|router| router.router == through);
                mine.flat_map(|router| &router.routes).any(|change| change.node == id.node)
            };
            let reached: Vec<InstanceId> = nodes
                .iter()
                .filter(|survey| survey.node.kind.is_router() && survey.node.name != coordinator.name)
                .filter(|survey| survey.change.is_some() || rerouted(&survey.node.master_id()))
                .map(|survey| survey.node.master_id())
                .collect();
            if !reached.is_empty() {
                self.prove(&through, reached, &needs);
            }
        }
    }

    fn prove(&mut self, coordinator: &InstanceId, instances: Vec<InstanceId>, needs: &[StepId]) {
        let reached = instances
            .iter()
            .map(|instance| Condition::Reached { coordinator: coordinator.clone(), instance: instance.clone() });
        self.push(Draft {
            phase: Phase::Prove,
            after: reached.collect(),
            action: Action::Prove { coordinator: coordinator.clone(), instances },
            before: vec![runs(coordinator, Role::Master)],
            undo: Undo::NotNeeded,
            why: "The catalog may be right and the pooler wrong: only a statement that arrives is proof.",
            needs: needs.to_vec(),
        });
    }

    fn rejoins(&mut self, survey: &NodeSurvey<'_>) {
        let upstream = survey.node.master_id();
        // After the reloads: an old master that still waits is how a cut-off run is recognised.
        let needs = self.ids(|step| matches!(step.phase, Phase::Move | Phase::Reload | Phase::Prove));
        for rejoin in &survey.rejoins {
            let id = &rejoin.instance;
            let stopped = Condition::Stopped { instance: id.clone() };
            let before = match rejoin.method {
                RejoinMethod::InPlace | RejoinMethod::BaseBackup => vec![stopped, runs(&upstream, Role::Master)],
                RejoinMethod::Reconnect | RejoinMethod::Repoint | RejoinMethod::Replace => {
                    vec![runs(id, Role::Standby), runs(&upstream, Role::Master)]
                }
            };
            self.push(Draft {
                phase: Phase::Rejoin,
                action: Action::Rejoin { instance: id.clone(), upstream: upstream.clone(), method: rejoin.method },
                before,
                after: vec![Condition::Streams { standby: id.clone(), upstream: upstream.clone() }],
                undo: Undo::Never,
                why: match rejoin.method {
                    RejoinMethod::InPlace => "Its WAL is a prefix of the master's: it can follow without copying.",
                    RejoinMethod::Reconnect => {
                        "It looks for its master every few seconds: done is when it streams again."
                    }
                    RejoinMethod::Repoint => "It runs as a standby, but not of the declared master.",
                    RejoinMethod::Replace => "It runs but can never follow the master: only a fresh copy can.",
                    RejoinMethod::BaseBackup => {
                        "Its WAL may have left the master's history: only a fresh copy is safe."
                    }
                },
                needs: needs.clone(),
            });
        }
    }
}
