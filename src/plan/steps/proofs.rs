//! Statements through every coordinator, after its routes were updated and its pool was reloaded.

use std::collections::{BTreeMap, BTreeSet};

use super::{Draft, StepList, runs};
use crate::model::{Condition, InstanceId, Node, NodeName, Role};
use crate::plan::step::{Action, Phase, StepId, Undo};
use crate::plan::survey::{NodeSurvey, RouterSurvey};

impl StepList<'_> {
    /// Moved nodes are proved through every coordinator, rerouted ones through those whose row changed.
    pub(super) fn proofs(&mut self, coordinators: &[&Node], nodes: &[NodeSurvey<'_>], routers: &[RouterSurvey]) {
        let told: BTreeMap<&InstanceId, &RouterSurvey> =
            routers.iter().map(|router| (&router.router, router)).collect();
        let moved = self.ids(|step| matches!(step.phase, Phase::Gtm | Phase::Move));
        let in_reload = |step: &&super::Step| step.phase == Phase::Reload;
        let reloads: BTreeMap<InstanceId, StepId> =
            self.steps.iter().filter(in_reload).map(|step| (step.action.target().clone(), step.id.clone())).collect();
        let nodes: Vec<(&NodeName, InstanceId, bool)> = nodes
            .iter()
            .filter(|survey| survey.node.kind.is_router())
            .map(|survey| (&survey.node.name, survey.node.master_id(), survey.change.is_some()))
            .collect();
        for coordinator in coordinators {
            let through = coordinator.master_id();
            let rows = told.get(&through).into_iter().flat_map(|router| router.routes.iter());
            let rerouted: BTreeSet<&NodeName> = rows.map(|change| &change.node).collect();
            let reached: Vec<InstanceId> = nodes
                .iter()
                .filter(|(name, _, changes)| **name != coordinator.name && (*changes || rerouted.contains(name)))
                .map(|(_, master, _)| master.clone())
                .collect();
            if !reached.is_empty() {
                // A reload has waited for every takeover.
                let needs = reloads.get(&through).map_or_else(|| moved.clone(), |reload| vec![reload.clone()]);
                self.prove(&through, reached, needs);
            }
        }
    }

    fn prove(&mut self, coordinator: &InstanceId, instances: Vec<InstanceId>, needs: Vec<StepId>) {
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
            needs,
        });
    }
}
