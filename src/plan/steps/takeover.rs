//! Another instance becomes a node's master: of a live one, of one that is down, or the same one again.

use super::{Draft, StepList, runs};
use crate::model::{Condition, InstanceId, NodeKind, Role};
use crate::plan::document::ChangeKind;
use crate::plan::situation::Situation;
use crate::plan::step::{Action, Phase, StepId, Undo};
use crate::plan::survey::NodeSurvey;

impl StepList<'_> {
    pub(super) fn takeover(&mut self, survey: &NodeSurvey<'_>) {
        let to = survey.node.master_id();
        // The same acts in the same order; only that the GTM's come first.
        let phase = if survey.node.kind == NodeKind::Gtm { Phase::Gtm } else { Phase::Move };
        if let Situation::Split { others } = &survey.situation {
            return self.give_up(phase, &to, others);
        }
        match (survey.change, &survey.from) {
            (Some(ChangeKind::Switchover), Some(from)) if matches!(survey.situation, Situation::Elsewhere { .. }) => {
                self.switchover(phase, from, &to, &survey.stopped);
            }
            (Some(ChangeKind::Switchover | ChangeKind::Failover), from) => {
                self.takeover_from_stopped(phase, survey, from.as_ref(), &to);
            }
            (Some(ChangeKind::Restart), _) => self.restart(phase, &to, survey.fenced),
            _ => {}
        }
    }

    /// The part of a switchover that can be done before anything is interrupted.
    pub(super) fn prepare(&mut self, survey: &NodeSurvey<'_>) {
        if let Situation::Split { others } = &survey.situation {
            return self.stage_fences(&survey.node.master_id(), others);
        }
        self.stage_fences_of_hung(survey);
        let Situation::Elsewhere { master: from } = &survey.situation else { return };
        let to = survey.node.master_id();
        self.push(Draft {
            phase: Phase::Prepare,
            action: Action::StageFence { instance: from.clone(), upstream: to.clone() },
            before: vec![runs(from, Role::Master), runs(&to, Role::Standby)],
            after: Vec::new(),
            undo: Undo::Possible("the staged file is removed".to_owned()),
            why: "Prepared now, it adds nothing to the write gap, and the old master cannot start as a master again.",
            needs: Vec::new(),
        });
        // A third copy that does not run and would come up as a master: the old one is fenced as it stops.
        for instance in &survey.unfenced {
            self.fence(Phase::Prepare, instance, &to, &[]);
        }
        match survey.node.kind {
            NodeKind::Gtm => self.await_redo(from, &to),
            NodeKind::Datanode => self.checkpoint(from),
            // Its own runs on every datanode, too, and fails with any of them (seen live); it has little to flush.
            NodeKind::Coordinator => {}
        }
    }

    fn fence(&mut self, phase: Phase, instance: &InstanceId, upstream: &InstanceId, needs: &[StepId]) -> StepId {
        self.push(Draft {
            phase,
            action: Action::Fence { instance: instance.clone(), upstream: upstream.clone() },
            before: vec![Condition::Stopped { instance: instance.clone() }],
            // Asked again: one that was started before the file was there has not read it.
            after: vec![
                Condition::Fenced { instance: instance.clone(), upstream: upstream.clone() },
                Condition::Stopped { instance: instance.clone() },
            ],
            undo: Undo::Possible("recovery.conf is removed again".to_owned()),
            why: "Without it a start makes a second master, and OpenTenBase does not report two masters.",
            needs: needs.to_vec(),
        })
    }

    fn switchover(&mut self, phase: Phase, from: &InstanceId, to: &InstanceId, stopped: &[InstanceId]) {
        // Clients of each node wait until all are promoted, because the routes are updated once: no master stops while
        // another one's checkpoint runs.
        let mut needs = self.ids(|step| step.phase == Phase::Prepare);
        if phase == Phase::Move {
            needs.extend(self.gtm_part.clone());
            needs.extend(self.hold.clone());
        }
        let is_master = vec![runs(from, Role::Master), runs(to, Role::Standby)];
        let stop = self.push(Draft {
            phase,
            action: Action::Stop { instance: from.clone(), fenced: true },
            before: is_master,
            // Somebody else may have stopped it: then nothing has moved the fence into its place.
            after: vec![
                Condition::CleanlyStopped { instance: from.clone() },
                Condition::Fenced { instance: from.clone(), upstream: to.clone() },
            ],
            undo: Undo::Possible("the fence is removed and the old master is started again".to_owned()),
            why: match phase {
                Phase::Gtm => "Two active GTMs would assign the same timestamps; from now on nothing commits.",
                _ => "Only a stopped master writes nothing more; the write gap begins here.",
            },
            needs,
        });
        let caught_up = self.catch_up(phase, from, to, vec![stop]);
        self.promote(phase, [std::slice::from_ref(from), stopped].concat(), to, vec![caught_up]);
    }

    fn checkpoint(&mut self, from: &InstanceId) {
        self.push(Draft {
            phase: Phase::Prepare,
            action: Action::Checkpoint { instance: from.clone() },
            before: vec![runs(from, Role::Master)],
            after: Vec::new(),
            undo: Undo::NotNeeded,
            why: "Data that is flushed now does not extend the write gap.",
            needs: Vec::new(),
        });
    }

    fn await_redo(&mut self, from: &InstanceId, to: &InstanceId) {
        self.push(Draft {
            phase: Phase::Prepare,
            action: Action::AwaitRedo { standby: to.clone(), upstream: from.clone() },
            before: vec![runs(from, Role::Master), runs(to, Role::Standby)],
            after: vec![Condition::Streams { standby: to.clone(), upstream: from.clone() }],
            undo: Undo::NotNeeded,
            why: "A GTM that is promoted before it has replayed a record loses its position in the log; a record \
                comes every five seconds.",
            needs: Vec::new(),
        });
    }

    fn catch_up(&mut self, phase: Phase, from: &InstanceId, to: &InstanceId, needs: Vec<StepId>) -> StepId {
        self.push(Draft {
            phase,
            action: Action::CatchUp { standby: to.clone(), source: from.clone() },
            before: vec![Condition::CleanlyStopped { instance: from.clone() }],
            after: vec![Condition::ReplayedAll { standby: to.clone(), source: from.clone() }],
            undo: Undo::NotNeeded,
            why: match phase {
                Phase::Gtm => "The new GTM must know all timestamps that the old one assigned.",
                _ => "Received is not replayed: promoted before this point, the new master would lack transactions.",
            },
            needs,
        })
    }

    fn promote(&mut self, phase: Phase, stopped: Vec<InstanceId>, to: &InstanceId, needs: Vec<StepId>) {
        let stopped = stopped.into_iter().map(|instance| Condition::Stopped { instance });
        self.push(Draft {
            phase,
            action: Action::Promote { instance: to.clone() },
            before: stopped.chain([runs(to, Role::Standby)]).collect(),
            after: vec![runs(to, Role::Master)],
            undo: Undo::Never,
            why: match phase {
                Phase::Gtm => "From now on it is the active GTM, and its gtm.conf says so.",
                _ => "The new timeline begins: from now on no other instance may become master.",
            },
            needs,
        });
    }

    /// The last master does not run: fence what could come up, make sure of the WAL, promote.
    fn takeover_from_stopped(
        &mut self,
        phase: Phase,
        survey: &NodeSurvey<'_>,
        from: Option<&InstanceId>,
        to: &InstanceId,
    ) {
        let mut needs = self.gtm_part.clone();
        let first = needs.clone();
        for instance in &survey.unfenced {
            needs.push(self.fence(phase, instance, to, &first));
        }
        // No file of a stopped GTM says how far it went.
        if survey.change == Some(ChangeKind::Switchover)
            && phase == Phase::Move
            && let Some(from) = from
        {
            needs = vec![self.catch_up(phase, from, to, needs)];
        }
        if let Some(action) = survey.salvage.action(to) {
            needs = vec![self.salvage(action, needs)];
        }
        needs.extend(self.end_hung(phase, survey, &first));
        self.promote(phase, [survey.stopped.clone(), survey.hung.clone()].concat(), to, needs);
    }

    fn restart(&mut self, phase: Phase, to: &InstanceId, unfence: bool) {
        self.push(Draft {
            phase,
            action: Action::Restart { instance: to.clone(), unfence },
            before: vec![Condition::Stopped { instance: to.clone() }],
            after: vec![runs(to, Role::Master)],
            undo: Undo::Never,
            why: "No instance took over, and no other instance has more data: started again, it continues where it \
                stopped.",
            needs: self.gtm_part.clone(),
        });
    }
}
