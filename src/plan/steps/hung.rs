//! A process that hangs is ended before another instance of its node takes over.

use super::{Draft, StepList, runs};
use crate::model::{Condition, InstanceId, Role};
use crate::plan::step::{Action, Phase, StepId, Undo};
use crate::plan::survey::NodeSurvey;

impl StepList<'_> {
    /// Lays the fences ready, so that each is in force the moment its process ends.
    pub(super) fn stage_fences_of_hung(&mut self, survey: &NodeSurvey<'_>) {
        let to = survey.node.master_id();
        for instance in &survey.hung {
            self.push(Draft {
                phase: Phase::Prepare,
                action: Action::StageFence { instance: instance.clone(), upstream: to.clone() },
                before: vec![Condition::Hangs { instance: instance.clone() }, runs(&to, Role::Standby)],
                after: Vec::new(),
                undo: Undo::Possible("the staged file is removed".to_owned()),
                why: "The file takes effect at the moment when the process ends: nothing starts it as a master \
                    again.",
                needs: Vec::new(),
            });
        }
    }

    /// Ends the processes that hang; gives what a promotion has to wait for.
    pub(super) fn end_hung(&mut self, phase: Phase, survey: &NodeSurvey<'_>, needs: &[StepId]) -> Vec<StepId> {
        let to = survey.node.master_id();
        let staged = self.ids(|step| step.phase == Phase::Prepare && step.action.target().node == to.node);
        let mut ends = Vec::new();
        for instance in &survey.hung {
            let end = self.end(phase, instance, &to, [needs, &staged].concat());
            // Its sessions may have written until now. No file shows how far a GTM had gone.
            ends.push(match phase {
                Phase::Gtm => end,
                _ => self.compare(phase, instance, &to, end),
            });
        }
        ends
    }

    fn end(&mut self, phase: Phase, instance: &InstanceId, to: &InstanceId, needs: Vec<StepId>) -> StepId {
        self.push(Draft {
            phase,
            action: Action::End { instance: instance.clone() },
            before: vec![Condition::Hangs { instance: instance.clone() }, runs(to, Role::Standby)],
            after: vec![
                Condition::Stopped { instance: instance.clone() },
                Condition::Fenced { instance: instance.clone(), upstream: to.clone() },
            ],
            undo: Undo::Possible("the fence is removed and it is started again".to_owned()),
            why: match phase {
                Phase::Gtm => "It may continue at any time, and two active GTMs would assign the same timestamps.",
                _ => "It may continue at any time, and its old sessions may still write: only its end is certain.",
            },
            needs,
        })
    }

    fn compare(&mut self, phase: Phase, from: &InstanceId, to: &InstanceId, end: StepId) -> StepId {
        self.push(Draft {
            phase,
            action: Action::CatchUp { standby: to.clone(), source: from.clone() },
            before: vec![Condition::Stopped { instance: from.clone() }],
            after: vec![Condition::ReplayedAll { standby: to.clone(), source: from.clone() }],
            undo: Undo::NotNeeded,
            why: "Nothing may be lost: if the standby lacks WAL of the old master, otb starts the old master again \
                instead.",
            needs: vec![end],
        })
    }
}
