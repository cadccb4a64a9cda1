//! The step loop on the live cluster: starts every step whose needs are done, in parallel, and records the results.
//! The [`Ledger`] decides what to do next.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;

use super::cluster_access::ClusterAccess;
use super::event::{Event, Outcome, milliseconds};
use super::ledger::Ledger;
use super::lock::Lock;
use super::report::{Report, Undone};
use super::{act, proof, takeback};
use crate::model::{NodeName, Observation};
use crate::plan::{Plan, Step};
use crate::transport::Connections;

/// How often the operator asked to stop. Once: finish or undo what has begun. Twice: drop everything.
pub type Interrupts = watch::Receiver<u8>;

/// The effect of the first interrupt, and of a second one.
const INTERRUPTED: &str =
    "Interrupted. Rolling back nodes not yet promoted, finishing the others. Press Ctrl-C again to stop at once.";

/// Time limit for settling transactions that a stop, now taken back, left in doubt.
const SETTLED_AGAIN: Duration = Duration::from_secs(60);

/// One run of a plan.
pub struct Run<'a> {
    plan: &'a Plan,
    access: ClusterAccess<'a>,
    tell: &'a (dyn Fn(&Event) + Sync),
    interrupts: Interrupts,
    lock: &'a mut Lock,
    ledger: Ledger<'a>,
    /// When the stop of a node's old master began.
    gap_began: BTreeMap<NodeName, Instant>,
}

impl<'a> Run<'a> {
    /// `tell` receives an event before and after each step; `lock` is checked before each step.
    pub fn new(
        plan: &'a Plan,
        connections: &'a Connections,
        lock: &'a mut Lock,
        interrupts: Interrupts,
        tell: &'a (dyn Fn(&Event) + Sync),
    ) -> Self {
        Self {
            plan,
            access: ClusterAccess::new(&plan.cluster, connections, tell),
            tell,
            interrupts,
            lock,
            ledger: Ledger::new(plan),
            gap_began: BTreeMap::new(),
        }
    }

    /// Takes from an observation what otb does not need to read again: the replication users of standbys, and how
    /// hosts are written.
    #[must_use]
    pub fn knowing(mut self, seen: &Observation) -> Self {
        self.access.know(seen);
        self
    }

    /// Does the plan. Always comes back with a report, whatever happened.
    pub async fn run(mut self) -> Report {
        (self.tell)(&Event::Started { steps: self.plan.steps.len() });
        if let Err(why) = proof::warm_up(self.plan, &self.access).await {
            self.note(format!("nothing was started: {why}"));
            return self.ledger.report();
        }
        let finished = self.steps().await;
        // Asked here too: an interrupt that came before the first step began was seen by each step's fate alone.
        self.see_interrupts();
        if !finished {
            self.note("Interrupted twice: otb dropped the steps in progress, their outcome is unknown.".to_owned());
            return self.ledger.report();
        }
        self.see_lock().await;
        self.take_back().await;
        self.gaps();
        self.ledger.report()
    }

    /// Runs steps until none is left. False: the operator insisted on stopping at once.
    async fn steps(&mut self) -> bool {
        let mut interrupts = self.interrupts.clone();
        // The field is shared by the steps under way while `self` keeps the books.
        let connections = self.access.connections;
        let access =
            std::mem::replace(&mut self.access, ClusterAccess::new(&self.plan.cluster, connections, self.tell));
        let mut under_way = FuturesUnordered::new();
        let finished = loop {
            self.see_interrupts();
            self.see_lock().await;
            while let Some((step, fate)) = self.ledger.begin_next() {
                match fate {
                    Err(why) => self.settle(step, Outcome::skipped(why), Duration::ZERO),
                    Ok(action) => {
                        self.begin(step);
                        let established = self.ledger.established(step);
                        under_way.push(timed(step, act::perform(step, action, established, &access)));
                    }
                }
            }
            if under_way.is_empty() {
                break true;
            }
            tokio::select! {
                Some((step, outcome, took)) = under_way.next() => {
                    for note in access.take_notes().await {
                        self.note(note);
                    }
                    self.settle(step, outcome, took);
                }
                Ok(()) = interrupts.changed() => {
                    if *interrupts.borrow() > 1 {
                        break false;
                    }
                    // A note while the run continues; the report has the result.
                    (self.tell)(&Event::Note { text: INTERRUPTED.to_owned() });
                }
            }
        };
        drop(under_way);
        for id in self.ledger.under_way() {
            let dropped = Outcome::Unknown { why: "dropped by a second Ctrl-C".to_owned() };
            self.ledger.record.outcomes.insert(id, (dropped, Duration::ZERO));
        }
        self.ledger.record.hold = access.held.lock().await.take();
        self.access = access;
        finished
    }

    fn begin(&mut self, step: &Step) {
        (self.tell)(&Event::StepStarted { step: step.id.clone() });
        if step.interrupts_its_node() {
            self.gap_began.entry(step.action.target().node.clone()).or_insert_with(Instant::now);
        }
    }

    fn see_interrupts(&mut self) {
        if *self.interrupts.borrow() > 0 {
            self.ledger.interrupt();
        }
    }

    /// Without the lock another otb may be working: stop here, and leave the rest to a fresh plan.
    async fn see_lock(&mut self) {
        if self.ledger.is_halted() {
            return;
        }
        match self.lock.keep(self.access.connections).await {
            Ok(notes) => notes.into_iter().for_each(|note| self.note(note)),
            Err(why) => {
                self.ledger.halt(&why);
                self.note(format!(
                    "{why}: otb stops here, because another otb may be working now; nothing is rolled \
                    back"
                ));
            }
        }
    }

    fn settle(&mut self, step: &Step, outcome: Outcome, took: Duration) {
        (self.tell)(&Event::StepEnded {
            step: step.id.clone(),
            outcome: outcome.clone(),
            milliseconds: milliseconds(took),
        });
        if outcome.is_done() {
            for node in step.action.proves() {
                if let Some(began) = self.gap_began.get(node) {
                    let gap = self.ledger.record.gaps.entry(node.clone()).or_default();
                    *gap = began.elapsed().max(*gap);
                }
            }
        }
        if let Outcome::Skipped { why } = &outcome
            && step.is_optional()
        {
            let text = format!("{why}. The move continues without a hold (policy.hold: prefer): statements may fail");
            (self.tell)(&Event::Note { text });
        }
        self.ledger.settle(step, outcome, took);
    }

    /// Undoes what was done for nodes that did not reach their point of no return.
    async fn take_back(&mut self) {
        for undoing in self.ledger.undoings() {
            if let Some(promotion) = undoing.unless_promoted.filter(|step| !step.gives_up())
                && !takeback::died_as_standby(promotion.action.target(), &self.access).await
            {
                continue;
            }
            for step in undoing.steps {
                self.take_back_step(step).await;
            }
        }
        Box::pin(self.settle_what_is_back()).await;
    }

    /// Settles transactions after a stop was taken back. Such a stop cuts commits in half, too: the cluster is as before
    /// only after they are finished.
    async fn settle_what_is_back(&mut self) {
        let Some((coordinator, masters)) = self.ledger.to_settle_again() else { return };
        if let Err(why) = act::finish_all(coordinator, &masters, SETTLED_AGAIN, &self.access).await {
            self.note(why.to_string());
            self.ledger.record.unsettled = true;
        }
    }

    async fn take_back_step(&mut self, step: &Step) {
        if !takeback::can_be_taken_back(&step.action) {
            return;
        }
        (self.tell)(&Event::Undoing { step: step.id.clone() });
        let result = takeback::take_back(step, &self.access).await;
        (self.tell)(&Event::Undone(Undone::new(step.id.clone(), result.clone())));
        self.ledger.undone(step, result);
    }

    fn gaps(&self) {
        if let Some(hold) = &self.ledger.record.hold {
            (self.tell)(&Event::Hold(hold.clone()));
        }
        for (node, gap) in &self.ledger.record.gaps {
            let expected = self.plan.expected_gap(node);
            (self.tell)(&Event::Gap { node: node.clone(), milliseconds: milliseconds(*gap), expected });
        }
    }

    fn note(&mut self, text: String) {
        (self.tell)(&Event::Note { text: text.clone() });
        self.ledger.record.notes.push(text);
    }
}

async fn timed(step: &Step, work: impl Future<Output = Outcome>) -> (&Step, Outcome, Duration) {
    let began = Instant::now();
    let outcome = work.await;
    (step, outcome, began.elapsed())
}
