//! Standbys that commits wait for: they return beside the reroutes, and a commit that waits for them is the proof.

use super::{Draft, StepList, is_takeover, runs};
use crate::model::{Condition, InstanceId, Role};
use crate::plan::step::{Action, Phase, RejoinMethod, Undo};
use crate::plan::survey::NodeSurvey;

impl StepList<'_> {
    /// Starts the copies without which no commit of the new master ends. Each keeps its fence's mark until the pools are
    /// reloaded: an old master that still waits is how a cut-off run is recognised.
    pub(super) fn returns(&mut self, survey: &NodeSurvey<'_>) {
        let Some(sync) = &survey.sync else { return };
        let upstream = survey.node.master_id();
        let mut needs = self.gtm_part.clone();
        needs.extend(self.ids(|step| is_takeover(step) && step.action.target().node == survey.node.name));
        let mut behind = Vec::new();
        for rejoin in sync.early.iter().filter_map(|id| survey.rejoins.iter().find(|rejoin| rejoin.instance == *id)) {
            let (instance, method) = (rejoin.instance.clone(), rejoin.method);
            let mut needs = needs.clone();
            if method == RejoinMethod::BaseBackup {
                needs.extend(behind.iter().cloned());
            }
            let step = self.push(Draft {
                phase: Phase::Return,
                before: method.before(&instance, &upstream),
                after: vec![Condition::Streams { standby: instance.clone(), upstream: upstream.clone() }],
                action: Action::Return { instance, upstream: upstream.clone(), method },
                undo: Undo::Never,
                why: "A commit on the new master waits for this standby: until it streams, none ends.",
                needs,
            });
            if method == RejoinMethod::Replace {
                behind.push(step);
            }
        }
    }

    /// Proves that commits on a master end that wait for its standbys.
    pub(super) fn prove_commits(&mut self, survey: &NodeSurvey<'_>) {
        let Some(sync) = survey.sync.as_ref().filter(|sync| sync.is_met()) else { return };
        if survey.change.is_none() && sync.early.is_empty() {
            return;
        }
        let master = survey.node.master_id();
        let needs = self.ids(|step| {
            step.action.target().node == survey.node.name && (is_takeover(step) || step.phase == Phase::Return)
        });
        let standbys = u32::try_from(sync.number).unwrap_or(u32::MAX);
        self.push(Draft {
            phase: Phase::Prove,
            action: Action::ProveCommit { instance: master.clone() },
            before: vec![runs(&master, Role::Master)],
            after: vec![Condition::Synchronous { master, standbys }],
            undo: Undo::NotNeeded,
            why: "A standby that streams need not be one that commits wait for: only a commit that ends is proof.",
            needs,
        });
    }

    /// Takes the fence's mark from a copy that has returned.
    pub(super) fn has_returned(&self, id: &InstanceId) -> bool {
        self.steps.iter().any(|step| matches!(&step.action, Action::Return { instance, .. } if instance == id))
    }
}
