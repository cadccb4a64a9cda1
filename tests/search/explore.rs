//! Depth first over all states: at each boundary every fault, then the next step.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use otb::apply::{End, Ledger, Outcome, can_be_taken_back};
use otb::model::{Condition, ControlState, InstanceId, NodeName};
use otb::plan::{Action, Input, Plan, Step, Waiver, audit, plan};

use super::act::{Mishap, perform, take_back};
use super::fault::{self, Fault};
use super::lab::Lab;
use super::seen::observe;

pub(crate) struct Search<'f> {
    faults: &'f [Fault],
    waivers: Vec<Waiver>,
    /// Bugs are planted here, to see that the search finds them.
    spoil: fn(&mut Plan),
    seen: HashSet<u64>,
    ended: HashSet<u64>,
    /// Paths from the first step to an end.
    pub(crate) runs: usize,
}

/// A run under way.
#[derive(Clone)]
pub(super) struct Run<'p> {
    pub(super) lab: Lab,
    pub(super) plan: &'p Plan,
    ledger: Ledger<'p>,
    /// What distinguishes this run's books from another's.
    books: BTreeMap<String, String>,
    mishap: Mishap,
    /// None: steps are still to be begun.
    undo: Option<Vec<&'p Step>>,
    /// What coordinators held prepared when it began.
    pub(super) in_doubt: BTreeSet<String>,
    /// How it came about, for whoever reads a failure.
    pub(super) path: Vec<String>,
}

impl<'f> Search<'f> {
    pub(crate) fn new(faults: &'f [Fault]) -> Self {
        let (seen, ended) = (HashSet::new(), HashSet::new());
        Self { faults, waivers: Vec::new(), spoil: |_| {}, seen, ended, runs: 0 }
    }

    /// With `--waive`s, as if each command were given with them.
    pub(crate) fn waiving(mut self, waivers: &[&str]) -> Self {
        self.waivers = waivers.iter().map(|waiver| Waiver::new(waiver, "CHG-1").unwrap()).collect();
        self
    }

    pub(crate) fn spoilt_by(mut self, spoil: fn(&mut Plan)) -> Self {
        self.spoil = spoil;
        self
    }

    /// `owes_reloads`: the first part of this run has moved the GTM.
    pub(crate) fn make_plan(&self, lab: &Lab, owes_reloads: bool) -> Plan {
        plan(&Input {
            cluster: &lab.cluster,
            seen: &observe(lab),
            targets: &[],
            waivers: &self.waivers,
            observed_at: String::new(),
            owes_reloads,
        })
    }

    pub(crate) fn states(&self) -> usize {
        self.seen.len()
    }

    pub(crate) fn ends(&self) -> usize {
        self.ended.len()
    }

    /// Plans once, as a run does under its lock, and explores everything that may become of it.
    pub(crate) fn run(&mut self, lab: &Lab, most: usize) {
        let mut plan = self.make_plan(lab, false);
        assert!(!plan.is_refused() && !plan.steps.is_empty(), "{:#?}", plan.checks);
        assert_eq!(audit(&plan), Vec::<String>::new());
        (self.spoil)(&mut plan);
        self.explore(Run::new(lab.clone(), &plan), most);
    }

    /// Without its waiver nothing may be done.
    pub(crate) fn assert_refused(&self, lab: &Lab, check: &str) {
        let plan = self.make_plan(lab, false);
        let refuses = |found: &otb::plan::Check| found.id.as_str() == check && found.verdict.refuses();
        assert!(plan.checks.iter().any(refuses), "{check} does not refuse: {:#?}", plan.checks);
    }

    /// Applies without any fault, as often as there is something to do.
    pub(crate) fn settle(&self, lab: &mut Lab) {
        *lab = self.converge(lab.clone(), Vec::new());
    }

    fn explore(&mut self, mut run: Run<'_>, left: usize) {
        loop {
            if !self.seen.insert(run.key(left)) {
                return;
            }
            if left > 0 {
                self.branch(&run, left);
            }
            if !run.advance() {
                break;
            }
        }
        if run.ledger.clone().report().end == End::Done {
            run.assert_settled();
        }
        match self.second_part(&run) {
            Some(plan) => {
                let mut rest = Run::new(run.lab, &plan);
                rest.path = run.path;
                self.explore(rest, left);
            }
            None => self.end(&run),
        }
    }

    /// What apply plans and goes on with once the GTM's part is done.
    fn second_part(&self, run: &Run<'_>) -> Option<Plan> {
        let done = run.plan.afterwards.is_some() && run.ledger.clone().report().end == End::Done;
        let plan = done.then(|| self.make_plan(&run.lab, true))?;
        (!plan.is_refused() && !plan.steps.is_empty()).then_some(plan)
    }

    fn branch(&mut self, run: &Run<'_>, left: usize) {
        for fault in self.faults {
            let mut branch = run.clone();
            branch.path.push(format!("{fault:?}"));
            match fault {
                Fault::OtbKilled => {
                    self.end(&branch);
                    continue;
                }
                Fault::Interrupt => branch.note("interrupt", Ledger::interrupt),
                Fault::LockLost => branch.note("lock lost", |ledger| ledger.halt("the lock was lost")),
                Fault::Mishap(mishap) => branch.mishap = *mishap,
                fault if !fault.strike(&mut branch.lab) => continue,
                _ => branch.assert_one_master(),
            }
            self.explore(branch, left - 1);
        }
    }

    /// After everything has healed, fresh plans lead to the declared cluster.
    fn end(&mut self, run: &Run<'_>) {
        self.runs += 1;
        let mut run = run.clone();
        // What otb held ends with otb.
        run.lab.release();
        run.lab.heal();
        if self.ended.insert(run.lab.key()) {
            run.path.push("healed".to_owned());
            self.converge(run.lab, run.path);
        }
    }

    fn converge(&self, mut lab: Lab, mut path: Vec<String>) -> Lab {
        let mut owes = false;
        for _ in 0..8 {
            let plan = self.make_plan(&lab, owes);
            owes = false;
            if plan.is_empty() {
                return lab;
            }
            if plan.is_refused() {
                follow_hints(&mut lab, &plan);
                continue;
            }
            assert_eq!(audit(&plan), Vec::<String>::new(), "after {path:#?}");
            let mut again = Run::new(lab, &plan);
            again.path = path;
            while again.advance() {}
            again.lab.restart_broken_gtms();
            owes = self.second_part(&again).is_some();
            Run { lab, path, .. } = again;
        }
        let plan = self.make_plan(&lab, owes);
        let steps: Vec<_> = plan.steps.iter().map(|step| step.id.to_string()).collect();
        let checks: Vec<_> = plan.checks.iter().filter(|check| check.verdict.refuses()).collect();
        panic!("it does not converge: {steps:?}\n{checks:#?}\n{:#?}\nafter {path:#?}", plan.unseen);
    }
}

impl<'p> Run<'p> {
    /// Does the whole plan, and gives what became of the cluster.
    pub(super) fn finish(mut self, lab: &mut Lab) {
        while self.advance() {}
        *lab = self.lab;
    }

    pub(super) fn new(mut lab: Lab, plan: &'p Plan) -> Self {
        lab.flushed.clear();
        lab.ended.clear();
        let ledger = Ledger::new(plan);
        let (books, in_doubt, path) = (BTreeMap::new(), lab.in_doubt(), Vec::new());
        Self { lab, plan, ledger, books, mishap: Mishap::None, undo: None, in_doubt, path }
    }

    fn note(&mut self, what: &str, book: impl FnOnce(&mut Ledger<'p>)) {
        self.books.insert(what.to_owned(), String::new());
        book(&mut self.ledger);
    }

    fn key(&self, left: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        let undo = self.undo.as_ref().map(|steps| steps.iter().map(|step| &step.id).collect::<Vec<_>>());
        (self.lab.key(), &self.books, self.mishap, undo, left).hash(&mut hasher);
        hasher.finish()
    }

    /// One step or one undoing. False: the run is over.
    fn advance(&mut self) -> bool {
        let went_on = if self.undo.is_some() { self.take_one_back() } else { self.next_step() };
        if went_on {
            self.lab.later();
            self.assert_one_master();
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
                let outcome = perform(&mut self.lab, step, &action, &established, mishap);
                if let Action::Promote { instance } = &action {
                    self.assert_nothing_lost(instance);
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
        assert!(self.lab.held.is_empty(), "clients still wait when all steps are over: {:#?}", self.path);
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
            Mishap::None | Mishap::AnswerLost => take_back(&mut self.lab, step),
            Mishap::Refused | Mishap::RequestLost => Err("failed by the search".to_owned()),
        };
        self.path.push(format!("undo {}: {result:?}", step.id));
        self.ledger.undone(step, result);
        true
    }
}

/// As apply's own question after a promotion that failed.
fn died_as_standby(lab: &Lab, id: &InstanceId) -> bool {
    let stopped = super::condition::check(lab, &Condition::Stopped { instance: id.clone() });
    if super::condition::is_gtm(lab, id) {
        return stopped == otb::apply::Found::Holds && lab.files[id].recovery.is_some();
    }
    let state = lab.world.postgres(lab.disks[id]).unwrap().control.state;
    stopped == otb::apply::Found::Holds
        && matches!(state, ControlState::InArchiveRecovery | ControlState::ShutDownInRecovery)
}

/// Does what the hints of a refusal tell an operator to do.
fn follow_hints(lab: &mut Lab, plan: &Plan) {
    for check in plan.checks.iter().filter(|check| check.verdict.refuses()) {
        let (code, subject) = check.id.as_str().split_once(':').unwrap();
        let node = NodeName::new(subject.split('@').next().unwrap()).unwrap();
        let copies: Vec<InstanceId> = lab.disks.keys().filter(|id| id.node == node).cloned().collect();
        let word = |lab: &Lab, id: &InstanceId| lab.world.word(lab.disks[id]);
        let master = copies.iter().find(|id| word(lab, id) == "master").cloned();
        match (code, master) {
            ("data-loss" | "fence" | "standby" | "routes", None) => {
                let mut stopped: Vec<_> = copies.into_iter().filter(|id| word(lab, id) == "stopped").collect();
                // The one that holds most first; and never a second one that would be a master.
                let end = |id: &InstanceId| lab.world.postgres(lab.disks[id]).map(|copy| copy.wal.end());
                stopped.sort_by_key(|id| std::cmp::Reverse(end(id)));
                for id in &stopped {
                    let has_master = lab.disks.keys().any(|other| other.node == node && word(lab, other) == "master");
                    if !has_master || lab.files[id].recovery.is_some() {
                        fault::start(lab, id);
                    }
                }
            }
            ("standby" | "attached" | "lag", Some(master)) => lab.declare(node.as_str(), master.server.as_str()),
            ("in-doubt", _) => {
                let coordinators = lab.disks.keys().filter(|id| id.node.as_str().starts_with("cn")).cloned();
                for coordinator in coordinators.collect::<Vec<_>>() {
                    // One that is down now is asked again in the next round.
                    let _ = lab.sql(&coordinator, otb::opentenbase::finish_in_doubt().as_str());
                }
            }
            _ => {}
        }
    }
    lab.make_a_gtm_active(plan);
    lab.much_later();
}
