//! One run of a plan on a simulated cluster: the ledger's decisions, one step or undoing at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::act::{Inside, Mishap, perform, take_back};
use super::condition;
use super::fault::Fault;
use super::invariant::{Breach, BreachKind, two_masters};
use super::lab::Lab;
use crate::apply::{End, Found, Ledger, Outcome, can_be_taken_back};
use crate::model::{Condition, ControlState, InstanceId};
use crate::plan::{Action, Plan, Step};

/// A run under way.
#[derive(Debug, Clone)]
pub struct Run<'p> {
    pub lab: Lab,
    pub plan: &'p Plan,
    /// A broken invariant.
    pub breaches: Vec<Breach>,
    /// The history of the state, for the reader of a failure.
    pub path: Vec<String>,
    /// The transactions that coordinators had prepared when the run began.
    pub(super) in_doubt: BTreeSet<String>,
    /// The instances that another program has started meanwhile.
    pub(super) started: BTreeSet<InstanceId>,
    ledger: Ledger<'p>,
    /// The parts of this run's record that differ from another's.
    books: BTreeMap<String, String>,
    mishap: Mishap,
    /// A fault that strikes inside the next step.
    strike: Option<(Inside, Fault)>,
    /// Whether the last fault that was to strike inside a step did.
    struck: bool,
    /// None: steps are still to be begun.
    undo: Option<Vec<&'p Step>>,
}

impl<'p> Run<'p> {
    pub fn new(mut lab: Lab, plan: &'p Plan) -> Self {
        lab.flushed.clear();
        lab.ended.clear();
        let in_doubt = lab.in_doubt();
        Self {
            lab,
            plan,
            breaches: Vec::new(),
            path: Vec::new(),
            in_doubt,
            started: BTreeSet::new(),
            ledger: Ledger::new(plan),
            books: BTreeMap::new(),
            mishap: Mishap::None,
            strike: None,
            struck: false,
            undo: None,
        }
    }

    /// Lets a fault strike now, or the next act fail. False means that the fault does not fit the cluster as it is. A
    /// fault that ends otb itself does not strike here, because nothing of the run follows it.
    pub fn strike(&mut self, fault: &Fault) -> bool {
        self.path.push(format!("{fault:?}"));
        self.note_started(fault);
        match fault {
            Fault::Interrupt => self.note("interrupt", Ledger::interrupt),
            Fault::LockLost => self.note("lock lost", |ledger| ledger.halt("the lock was lost")),
            Fault::Mishap(mishap) => self.mishap = *mishap,
            Fault::OtbKilled => {}
            fault => {
                if !fault.strike(&mut self.lab) {
                    return false;
                }
                self.breaches.extend(two_masters(&self.lab));
            }
        }
        true
    }

    /// Something goes wrong inside the next step.
    pub fn strike_inside(&mut self, inside: Inside, fault: &Fault) {
        self.path.push(format!("{fault:?} {inside:?}"));
        self.note_started(fault);
        self.strike = Some((inside, fault.clone()));
        self.struck = false;
    }

    /// Whether it did: the step was begun, and the fault fitted the cluster.
    pub fn has_struck(&self) -> bool {
        self.struck
    }

    fn note_started(&mut self, fault: &Fault) {
        if let Fault::Start(id) = fault {
            self.started.insert(id.clone());
        }
    }

    fn note(&mut self, what: &str, book: impl FnOnce(&mut Ledger<'p>)) {
        self.books.insert(what.to_owned(), String::new());
        book(&mut self.ledger);
    }

    /// The parts that differ from other runs of the same plan and matter for the future.
    pub fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let undo = self.undo.as_ref().map(|steps| steps.iter().map(|step| &step.id).collect::<Vec<_>>());
        (self.lab.key(), &self.books, self.mishap, undo).hash(&mut hasher);
        hasher.finish()
    }

    /// How it ended, or would if it ended now.
    pub fn end(&self) -> End {
        self.ledger.clone().report().end
    }

    /// The step that is begun next, if one is.
    pub fn next_up(&self) -> Option<&'p Step> {
        match &self.undo {
            Some(_) => None,
            None => self.ledger.clone().begin_next().map(|(step, _)| step),
        }
    }

    /// Does all that is left.
    pub fn finish(&mut self) {
        while self.advance() {}
    }

    /// One step or one undoing. False: the run is over.
    pub fn advance(&mut self) -> bool {
        let went_on = if self.undo.is_some() { self.take_one_back() } else { self.next_step() };
        if went_on {
            self.lab.later();
            self.breaches.extend(two_masters(&self.lab));
        } else if self.end() == End::Done {
            self.breaches.extend(self.unsettled());
        }
        went_on
    }

    fn next_step(&mut self) -> bool {
        let Some((step, fate)) = self.ledger.begin_next() else {
            self.begin_undoing();
            return true;
        };
        let outcome = match fate {
            Err(why) => Outcome::skipped(why),
            Ok(action) => {
                let established = self.ledger.established(step);
                let mishap = std::mem::take(&mut self.mishap);
                let strike = self.strike.take();
                let strike = strike.as_ref().map(|(inside, fault)| (*inside, fault));
                let (outcome, struck) = perform(&mut self.lab, step, &action, &established, (mishap, strike));
                self.struck |= struck;
                if let Action::Promote { instance } = &action {
                    self.breaches.extend(self.lost(instance));
                }
                outcome
            }
        };
        self.path.push(format!("{}: {outcome:?}", step.id));
        self.books.insert(step.id.to_string(), format!("{outcome:?}"));
        self.ledger.settle(step, outcome, Duration::ZERO);
        true
    }

    fn begin_undoing(&mut self) {
        if !self.lab.held.is_empty()
            && let Some(step) = self.plan.steps.first()
        {
            let what = "clients still wait after all steps".to_owned();
            self.breaches.push(Breach { kind: BreachKind::Held, node: step.action.target().node.clone(), what });
        }
        let mut steps = Vec::new();
        for undoing in self.ledger.undoings() {
            let died = |step: &Step| died_as_standby(&self.lab, step.action.target());
            if undoing.unless_promoted.is_none_or(died) {
                steps.extend(undoing.steps.into_iter().filter(|step| can_be_taken_back(&step.action)));
            }
        }
        // The next one is taken from the end.
        steps.reverse();
        self.undo = Some(steps);
    }

    fn take_one_back(&mut self) -> bool {
        let Some(step) = self.undo.as_mut().and_then(Vec::pop) else { return false };
        let result = match std::mem::take(&mut self.mishap) {
            Mishap::None | Mishap::AnswerLost | Mishap::Late => take_back(&mut self.lab, step),
            Mishap::Refused | Mishap::RequestLost => Err("the tool failed".to_owned()),
        };
        self.path.push(format!("undo {}: {result:?}", step.id));
        self.ledger.undone(step, result);
        true
    }
}

/// As apply's own question after a promotion that failed.
fn died_as_standby(lab: &Lab, id: &InstanceId) -> bool {
    let stopped = condition::check(lab, &Condition::Stopped { instance: id.clone() });
    if condition::is_gtm(lab, id) {
        return stopped == Found::Holds && lab.recovery(id).is_some();
    }
    let state = lab.world.postgres(lab.disk(id)).map(|copy| copy.control.state);
    stopped == Found::Holds && matches!(state, Some(ControlState::InArchiveRecovery | ControlState::ShutDownInRecovery))
}
