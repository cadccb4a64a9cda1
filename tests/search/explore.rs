//! Depth first over all states: at each boundary every fault, then the next step.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use otb::apply::{Ledger, Outcome, can_be_taken_back};
use otb::model::{Condition, ControlState, InstanceId, NodeName};
use otb::plan::{Action, Input, Plan, Step, audit, plan};
use otb::sandbox::world::{Body, DiskId, Reach};

use super::act::{Mishap, perform, take_back};
use super::fault::{self, Fault};
use super::lab::Lab;
use super::seen::observe;

pub(crate) struct Search<'f> {
    faults: &'f [Fault],
    seen: HashSet<u64>,
    ended: HashSet<u64>,
    /// Paths from the first step to an end.
    pub(crate) runs: usize,
}

/// A run under way.
#[derive(Clone)]
struct Run<'p> {
    lab: Lab,
    ledger: Ledger<'p>,
    /// What distinguishes this run's books from another's.
    books: BTreeMap<String, String>,
    mishap: Mishap,
    /// None: steps are still to be begun.
    undo: Option<Vec<&'p Step>>,
    /// How it came about, for whoever reads a failure.
    path: Vec<String>,
}

fn make_plan(lab: &Lab) -> Plan {
    let seen = observe(lab);
    plan(&Input {
        cluster: &lab.cluster,
        seen: &seen,
        targets: &[],
        waivers: &[],
        observed_at: String::new(),
        owes_reloads: false,
    })
}

impl<'f> Search<'f> {
    pub(crate) fn new(faults: &'f [Fault]) -> Self {
        Self { faults, seen: HashSet::new(), ended: HashSet::new(), runs: 0 }
    }

    pub(crate) fn states(&self) -> usize {
        self.seen.len()
    }

    pub(crate) fn ends(&self) -> usize {
        self.ended.len()
    }

    /// Plans once, as a run does under its lock, and explores everything that may become of it.
    pub(crate) fn run(&mut self, lab: &Lab, most: usize) {
        let plan = make_plan(lab);
        assert!(!plan.is_refused() && !plan.steps.is_empty(), "{:#?}", plan.checks);
        assert_eq!(audit(&plan), Vec::<String>::new());
        self.explore(Run::new(lab.clone(), &plan), most);
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
        self.runs += 1;
        self.converges(&run);
    }

    fn branch(&mut self, run: &Run<'_>, left: usize) {
        for fault in self.faults {
            let mut branch = run.clone();
            branch.path.push(format!("{fault:?}"));
            match fault {
                Fault::OtbKilled => {
                    self.runs += 1;
                    self.converges(&branch);
                    continue;
                }
                Fault::Interrupt => branch.note("interrupt", Ledger::interrupt),
                Fault::LockLost => branch.note("lock lost", |ledger| ledger.halt("the lock was lost")),
                Fault::Mishap(mishap) => branch.mishap = *mishap,
                fault if !fault.strike(&mut branch.lab) => continue,
                _ => branch.one_writable_master_at_most(),
            }
            self.explore(branch, left - 1);
        }
    }

    /// After everything has healed, fresh plans lead to the declared cluster.
    fn converges(&mut self, run: &Run<'_>) {
        let mut lab = run.lab.clone();
        lab.heal();
        if !self.ended.insert(lab.key()) {
            return;
        }
        for _ in 0..8 {
            let plan = make_plan(&lab);
            if plan.is_empty() {
                return;
            }
            if plan.is_refused() {
                follow_hints(&mut lab, &plan);
                continue;
            }
            assert_eq!(audit(&plan), Vec::<String>::new(), "after {:#?}", run.path);
            let mut again = Run::new(lab, &plan);
            again.path.clone_from(&run.path);
            again.path.push("healed".to_owned());
            while again.advance() {}
            lab = again.lab;
        }
        let plan = make_plan(&lab);
        let steps: Vec<_> = plan.steps.iter().map(|step| step.id.to_string()).collect();
        let checks: Vec<_> = plan.checks.iter().filter(|check| check.verdict.refuses()).collect();
        panic!("it does not converge: {steps:?}\n{checks:#?}\n{:#?}\nafter {:#?}", plan.unseen, run.path);
    }
}

impl<'p> Run<'p> {
    fn new(lab: Lab, plan: &'p Plan) -> Self {
        let ledger = Ledger::new(plan);
        Self { lab, ledger, books: BTreeMap::new(), mishap: Mishap::None, undo: None, path: Vec::new() }
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
            self.lab.rename_recovery_files();
            self.one_writable_master_at_most();
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
                    self.nothing_acknowledged_is_lost(instance);
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

    /// Of each node at most one process that may be written to can be reached by any router.
    fn one_writable_master_at_most(&self) {
        for node in self.lab.cluster.nodes.values().filter(|node| node.kind.is_router()) {
            let reached = self.writable(&node.name);
            assert!(reached.len() < 2, "{} has {} masters in reach after {:#?}", node.name, reached.len(), self.path);
        }
    }

    fn writable(&self, node: &NodeName) -> BTreeSet<DiskId> {
        let world = &self.lab.world;
        let routers = world.disks().filter(|(disk, copy)| copy.is_master() && !world.is_hung(*disk));
        let mut reached = BTreeSet::new();
        for (_, router) in routers {
            let row = router.data.routes.get(node.as_str()).map(|row| (row.host.clone(), row.port));
            let pooled = router.process.as_ref().and_then(|process| process.pooler.address(node.as_str()));
            for (host, port) in row.into_iter().chain(pooled) {
                if let Reach::Live(disk) = world.reach(&router.home.server, &host, port)
                    && world.postgres(disk).is_some_and(|copy| copy.home.node == *node && copy.is_master())
                {
                    reached.insert(disk);
                }
            }
        }
        reached
    }

    /// Whatever any copy of the node has written is in the copy that became master.
    fn nothing_acknowledged_is_lost(&self, promoted: &InstanceId) {
        let world = &self.lab.world;
        let own = world.postgres(self.lab.disks[promoted]).unwrap();
        if !own.is_master() {
            return;
        }
        let have: BTreeSet<_> = own.wal.records().iter().map(|record| (record.end, record.timeline)).collect();
        for (id, disk) in self.lab.disks.iter().filter(|(id, _)| id.node == promoted.node) {
            for record in world.postgres(*disk).unwrap().wal.records() {
                let matters = matches!(record.body, Body::Commit(_) | Body::Filler(_));
                let lost = matters && !have.contains(&(record.end, record.timeline));
                assert!(!lost, "{promoted} was promoted without what {id} has at {}: {:#?}", record.end, self.path);
            }
        }
    }
}

/// As apply's own question after a promotion that failed.
fn died_as_standby(lab: &Lab, id: &InstanceId) -> bool {
    let stopped = super::condition::check(lab, &Condition::Stopped { instance: id.clone() });
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
                let stopped: Vec<_> = copies.into_iter().filter(|id| word(lab, id) == "stopped").collect();
                for id in &stopped {
                    fault::start(lab, id);
                }
            }
            ("standby" | "attached" | "lag", Some(master)) => lab.declare(node.as_str(), master.server.as_str()),
            _ => {}
        }
    }
    lab.later();
}
