//! otb on the simulated cluster: plan, apply, and apply again.

use super::invariant::{Breach, serves};
use super::lab::Lab;
use super::run::Run;
use super::seen::observe;
use crate::apply::End;
use crate::codes::Exit;
use crate::model::{Cluster, NodeName};
use crate::plan::{Input, Plan, Waiver, plan};

/// How often a person follows otb's advice before asking for help.
const APPLIES: u64 = 3;

/// The command line that is given again and again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course<'a> {
    pub(super) waivers: &'a [Waiver],
    pub(super) targets: &'a [NodeName],
}

/// How a run that has begun ended, as its exit code.
pub fn exit_of(end: End) -> Exit {
    match end {
        End::Done => Exit::Done,
        End::PartWay => Exit::PartWay,
        End::NothingDone => Exit::Error,
        End::Interrupted => Exit::Interrupted,
        End::RolledBack => Exit::RolledBack,
        End::NotRejoined => Exit::NotRejoined,
        End::Unknown => Exit::UnknownOutcome,
    }
}

/// The result of following the advice.
#[derive(Debug, Clone)]
pub(super) struct Advice {
    pub(super) lab: Lab,
    /// There is nothing left to do.
    pub(super) finished: bool,
    pub(super) applies: u64,
    pub(super) breaches: Vec<Breach>,
    /// The checks that refuse the last plan.
    pub(super) refused: Vec<String>,
}

impl Course<'_> {
    pub(super) fn plan_of(&self, cluster: &Cluster, lab: &Lab, owes_reloads: bool) -> Plan {
        plan(&Input {
            cluster,
            seen: &observe(lab),
            targets: self.targets,
            waivers: self.waivers,
            observed_at: String::new(),
            owes_reloads,
        })
    }

    pub(super) fn plan(&self, lab: &Lab) -> Plan {
        self.plan_of(&lab.cluster, lab, false)
    }

    /// The plan with which apply continues after the GTM's part.
    pub(super) fn second_part(&self, run: &Run<'_>) -> Option<Plan> {
        let done = run.plan.afterwards.is_some() && run.end() == End::Done;
        let plan = done.then(|| self.plan_of(&run.lab.cluster, &run.lab, true))?;
        (!plan.is_refused() && !plan.steps.is_empty()).then_some(plan)
    }

    /// `otb apply`, as often as it has something to do and may.
    pub(super) fn follow(&self, lab: &Lab) -> Advice {
        let mut advice =
            Advice { lab: lab.clone(), finished: false, applies: 0, breaches: Vec::new(), refused: Vec::new() };
        loop {
            // A person takes longer than any checkpoint.
            advice.lab.much_later();
            let plan = self.plan(&advice.lab);
            advice.refused = plan.refusing().map(|check| check.id.to_string()).collect();
            advice.finished = !plan.is_refused() && plan.changes.is_empty();
            if advice.finished || plan.is_refused() || plan.steps.is_empty() || advice.applies == APPLIES {
                return advice;
            }
            advice.applies += 1;
            let mut run = Run::new(advice.lab, &plan);
            run.finish();
            advice.breaches.extend(std::mem::take(&mut run.breaches));
            let second = self.second_part(&run);
            advice.lab = run.lab;
            if let Some(second) = second {
                let mut rest = Run::new(advice.lab, &second);
                rest.finish();
                advice.breaches.extend(std::mem::take(&mut rest.breaches));
                advice.lab = rest.lab;
            }
            advice.lab.release();
        }
    }
}

/// The nodes whose masters clients reach.
pub(super) fn served(lab: &Lab) -> Vec<NodeName> {
    lab.cluster.nodes.keys().filter(|node| serves(lab, node)).cloned().collect()
}
