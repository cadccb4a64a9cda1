//! Depth first over all states: at each boundary every fault, then the next step.

use std::collections::HashSet;

use otb::apply::End;
use otb::model::{InstanceId, NodeName};
use otb::plan::{Input, Plan, Waiver, audit, plan};
use otb::rehearsal::{Breach, Fault, Lab, Run, observe};

use super::fault;
use super::lab::{declare, make_a_gtm_active, restart_broken_gtms};

pub(crate) struct Search<'f> {
    faults: &'f [Fault],
    waivers: Vec<Waiver>,
    /// Bugs are planted here, to see that the search finds them.
    spoil: fn(&mut Plan),
    seen: HashSet<(u64, usize)>,
    ended: HashSet<u64>,
    /// Paths from the first step to an end.
    pub(crate) runs: usize,
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
            if !self.seen.insert((run.key(), left)) {
                return;
            }
            if left > 0 {
                self.branch(&run, left);
            }
            if !advance(&mut run) {
                break;
            }
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
        let done = run.plan.afterwards.is_some() && run.end() == End::Done;
        let plan = done.then(|| self.make_plan(&run.lab, true))?;
        (!plan.is_refused() && !plan.steps.is_empty()).then_some(plan)
    }

    fn branch(&mut self, run: &Run<'_>, left: usize) {
        for fault in self.faults {
            let mut branch = run.clone();
            if !branch.strike(fault) {
                continue;
            }
            assert_whole(&branch);
            if *fault == Fault::OtbKilled {
                self.end(&branch);
                continue;
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
            while advance(&mut again) {}
            restart_broken_gtms(&mut again.lab);
            owes = self.second_part(&again).is_some();
            Run { lab, path, .. } = again;
        }
        let plan = self.make_plan(&lab, owes);
        let steps: Vec<_> = plan.steps.iter().map(|step| step.id.to_string()).collect();
        let checks: Vec<_> = plan.checks.iter().filter(|check| check.verdict.refuses()).collect();
        panic!("it does not converge: {steps:?}\n{checks:#?}\n{:#?}\nafter {path:#?}", plan.unseen);
    }
}

/// One step; whatever must never be so ends the search.
pub(super) fn advance(run: &mut Run<'_>) -> bool {
    let went_on = run.advance();
    assert_whole(run);
    went_on
}

fn assert_whole(run: &Run<'_>) {
    if let Some(Breach { what, .. }) = run.breaches.first() {
        panic!("{what} after {:#?}", run.path);
    }
}

/// Does what the hints of a refusal tell an operator to do.
fn follow_hints(lab: &mut Lab, plan: &Plan) {
    for check in plan.checks.iter().filter(|check| check.verdict.refuses()) {
        let (code, subject) = check.id.as_str().split_once(':').unwrap();
        let node = NodeName::new(subject.split('@').next().unwrap()).unwrap();
        let copies: Vec<InstanceId> = lab.disks.keys().filter(|id| id.node == node).cloned().collect();
        let word = |lab: &Lab, id: &InstanceId| lab.world.word(lab.disk(id));
        let master = copies.iter().find(|id| word(lab, id) == "master").cloned();
        match (code, master) {
            ("data-loss" | "fence" | "standby" | "routes", None) => {
                let mut stopped: Vec<_> = copies.into_iter().filter(|id| word(lab, id) == "stopped").collect();
                // The one that holds most first; and never a second one that would be a master.
                let end = |id: &InstanceId| lab.world.postgres(lab.disk(id)).map(|copy| copy.wal.end());
                stopped.sort_by_key(|id| std::cmp::Reverse(end(id)));
                for id in &stopped {
                    let has_master = lab.disks.keys().any(|other| other.node == node && word(lab, other) == "master");
                    if !has_master || lab.recovery(id).is_some() {
                        fault::start(lab, id);
                    }
                }
            }
            ("standby" | "attached" | "lag", Some(master)) => declare(lab, node.as_str(), master.server.as_str()),
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
    make_a_gtm_active(lab, plan);
    lab.much_later();
}
