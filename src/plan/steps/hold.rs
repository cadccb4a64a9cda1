//! The steps between which clients wait, so that no statement meets a datanode that has no master.

use std::sync::Arc;

use super::{Draft, StepList};
use crate::model::{HoldPolicy, InstanceId, NodeKind};
use crate::plan::document::ChangeKind;
use crate::plan::situation::Situation;
use crate::plan::step::{Action, Phase, Step, Undo};
use crate::plan::survey::NodeSurvey;

impl StepList<'_> {
    /// One hold serves all datanodes whose running masters move. A node that has no master already fails its clients, and
    /// a moved coordinator ends their sessions whatever is done (docs/explanation/hold.md).
    pub(super) fn hold(&mut self, surveys: &[&NodeSurvey<'_>], coordinators: &[InstanceId]) {
        let policy = &self.cluster.policy;
        let moved = |survey: &&NodeSurvey<'_>| match &survey.situation {
            Situation::Elsewhere { master }
                if survey.node.kind == NodeKind::Datanode && survey.change == Some(ChangeKind::Switchover) =>
            {
                Some(master.clone())
            }
            _ => None,
        };
        let masters: Vec<InstanceId> = surveys.iter().filter_map(moved).collect();
        let Some(first) = coordinators.first().filter(|_| policy.hold != HoldPolicy::Off && !masters.is_empty()) else {
            return;
        };
        let action = Action::Hold {
            coordinator: first.clone(),
            coordinators: Arc::new(coordinators.to_vec()),
            masters: Arc::new(masters),
            wait_seconds: policy.hold_wait_seconds,
            required: policy.hold == HoldPolicy::Require,
        };
        let mut needs = self.ids(|step| step.phase == Phase::Prepare);
        needs.extend(self.gtm_part.clone());
        self.hold = Some(self.push(Draft {
            phase: Phase::Hold,
            action,
            before: Vec::new(),
            after: Vec::new(),
            undo: Undo::Possible("otb releases the locks, and clients continue".to_owned()),
            why: "Clients finish their transactions and wait with the next one: no statement fails, no commit stops \
                in the middle.",
            needs,
        }));
    }

    pub(super) fn release(&mut self, coordinators: &[InstanceId]) {
        let (Some(hold), Some(first)) = (self.hold.clone(), coordinators.first()) else { return };
        let moved = |step: &Step| matches!(step.phase, Phase::Move | Phase::Reroute | Phase::Reload | Phase::Prove);
        let mut needs = vec![hold];
        needs.extend(self.ids(moved));
        self.push(Draft {
            phase: Phase::Release,
            action: Action::Release { coordinator: first.clone(), coordinators: Arc::new(coordinators.to_vec()) },
            before: Vec::new(),
            after: Vec::new(),
            undo: Undo::NotNeeded,
            why: "The new masters serve: clients continue with the statements that waited.",
            needs,
        });
    }
}
