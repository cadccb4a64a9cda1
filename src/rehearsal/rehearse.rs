//! The rehearsal: every fault at every moment of the plan.

use std::collections::BTreeMap;

use super::act::Inside;
use super::course::Course;
use super::fault::Fault;
use super::kinds::kinds;
use super::lab::Lab;
use super::reduce::{has_the_steps_of, smaller};
use super::run::Run;
use super::story::{Rank, longer, rank, story};
use super::trial::{Fate, Trials};
use crate::model::{NodeName, Observation};
use crate::plan::{
    AssumedFact, Outcomes, Pairs, Plan, Rehearsal, RehearsedEnd, Step, Story, When, WithoutMaster, moved,
};
use crate::sandbox::world::image;

/// What is rehearsed.
pub struct Rehearse<'a> {
    pub plan: &'a Plan,
    /// The input of the plan.
    pub seen: &'a Observation,
    /// Present where pairs of faults are to be tried: whether there is time for more.
    pub pairs: Option<&'a mut dyn FnMut() -> bool>,
}

/// Why a plan is not rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotRehearse {
    /// There is nothing to do.
    NothingToDo,
    /// A check refuses: nothing would be done.
    Refused,
    /// So many of so many instances were not seen: it would be the rehearsal of a guess.
    MostlyUnknown { unknown: usize, of: usize },
    /// From the simulated cluster another plan follows; one line for each difference.
    OtherPlan(Vec<String>),
}

/// Rehearses.
pub fn rehearse(what: Rehearse<'_>) -> Result<Rehearsal, CannotRehearse> {
    let Rehearse { plan, seen, pairs } = what;
    may_be_rehearsed(plan, seen)?;
    let course = Course { waivers: &plan.waivers, targets: &plan.targets };
    let whole = taken(plan, seen);
    let again = course.plan(&whole.0);
    if actions(&again) != actions(plan) {
        let lines = moved(plan, &again);
        return Err(CannotRehearse::OtherPlan(if lines.is_empty() { vec!["other steps".to_owned()] } else { lines }));
    }
    let (lab, assumed) = whole;
    let few = smaller(plan, seen).and_then(|few| {
        let (lab, _) = taken_of(&few.cluster, &few.seen);
        let plan = course.plan(&lab);
        has_the_steps_of(&plan, &again).then_some((lab, plan, few.alike))
    });
    let (lab, plan, alike) = match few {
        Some((few, plan, alike)) => {
            // Once with all of them.
            let mut trials = Trials::new(course, &lab);
            let fate = trials.fate(Run::new(lab, &again), &[], true);
            (few, Some(plan), Some((alike, fate)))
        }
        None => (lab, None, None),
    };
    let mut rehearsal = run_all(course, lab, plan.as_ref().unwrap_or(what.plan), pairs);
    rehearsal.assumed = assumed;
    if let Some((alike, fate)) = alike {
        rehearsal.without_fault = rehearsal.without_fault.max(fate.end);
        rehearsal.alike = alike;
    }
    Ok(rehearsal)
}

/// The same on a simulated cluster that is there already, and with the plan as it is.
pub fn rehearse_on(lab: &Lab, plan: &Plan) -> Rehearsal {
    run_all(Course { waivers: &plan.waivers, targets: &plan.targets }, lab.clone(), plan, None)
}

fn may_be_rehearsed(plan: &Plan, seen: &Observation) -> Result<(), CannotRehearse> {
    let of = seen.instances.len();
    let unknown = seen.instances.values().filter(|facts| facts.process.known().is_none()).count();
    if plan.is_refused() {
        Err(CannotRehearse::Refused)
    } else if 2 * unknown >= of {
        Err(CannotRehearse::MostlyUnknown { unknown, of })
    } else if plan.steps.is_empty() {
        Err(CannotRehearse::NothingToDo)
    } else {
        Ok(())
    }
}

fn actions(plan: &Plan) -> Vec<(&crate::plan::StepId, &crate::plan::Action)> {
    plan.steps.iter().map(|step| (&step.id, &step.action)).collect()
}

fn taken(plan: &Plan, seen: &Observation) -> (Lab, Vec<AssumedFact>) {
    taken_of(&plan.cluster, seen)
}

fn taken_of(cluster: &crate::model::Cluster, seen: &Observation) -> (Lab, Vec<AssumedFact>) {
    let mut image = image(cluster, seen, Lab::begins());
    let assumed = std::mem::take(&mut image.assumed).into_iter().map(|one| AssumedFact {
        instance: one.instance,
        fact: one.fact.to_owned(),
        taken_as: one.taken_as,
    });
    let assumed = assumed.collect();
    (Lab::in_the_image(cluster, seen, image), assumed)
}

/// The results so far.
struct Found<'a> {
    trials: Trials<'a>,
    kinds: Vec<Fault>,
    whole: &'a Plan,
    tried: u64,
    moments: u64,
    after_the_fault: u64,
    outcomes: Outcomes,
    longest: Option<WithoutMaster>,
    worst: BTreeMap<RehearsedEnd, (Rank, Story)>,
}

fn run_all<'a>(course: Course<'a>, lab: Lab, plan: &'a Plan, pairs: Option<&mut dyn FnMut() -> bool>) -> Rehearsal {
    let mut trials = Trials::new(course, &lab);
    let without = trials.fate(Run::new(lab.clone(), plan), &[], true);
    let mut found = Found {
        trials,
        kinds: kinds(&lab, plan),
        whole: plan,
        tried: 0,
        moments: 0,
        after_the_fault: 0,
        outcomes: Outcomes::default(),
        longest: None,
        worst: BTreeMap::new(),
    };
    found.longest = longer(None, plan, &without);
    let begun = Run::new(lab, plan);
    let second = found.every_moment(begun.clone());
    let rest = found.trials.course.second_part(&second);
    if let Some(rest) = &rest {
        found.every_moment(Run::new(second.lab, rest));
    }
    let pairs = pairs.map(|go_on| found.every_pair(&begun, go_on));
    let mut worst: Vec<Story> = found.worst.into_values().rev().map(|(_, story)| story).collect();
    worst.retain(|story| story.end != RehearsedEnd::AsPlanned);
    Rehearsal {
        without_fault: without.end,
        moments: found.moments,
        tried: found.tried,
        outcomes: found.outcomes,
        after_the_fault: found.after_the_fault,
        longest_without_master: found.longest,
        worst,
        assumed: Vec::new(),
        alike: Vec::new(),
        pairs,
    }
}

impl Found<'_> {
    /// Every fault at every moment of a run. Gives the run as it ends without one.
    fn every_moment<'p>(&mut self, mut run: Run<'p>) -> Run<'p> {
        loop {
            let step = run.next_up();
            if let Some(step) = step {
                self.at_step(&run, step);
            }
            if !run.advance() {
                return run;
            }
        }
    }

    fn at_step(&mut self, run: &Run<'_>, step: &Step) {
        let kinds = std::mem::take(&mut self.kinds);
        self.moments += 3;
        for fault in &kinds {
            for when in [When::Before, When::During, When::After] {
                if let Some(branch) = struck(run, fault, when) {
                    let fate = self.trials.fate(branch, &[fault], *fault != Fault::OtbKilled);
                    self.note((step, when), (fault, None), &fate);
                }
            }
        }
        self.kinds = kinds;
    }

    fn note(&mut self, (step, when): (&Step, When), (fault, then): (&Fault, Option<&Fault>), fate: &Fate) {
        self.tried += 1;
        self.outcomes.count(fate.end);
        self.after_the_fault += u64::from(fate.after_the_fault && fate.end == RehearsedEnd::Finished);
        self.longest = longer(self.longest.take(), self.whole, fate);
        self.tell(fate, || story(step, when, (fault, then), fate));
    }

    /// Keeps the story if it is the worst of its kind; of equal ones the first.
    fn tell(&mut self, fate: &Fate, story: impl FnOnce() -> Story) {
        let rank = rank(fate);
        if self.worst.get(&fate.end).is_none_or(|(known, _)| rank > *known) {
            self.worst.insert(fate.end, (rank, story()));
        }
    }

    /// A second fault at every later boundary, for each first fault before a step.
    fn every_pair(&mut self, begun: &Run<'_>, go_on: &mut dyn FnMut() -> bool) -> Pairs {
        let mut pairs = Pairs { tried: 0, left_out: 0, outcomes: Outcomes::default() };
        let kinds = self.kinds.clone();
        let mut run = begun.clone();
        loop {
            let step = run.next_up();
            for first in kinds.iter().filter(|fault| step.is_some() && **fault != Fault::OtbKilled) {
                if !go_on() {
                    pairs.left_out += 1;
                } else if let Some(branch) = struck(&run, first, When::Before) {
                    self.second_faults(branch, first, &kinds, &mut pairs);
                }
            }
            if !run.advance() {
                return pairs;
            }
        }
    }

    fn second_faults(&mut self, mut run: Run<'_>, first: &Fault, kinds: &[Fault], pairs: &mut Pairs) {
        while let Some(step) = run.next_up() {
            for second in kinds {
                let Some(branch) = struck(&run, second, When::Before) else { continue };
                let fate = self.trials.fate(branch, &[first, second], *second != Fault::OtbKilled);
                pairs.tried += 1;
                pairs.outcomes.count(fate.end);
                if fate.end.is_bad() {
                    self.tell(&fate, || story(step, When::Before, (first, Some(second)), &fate));
                }
            }
            if !run.advance() {
                return;
            }
        }
    }
}

/// The run after the fault, or with it inside its next step; none where it does not fit.
fn struck<'p>(run: &Run<'p>, fault: &Fault, when: When) -> Option<Run<'p>> {
    let inside = match when {
        When::Before => {
            let mut branch = run.clone();
            return branch.strike(fault).then_some(branch);
        }
        When::During => Inside::BeforeTheAct,
        When::After => Inside::AfterTheAct,
    };
    if !fault.is_of_the_cluster() {
        return None;
    }
    let mut branch = run.clone();
    branch.strike_inside(inside, fault);
    branch.advance();
    branch.has_struck().then_some(branch)
}

/// The nodes that a result is about which a reviewer should stop at.
pub fn bad_nodes(rehearsal: &Rehearsal) -> Vec<(&NodeName, &Story)> {
    rehearsal.worst.iter().filter(|story| story.end.is_bad()).map(|story| (&story.node, story)).collect()
}
