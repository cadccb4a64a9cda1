//! Two masters of one node: the one that is not declared ends, fenced, and is no master again.

use super::{Draft, StepList, runs};
use crate::model::{Condition, InstanceId, Role};
use crate::plan::step::{Action, Phase, Undo};

impl StepList<'_> {
    pub(super) fn stage_fences(&mut self, kept: &InstanceId, others: &[InstanceId]) {
        for other in others {
            self.push(Draft {
                phase: Phase::Prepare,
                action: Action::StageFence { instance: other.clone(), upstream: kept.clone() },
                before: vec![runs(other, Role::Master), runs(kept, Role::Master)],
                after: Vec::new(),
                undo: Undo::Possible("the staged file is removed".to_owned()),
                why: "Laid ready, it is in force the moment the second master ends: nobody starts it as one again.",
                needs: Vec::new(),
            });
        }
    }

    /// Stopped before any router is led away from it: a client's error is better than a commit that is given up.
    pub(super) fn give_up(&mut self, phase: Phase, kept: &InstanceId, others: &[InstanceId]) {
        let mut needs = self.ids(|step| {
            step.phase == Phase::Prepare && (phase == Phase::Gtm || step.action.target().node == kept.node)
        });
        if phase == Phase::Move {
            needs.extend(self.gtm_part.clone());
        }
        for other in others {
            self.push(Draft {
                phase,
                action: Action::Stop { instance: other.clone(), fenced: true },
                before: vec![runs(other, Role::Master), runs(kept, Role::Master)],
                after: vec![
                    Condition::CleanlyStopped { instance: other.clone() },
                    Condition::Fenced { instance: other.clone(), upstream: kept.clone() },
                ],
                undo: Undo::Never,
                why: match phase {
                    Phase::Gtm => {
                        "What it hands out from here on the other does not know of; it is not started as active again."
                    }
                    _ => "Whatever it still accepts is lost to the cluster; it is not started as a master again.",
                },
                needs: needs.clone(),
            });
        }
    }
}
