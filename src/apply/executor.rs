//! The step loop: starts every step whose needs are settled, side by side, and settles what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;

use super::event::{Event, Outcome, milliseconds};
use super::field::Field;
use super::report::{Record, Report, Undone};
use super::{act, proof, takeback};
use crate::model::{Condition, NodeName};
use crate::plan::{Action, Phase, Plan, Step, StepId};
use crate::transport::Outside;

/// How often the operator asked to stop. Once: finish or undo what has begun. Twice: drop everything.
pub type Interrupts = watch::Receiver<u8>;

/// One run of a plan.
pub struct Run<'a> {
    plan: &'a Plan,
    field: Field<'a>,
    tell: &'a (dyn Fn(&Event) + Sync),
    interrupts: Interrupts,
    record: Record,
    /// When the stop of a node's old master began.
    gap_began: BTreeMap<NodeName, Instant>,
    /// Nodes whose takeover failed or was left out: nothing of theirs goes on.
    failed: BTreeSet<NodeName>,
}

impl<'a> Run<'a> {
    pub fn new(
        plan: &'a Plan,
        outside: &'a Outside,
        interrupts: Interrupts,
        tell: &'a (dyn Fn(&Event) + Sync),
    ) -> Self {
        Self {
            plan,
            field: Field::new(&plan.cluster, outside),
            tell,
            interrupts,
            record: Record::default(),
            gap_began: BTreeMap::new(),
            failed: BTreeSet::new(),
        }
    }

    /// Does the plan. Always comes back with a report, whatever happened.
    pub async fn run(mut self) -> Report {
        (self.tell)(&Event::Started { steps: self.plan.steps.len() });
        if let Err(why) = proof::warm_up(self.plan, &self.field).await {
            self.note(format!("nothing was begun: {why}"));
            return self.record.report(self.plan);
        }
        let finished = self.steps().await;
        // Asked here too: an interrupt that came before the first step began was seen by each step's fate alone.
        self.record.interrupted |= *self.interrupts.borrow() > 0;
        if !finished {
            self.note("interrupted twice: steps under way were dropped, their outcome is unknown".to_owned());
            return self.record.report(self.plan);
        }
        self.take_back().await;
        self.gaps();
        self.record.report(self.plan)
    }

    /// Runs steps until none is left. False: the operator insisted on stopping at once.
    async fn steps(&mut self) -> bool {
        let plan = self.plan;
        let mut begun: BTreeSet<StepId> = BTreeSet::new();
        let mut interrupts = self.interrupts.clone();
        // The field is shared by the steps under way while `self` keeps the books.
        let outside = self.field.outside;
        let field = std::mem::replace(&mut self.field, Field::new(&plan.cluster, outside));
        let mut under_way = FuturesUnordered::new();
        let finished = loop {
            for step in &plan.steps {
                if begun.contains(&step.id) || !self.is_ready(step) {
                    continue;
                }
                begun.insert(step.id.clone());
                match self.fate(step) {
                    Err(why) => self.settle(step, Outcome::skipped(why), Duration::ZERO),
                    Ok(action) => {
                        (self.tell)(&Event::StepStarted { step: step.id.clone() });
                        if step.phase == Phase::Move {
                            self.gap_began.entry(step.action.target().node.clone()).or_insert_with(Instant::now);
                        }
                        under_way.push(timed(step, act::perform(step, action, self.established(step), &field)));
                    }
                }
            }
            if under_way.is_empty() {
                if begun.len() == plan.steps.len() || !self.any_ready(&begun) {
                    break true;
                }
                continue;
            }
            tokio::select! {
                Some((step, outcome, took)) = under_way.next() => self.settle(step, outcome, took),
                Ok(()) = interrupts.changed() => {
                    self.record.interrupted = true;
                    if *interrupts.borrow() > 1 {
                        break false;
                    }
                    self.note("interrupted: what has not passed its point of no return is undone, the rest is finished".to_owned());
                }
            }
        };
        let abandoned: Vec<StepId> =
            begun.iter().filter(|id| !self.record.outcomes.contains_key(*id)).cloned().collect();
        drop(under_way);
        for id in abandoned {
            self.record
                .outcomes
                .insert(id, (Outcome::Unknown { why: "dropped by a second interrupt".to_owned() }, Duration::ZERO));
        }
        self.field = field;
        finished
    }

    fn is_ready(&self, step: &Step) -> bool {
        step.needs.iter().all(|need| self.record.outcomes.contains_key(need))
    }

    fn any_ready(&self, begun: &BTreeSet<StepId>) -> bool {
        self.plan.steps.iter().any(|step| !begun.contains(&step.id) && self.is_ready(step))
    }

    /// Preconditions of `step` that the steps it needs have just proved: asking again would only lengthen the
    /// write gap.
    fn established(&self, step: &Step) -> Vec<Condition> {
        let needed = self.plan.steps.iter().filter(|other| step.needs.contains(&other.id));
        let done =
            needed.filter(|other| self.record.outcomes.get(&other.id).is_some_and(|(outcome, _)| outcome.is_done()));
        done.flat_map(|other| other.after.iter().chain(&other.before)).cloned().collect()
    }

    /// What is left to do of a step after the failures so far, or why it is left out.
    fn fate(&self, step: &Step) -> Result<Action, String> {
        let node = &step.action.target().node;
        if self.failed.contains(node) {
            return Err(format!("the move of {node} did not come about"));
        }
        let reroute = self.reroute_before(step);
        let rerouted = reroute.is_some_and(takeback::may_have_happened);
        // A router that was told must also use what it was told: nobody could see later that it does not.
        if *self.interrupts.borrow() > 0 && !self.has_passed(step) && !rerouted {
            return Err("interrupted".to_owned());
        }
        if matches!(reroute, Some(Outcome::Skipped { .. })) {
            return Err("its reroute was left out".to_owned());
        }
        if matches!(step.action, Action::Prove { .. }) && reroute.is_some_and(|outcome| !outcome.is_done()) {
            return Err("its coordinator was not told".to_owned());
        }
        let action = without(&step.action, &self.failed);
        action.ok_or_else(|| "nothing of it is left: the moves it serves did not come about".to_owned())
    }

    /// How the reroute ended that a reload or a proof follows: without it neither has a purpose.
    fn reroute_before(&self, step: &Step) -> Option<&Outcome> {
        let (Action::Reload { router } | Action::Prove { coordinator: router, .. }) = &step.action else {
            return None;
        };
        let mut steps = self.plan.steps.iter();
        let reroute =
            steps.find(|other| matches!(&other.action, Action::Reroute { router: at, .. } if at == router))?;
        self.record.outcomes.get(&reroute.id).map(|(outcome, _)| outcome)
    }

    /// Whether the point of no return lies behind this step: its node's, or for shared steps any node's.
    fn has_passed(&self, step: &Step) -> bool {
        let promoted = |other: &&Step| {
            other.point_of_no_return
                && self.record.outcomes.get(&other.id).is_some_and(|(outcome, _)| outcome.is_done())
        };
        let mut done = self.plan.steps.iter().filter(promoted);
        match step.phase {
            Phase::Prepare | Phase::Move => done.any(|other| other.action.target().node == step.action.target().node),
            Phase::Reroute | Phase::Reload | Phase::Prove | Phase::Rejoin => done.next().is_some(),
        }
    }

    fn settle(&mut self, step: &Step, outcome: Outcome, took: Duration) {
        if !outcome.is_done() && matches!(step.phase, Phase::Prepare | Phase::Move) {
            self.failed.insert(step.action.target().node.clone());
        }
        (self.tell)(&Event::StepEnded {
            step: step.id.clone(),
            outcome: outcome.clone(),
            milliseconds: milliseconds(took),
        });
        if let Action::Prove { instances, .. } = &step.action
            && outcome.is_done()
        {
            for instance in instances {
                if let Some(began) = self.gap_began.get(&instance.node) {
                    let gap = self.record.gaps.entry(instance.node.clone()).or_default();
                    *gap = began.elapsed().max(*gap);
                }
            }
        }
        self.record.outcomes.insert(step.id.clone(), (outcome, took));
    }

    /// Undoes what was done for nodes that did not reach their point of no return.
    async fn take_back(&mut self) {
        for node in self.failed.clone() {
            let mine =
                |step: &&Step| step.action.target().node == node && matches!(step.phase, Phase::Prepare | Phase::Move);
            let steps: Vec<&Step> = self.plan.steps.iter().filter(mine).collect();
            let promotion = steps.iter().find(|step| step.point_of_no_return);
            let outcome = promotion.and_then(|step| self.record.outcomes.get(&step.id)).map(|(outcome, _)| outcome);
            // A promotion that may have happened is never undone: two masters would be the price.
            let never_sent = matches!(outcome, Some(Outcome::Skipped { .. })) || promotion_never_sent(outcome);
            if !never_sent && !self.died_as_standby(promotion, outcome).await {
                continue;
            }
            for step in steps.iter().rev() {
                self.take_back_step(step).await;
            }
        }
    }

    /// Whether the promotion killed its standby before it was a master, so that nobody can have written to it.
    async fn died_as_standby(&self, promotion: Option<&&Step>, outcome: Option<&Outcome>) -> bool {
        match (promotion, outcome) {
            (Some(step), Some(Outcome::NotDone { .. })) => {
                takeback::died_as_standby(step.action.target(), &self.field).await
            }
            _ => false,
        }
    }

    async fn take_back_step(&mut self, step: &Step) {
        let outcome = self.record.outcomes.get(&step.id).map(|(outcome, _)| outcome);
        if !outcome.is_some_and(takeback::may_have_happened) {
            return;
        }
        if let Some(result) = takeback::take_back(step, &self.field).await {
            (self.tell)(&Event::Undone(Undone::new(step.id.clone(), result.clone())));
            self.record.undone.insert(step.id.clone(), result);
        }
    }

    fn gaps(&self) {
        for (node, gap) in &self.record.gaps {
            (self.tell)(&Event::Gap { node: node.clone(), milliseconds: milliseconds(*gap) });
        }
    }

    fn note(&mut self, text: String) {
        (self.tell)(&Event::Note { text: text.clone() });
        self.record.notes.push(text);
    }
}

/// The promotion's precondition failed, so its command was never sent.
fn promotion_never_sent(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::NotDone { why }) if why.starts_with(act::BEFORE))
}

async fn timed(step: &Step, work: impl Future<Output = Outcome>) -> (&Step, Outcome, Duration) {
    let began = Instant::now();
    let outcome = work.await;
    (step, outcome, began.elapsed())
}

/// `action` without the nodes whose move failed; none if nothing is left.
fn without(action: &Action, failed: &BTreeSet<NodeName>) -> Option<Action> {
    match action {
        Action::Reroute { router, routes } => {
            let routes: Vec<_> = routes.iter().filter(|change| !failed.contains(&change.node)).cloned().collect();
            (!routes.is_empty()).then(|| Action::Reroute { router: router.clone(), routes })
        }
        Action::Prove { coordinator, instances } => {
            let instances: Vec<_> = instances.iter().filter(|id| !failed.contains(&id.node)).cloned().collect();
            (!instances.is_empty()).then(|| Action::Prove { coordinator: coordinator.clone(), instances })
        }
        other => Some(other.clone()),
    }
}
