//! One run with a fault: to its end, then on with otb's own advice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::course::{Course, exit_of, served};
use super::fault::Fault;
use super::invariant::{Breach, BreachKind, serves, two_masters};
use super::lab::Lab;
use super::run::Run;
use crate::model::NodeName;
use crate::plan::{RehearsedEnd, Until};

/// The result of a run.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    pub(super) end: RehearsedEnd,
    /// The exit code of the first run.
    pub(super) exit: u8,
    pub(super) applies: u64,
    /// It was over only after the fault was.
    pub(super) after_the_fault: bool,
    /// The broken invariant.
    pub(super) breach: Option<Breach>,
    /// Nodes that clients could not reach meanwhile, and until when.
    pub(super) down: BTreeMap<NodeName, Until>,
    /// The checks that refuse at the end.
    pub(super) refused: Vec<String>,
}

/// The runs after otb has ended.
#[derive(Debug, Clone)]
struct After {
    end: RehearsedEnd,
    left_to_do: bool,
    applies: u64,
    fault_is_over: bool,
    breach: Option<Breach>,
    down: BTreeMap<NodeName, Until>,
    refused: Vec<String>,
}

/// Runs with faults; what was seen before is not run again.
#[derive(Debug)]
pub(super) struct Trials<'a> {
    pub(super) course: Course<'a>,
    /// The nodes that served at the start.
    served: Vec<NodeName>,
    start: Lab,
    /// Nodes that would serve with a fault and without otb.
    without_otb: HashMap<String, (Vec<NodeName>, bool)>,
    runs: HashMap<(u64, u64), Fate>,
    followed: HashMap<(u64, u64), After>,
}

impl<'a> Trials<'a> {
    pub(super) fn new(course: Course<'a>, start: &Lab) -> Self {
        Self {
            course,
            served: served(start),
            start: start.clone(),
            without_otb: HashMap::new(),
            runs: HashMap::new(),
            followed: HashMap::new(),
        }
    }

    /// The nodes that would serve had these faults met a cluster without otb, and whether the faults alone make two masters.
    fn expected(&mut self, faults: &[&Fault]) -> (Vec<NodeName>, bool) {
        let key = format!("{faults:?}");
        if let Some(known) = self.without_otb.get(&key) {
            return known.clone();
        }
        let mut lab = self.start.clone();
        for fault in faults {
            fault.strike(&mut lab);
        }
        lab.later();
        let up = served(&lab);
        let up: Vec<NodeName> = self.served.iter().filter(|node| up.contains(node)).cloned().collect();
        let known = (up, two_masters(&lab).is_some());
        self.without_otb.insert(key, known.clone());
        known
    }

    /// From here to the end, and on. The faults have struck.
    pub(super) fn fate(&mut self, mut run: Run<'_>, faults: &[&Fault], otb_lives: bool) -> Fate {
        let (expected, two_masters_anyway) = self.expected(faults);
        let salt = salt(&expected);
        if two_masters_anyway {
            run.breaches.clear();
        }
        let mut passed: Vec<((u64, u64), BTreeSet<NodeName>, usize)> = Vec::new();
        let (mut found, mut over) = (None, false);
        while otb_lives && !over {
            let key = (run.key(), salt);
            let down = down_of(&run.lab, &expected);
            passed.push((key, down, run.breaches.len()));
            if let Some(known) = self.runs.get(&key) {
                found = Some(known.clone());
                break;
            }
            over = !run.advance();
        }
        let breaches = std::mem::take(&mut run.breaches);
        let mut fate = found.unwrap_or_else(|| self.end(run, &expected, salt, otb_lives));
        for (key, down, breached) in passed.into_iter().rev() {
            for node in down {
                fate.down.entry(node).or_insert(Until::Run);
            }
            // A state that existed before this moment does not follow from it.
            if let Some(breach) = breaches.get(breached) {
                with_breach(&mut fate, breach.clone());
            }
            self.runs.entry(key).or_insert_with(|| fate.clone());
        }
        if let Some(first) = breaches.first() {
            with_breach(&mut fate, first.clone());
        }
        fate
    }

    /// The first run is over.
    fn end(&mut self, run: Run<'_>, expected: &[NodeName], salt: u64, otb_lives: bool) -> Fate {
        let second = if otb_lives { self.course.second_part(&run) } else { None };
        let plan = second.as_ref().unwrap_or(run.plan);
        let (mut end, mut breach, mut lab) = (run.end(), None, run.lab);
        if let Some(second) = &second {
            let mut rest = Run::new(lab, second);
            rest.finish();
            breach = rest.breaches.drain(..).next();
            end = rest.end();
            lab = rest.lab;
        }
        lab.release();
        let after = self.after(&lab, expected, salt);
        if otb_lives && after.left_to_do {
            end = end.held_against(plan, &self.course.plan(&lab));
        }
        let done = otb_lives && exit_of(end).code() == 0;
        let mut fate = Fate {
            end: if done { RehearsedEnd::AsPlanned } else { after.end },
            exit: exit_of(end).code(),
            applies: if done { 0 } else { after.applies },
            after_the_fault: !done && after.fault_is_over,
            breach: None,
            down: if done { BTreeMap::new() } else { after.down },
            refused: after.refused,
        };
        for breach in breach.into_iter().chain(after.breach) {
            with_breach(&mut fate, breach);
        }
        fate
    }

    /// otb has ended: its advice, as long as the fault lasts, and after that.
    fn after(&mut self, lab: &Lab, expected: &[NodeName], salt: u64) -> After {
        let key = (lab.key(), salt);
        if let Some(known) = self.followed.get(&key) {
            return known.clone();
        }
        let left_down = down_of(lab, expected);
        let down = |until: Until| left_down.iter().map(|node| (node.clone(), until)).collect::<BTreeMap<_, _>>();
        let advice = self.course.follow(lab);
        let mut after = After {
            end: RehearsedEnd::Finished,
            left_to_do: advice.applies > 0 || !advice.finished,
            applies: advice.applies,
            fault_is_over: false,
            breach: advice.breaches.first().cloned(),
            down: down(Until::NextApply),
            refused: advice.refused,
        };
        if !advice.finished && down_of(&advice.lab, expected).is_empty() {
            after.end = RehearsedEnd::RolledBack;
        } else if !advice.finished {
            let mut lab = advice.lab;
            lab.heal();
            let later = self.course.follow(&lab);
            after.applies += later.applies;
            after.breach = after.breach.or_else(|| later.breaches.first().cloned());
            let whole = later.finished || down_of(&later.lab, &self.served).is_empty();
            after.fault_is_over = whole;
            after.end = if whole { RehearsedEnd::Finished } else { RehearsedEnd::NeedsPerson };
            after.down = down(if whole { Until::FaultOver } else { Until::Person });
            after.refused = later.refused;
        }
        self.followed.insert(key, after.clone());
        after
    }
}

fn down_of(lab: &Lab, expected: &[NodeName]) -> BTreeSet<NodeName> {
    expected.iter().filter(|node| !serves(lab, node)).cloned().collect()
}

fn with_breach(fate: &mut Fate, breach: Breach) {
    let end = match breach.kind {
        BreachKind::Loss => RehearsedEnd::LosesData,
        BreachKind::Log | BreachKind::Held | BreachKind::InDoubt => RehearsedEnd::NeedsPerson,
    };
    if end > fate.end || fate.breach.is_none() {
        fate.end = fate.end.max(end);
        fate.breach = Some(breach);
    }
}

fn salt(nodes: &[NodeName]) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    for node in nodes {
        node.as_str().hash(&mut hasher);
    }
    hasher.finish()
}
