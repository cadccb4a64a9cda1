//! A dead master's last WAL is brought to the standby that takes over.

use super::{Draft, StepList, runs};
use crate::model::{Condition, Role};
use crate::plan::step::{Action, Phase, StepId, Undo};

impl StepList<'_> {
    /// `action` is a salvage. Whatever could start the dead master again is fenced before.
    pub(super) fn salvage(&mut self, action: Action, needs: Vec<StepId>) -> StepId {
        let Action::Salvage { standby, source, to, .. } = &action else { return action.id() };
        let stopped = Condition::Stopped { instance: source.clone() };
        let all = Condition::ReplayedTo { standby: standby.clone(), source: source.clone(), position: *to };
        self.push(Draft {
            phase: Phase::Move,
            before: vec![stopped.clone(), runs(standby, Role::Standby)],
            after: vec![all, stopped],
            undo: Undo::Possible(
                "recovery.conf is restored, the standby is restarted, staged files are removed".to_owned(),
            ),
            why: "The dead master's disk has transactions that its standby lacks: the standby replays them first, \
                so none is lost.",
            needs,
            action,
        })
    }
}
