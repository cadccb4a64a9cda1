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
                why: "The staged file takes effect at the moment when the second master ends: nothing starts it as \
                    a master again.",
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
                        "The other GTM does not know the timestamps that this one assigns from now on; otb does not \
                            start it as active again."
                    }
                    _ => "The cluster loses what it still accepts; otb does not start it as a master again.",
                },
                needs: needs.clone(),
            });
        }
    }
}
