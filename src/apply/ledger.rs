//! The books of one run and every decision that follows from them: what comes next, what is left of a step, what is
//! taken back. Pure: the executor asks it on the live cluster, the exhaustive search on a simulated one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::Outcome;
use super::report::{Record, Report};
use super::takeback;
use crate::model::{Condition, InstanceId, NodeKind, NodeName, Role};
use crate::plan::{Action, Phase, Plan, Step, StepId};

/// What is known of a run so far.
#[derive(Debug, Clone)]
pub struct Ledger<'a> {
    plan: &'a Plan,
    index: Arc<Index<'a>>,
    pub(super) record: Record,
    begun: BTreeSet<StepId>,
    /// How many of each step's needs are open.
    open: Vec<usize>,
    /// Steps that wait for nothing and were not begun, by place.
    ready: BTreeSet<usize>,
    /// Nodes whose takeover failed or was left out: nothing of theirs goes on.
    failed: BTreeSet<NodeName>,
    interrupted: bool,
    /// Why nothing may be done any more, not even undone.
    halted: Option<String>,
}

/// The part that does not change during a run: a drain of many masters has thousands of steps.
#[derive(Debug)]
struct Index<'a> {
    places: BTreeMap<&'a StepId, usize>,
    /// The steps that need each step.
    waiting: Vec<Vec<usize>>,
    /// Each router's reroute.
    reroutes: BTreeMap<&'a InstanceId, &'a StepId>,
}

impl<'a> Index<'a> {
    fn new(plan: &'a Plan) -> Self {
        let places: BTreeMap<&StepId, usize> = plan.steps.iter().zip(0..).map(|(step, at)| (&step.id, at)).collect();
        let mut waiting = vec![Vec::new(); plan.steps.len()];
        for (step, at) in plan.steps.iter().zip(0..) {
            for need in step.needs.iter().filter_map(|need| places.get(need)) {
                waiting[*need].push(at);
            }
        }
        let reroute = |step: &'a Step| match &step.action {
            Action::Reroute { router, .. } => Some((router, &step.id)),
            _ => None,
        };
        Self { places, waiting, reroutes: plan.steps.iter().filter_map(reroute).collect() }
    }
}

/// The steps of one node that are to be taken back, last first.
#[derive(Debug)]
pub struct Undoing<'a> {
    /// The step of no return that failed. Only of a promotion that killed its standby may anything be taken back; of the
    /// stop of a second master what was laid ready for it.
    pub unless_promoted: Option<&'a Step>,
    pub steps: Vec<&'a Step>,
}

impl<'a> Ledger<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        let open: Vec<usize> = plan.steps.iter().map(|step| step.needs.len()).collect();
        Self {
            plan,
            index: Arc::new(Index::new(plan)),
            record: Record::default(),
            begun: BTreeSet::new(),
            ready: (0..open.len()).filter(|at| open[*at] == 0).collect(),
            open,
            failed: BTreeSet::new(),
            interrupted: false,
            halted: None,
        }
    }

    /// The operator asked to stop.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
        self.record.interrupted = true;
    }

    /// From now on nothing is started and nothing is rolled back: another otb may be working.
    pub fn halt(&mut self, why: &str) {
        self.halted.get_or_insert_with(|| why.to_owned());
    }

    pub fn is_halted(&self) -> bool {
        self.halted.is_some()
    }

    /// The next step whose needs are settled, which from now on counts as begun: what to do of it, or why it is
    /// left out. The caller settles either.
    pub fn begin_next(&mut self) -> Option<(&'a Step, Result<Action, String>)> {
        let step = self.plan.steps.get(self.ready.pop_first()?)?;
        self.begun.insert(step.id.clone());
        Some((step, self.fate(step)))
    }

    /// Steps that were begun and not settled.
    pub fn under_way(&self) -> Vec<StepId> {
        self.begun.iter().filter(|id| !self.record.outcomes.contains_key(*id)).cloned().collect()
    }

    fn outcome(&self, id: &StepId) -> Option<&Outcome> {
        self.record.outcomes.get(id).map(|(outcome, _)| outcome)
    }

    /// Preconditions of `step` that the steps it needs have just proved: asking again would only lengthen the
    /// write gap. A rejoin has time to ask: what was stopped before the promotion may have been started since.
    pub fn established(&self, step: &Step) -> Vec<Condition> {
        if matches!(step.phase, Phase::Return | Phase::Rejoin) {
            return Vec::new();
        }
        let needed = step.needs.iter().filter_map(|need| self.plan.steps.get(*self.index.places.get(need)?));
        let done = needed.filter(|other| self.outcome(&other.id).is_some_and(Outcome::is_done));
        let proved = done
            .flat_map(|other| other.after.iter().chain(&other.before))
            .cloned()
            .flat_map(|proved| self.with_implied(proved));
        proved.filter(|condition| step.before.contains(condition)).collect()
    }

    /// A clean stop proves that the instance is stopped. One answer of a standby showed both its role and how far it
    /// has replayed; a GTM was asked for its log position, whatever its role.
    fn with_implied(&self, proved: Condition) -> Vec<Condition> {
        let is_gtm = |id| self.plan.cluster.instance(id).is_none_or(|instance| instance.kind == NodeKind::Gtm);
        let implied = match &proved {
            Condition::CleanlyStopped { instance } => Some(Condition::Stopped { instance: instance.clone() }),
            Condition::ReplayedAll { standby, .. } if !is_gtm(standby) => {
                Some(Condition::Runs { instance: standby.clone(), role: Role::Standby })
            }
            _ => None,
        };
        implied.into_iter().chain([proved]).collect()
    }

    /// What is left to do of a step after the failures so far, or why it is left out.
    fn fate(&self, step: &Step) -> Result<Action, String> {
        // Whoever waits must go on, whatever happened.
        if matches!(step.action, Action::Release { .. }) {
            return Ok(step.action.clone());
        }
        if let Some(why) = &self.halted {
            return Err(why.clone());
        }
        let node = &step.action.target().node;
        let before = match step.action {
            // It serves other nodes than the coordinator by which it is named.
            Action::Hold { .. } => self.gtm_failed(),
            _ => self.failed_before(node),
        };
        if let Some(why) = before {
            return Err(why);
        }
        if let Some(why) = self.standby_left(step) {
            return Err(why);
        }
        let reroute = self.reroute_before(step);
        let rerouted = reroute.is_some_and(takeback::may_have_happened);
        // A router whose row was changed must also use the new row: later nothing would show that it does not.
        if self.interrupted && !self.has_passed(step) && !rerouted {
            return Err("interrupted".to_owned());
        }
        if matches!(reroute, Some(Outcome::Skipped { .. })) {
            return Err("its reroute was skipped".to_owned());
        }
        if matches!(step.action, Action::Prove { .. }) && reroute.is_some_and(|outcome| !outcome.is_done()) {
            return Err("its coordinator's routes were not updated".to_owned());
        }
        if let Some(why) = self.standby_missing(step) {
            return Err(why);
        }
        let action = without(&step.action, &self.failed);
        action.ok_or_else(|| "no move that needs this step is left".to_owned())
    }

    /// Why a commit that waits need not be tried: a standby that it would wait for has not returned.
    fn standby_missing(&self, step: &Step) -> Option<String> {
        if !matches!(step.action, Action::ProveCommit { .. }) {
            return None;
        }
        let needed = step.needs.iter().filter_map(|need| self.plan.steps.get(*self.index.places.get(need)?));
        let mut returns = needed.filter(|need| need.phase == Phase::Return);
        let missing = returns.find(|need| !self.outcome(&need.id).is_some_and(Outcome::is_done))?;
        Some(format!("{} was not done, and commits wait for that standby", missing.id))
    }

    /// How the reroute ended that a reload or a proof follows: without it neither has a purpose.
    fn reroute_before(&self, step: &Step) -> Option<&Outcome> {
        let (Action::Reload { router } | Action::Prove { coordinator: router, .. }) = &step.action else {
            return None;
        };
        self.outcome(self.index.reroutes.get(router)?)
    }

    /// Whether the point of no return lies behind this step: its node's, or for shared steps any node's.
    fn has_passed(&self, step: &Step) -> bool {
        let promoted =
            |other: &&Step| other.point_of_no_return && self.outcome(&other.id).is_some_and(Outcome::is_done);
        let mut done = self.plan.steps.iter().filter(promoted);
        match step.phase {
            _ if step.prepares_or_moves() => done.any(|other| other.action.target().node == step.action.target().node),
            Phase::Prepare
            | Phase::Gtm
            | Phase::Move
            | Phase::Return
            | Phase::Reroute
            | Phase::Reload
            | Phase::Prove
            | Phase::Settle
            | Phase::Hold
            | Phase::Release
            | Phase::Rejoin => done.next().is_some(),
        }
    }

    /// Returns why nothing of `node` continues: its own move failed, its GTM route was not updated, or the cluster has
    /// no GTM.
    fn failed_before(&self, node: &NodeName) -> Option<String> {
        if self.failed.contains(node) {
            let moves =
                self.plan.steps.iter().any(|step| step.action.target().node == *node && step.prepares_or_moves());
            let why = if moves { "the move of" } else { "the update of the GTM route on" };
            return Some(format!("{why} {node} was not done"));
        }
        self.gtm_failed()
    }

    /// Nothing commits without it, and nothing could be proved.
    fn gtm_failed(&self) -> Option<String> {
        let kind = |node: &NodeName| self.plan.cluster.nodes.get(node).map(|node| node.kind);
        let gtm = self.failed.iter().find(|failed| kind(failed) == Some(NodeKind::Gtm))?;
        Some(format!("the move of {gtm} was not done, and the GTM goes first"))
    }

    /// A copy that a rejoin waits for is the only evidence of what the other one followed: it stays as it is.
    fn standby_left(&self, step: &Step) -> Option<String> {
        let needed = step.needs.iter().filter_map(|need| self.plan.steps.get(*self.index.places.get(need)?));
        let mut rejoins = needed.filter(|need| step.phase == Phase::Rejoin && need.phase == Phase::Rejoin);
        let left = rejoins.find(|need| !self.outcome(&need.id).is_some_and(Outcome::is_done))?;
        Some(format!(
            "{} was not done: this instance must stay as it is, because only it shows which timeline that one followed",
            left.id
        ))
    }

    /// Writes down how a step ended.
    pub fn settle(&mut self, step: &Step, outcome: Outcome, took: Duration) {
        if !outcome.is_done() && (step.prepares_or_moves() || step.phase == Phase::Gtm) {
            self.failed.insert(step.action.target().node.clone());
        }
        if matches!(step.action, Action::Hold { required: true, .. }) && !outcome.is_done() {
            self.failed.extend(self.waiting_for(step));
        }
        if self.record.outcomes.insert(step.id.clone(), (outcome, took)).is_none()
            && let Some(at) = self.index.places.get(&step.id)
        {
            for waiting in &self.index.waiting[*at] {
                self.open[*waiting] -= 1;
                if self.open[*waiting] == 0 {
                    self.ready.insert(*waiting);
                }
            }
        }
    }

    /// The nodes that stop only after `hold`.
    fn waiting_for(&self, hold: &Step) -> Vec<NodeName> {
        let stops = self.plan.steps.iter().filter(|step| matches!(step.action, Action::Stop { .. }));
        stops.filter(|stop| stop.needs.contains(&hold.id)).map(|stop| stop.action.target().node.clone()).collect()
    }

    /// What is to be taken back: of nodes that did not reach their point of no return. A promotion that may have
    /// happened is never undone: two masters would be the price.
    pub fn undoings(&self) -> Vec<Undoing<'a>> {
        let failed = self.failed.iter().filter(|_| self.halted.is_none());
        failed.filter_map(|node| self.undoing(node)).collect()
    }

    fn undoing(&self, node: &NodeName) -> Option<Undoing<'a>> {
        let mine = |step: &&Step| step.action.target().node == *node && step.prepares_or_moves();
        let plan = self.plan;
        let steps = plan.steps.iter().filter(mine);
        let promotion = steps.clone().find(|step| step.point_of_no_return);
        let unless_promoted = match promotion.and_then(|step| self.outcome(&step.id)) {
            // The command was never sent.
            Some(Outcome::Skipped { .. } | Outcome::NotBegun { .. }) => None,
            Some(Outcome::NotDone { .. }) => promotion,
            Some(Outcome::Done | Outcome::Unknown { .. }) | None => return None,
        };
        // A second master that was stopped is not started again.
        let left_something =
            |step: &&Step| !step.gives_up() && self.outcome(&step.id).is_some_and(takeback::may_have_happened);
        Some(Undoing { unless_promoted, steps: steps.rev().filter(left_something).collect() })
    }

    /// Writes down that a step was taken back, or why not.
    pub fn undone(&mut self, step: &Step, result: Result<(), String>) {
        self.record.undone.insert(step.id.clone(), result);
    }

    /// If a stop was taken back: a coordinator, and the masters on which the stop may have interrupted commits, as
    /// they are now.
    pub fn to_settle_again(&self) -> Option<(&'a InstanceId, Vec<InstanceId>)> {
        let plan = self.plan;
        let undone = |step: &Step| matches!(self.record.undone.get(&step.id), Some(Ok(())));
        let stops: Vec<&Step> =
            plan.steps.iter().filter(|step| matches!(step.action, Action::Stop { .. }) && undone(step)).collect();
        let settle = plan.steps.iter().find_map(|step| match &step.action {
            Action::Settle { coordinator, masters } => Some((coordinator, masters)),
            _ => None,
        });
        let (coordinator, masters) = settle.filter(|_| !stops.is_empty())?;
        let now = |master: &InstanceId| {
            let back = stops.iter().map(|stop| stop.action.target()).find(|back| back.node == master.node);
            back.unwrap_or(master).clone()
        };
        Some((coordinator, masters.iter().map(now).collect()))
    }

    /// How it ended.
    pub fn report(self) -> Report {
        self.record.report(self.plan)
    }
}

/// `action` without the nodes whose move failed; none if nothing is left.
fn without(action: &Action, failed: &BTreeSet<NodeName>) -> Option<Action> {
    match action {
        Action::Reroute { routes, .. } if !routes.iter().any(|change| failed.contains(&change.node)) => {
            Some(action.clone())
        }
        Action::Reroute { router, routes } => {
            let routes: Vec<_> = routes.iter().filter(|change| !failed.contains(&change.node)).cloned().collect();
            (!routes.is_empty()).then(|| Action::Reroute { router: router.clone(), routes: Arc::new(routes) })
        }
        Action::Prove { coordinator, instances } => {
            let instances: Vec<_> = instances.iter().filter(|id| !failed.contains(&id.node)).cloned().collect();
            (!instances.is_empty()).then(|| Action::Prove { coordinator: coordinator.clone(), instances })
        }
        Action::Hold { coordinator, coordinators, masters, wait_seconds, required } => {
            let masters: Vec<_> = masters.iter().filter(|id| !failed.contains(&id.node)).cloned().collect();
            (!masters.is_empty()).then(|| Action::Hold {
                coordinator: coordinator.clone(),
                coordinators: Arc::clone(coordinators),
                masters: Arc::new(masters.clone()),
                wait_seconds: *wait_seconds,
                required: *required,
            })
        }
        Action::Settle { coordinator, masters } => {
            let masters: Vec<_> = masters.iter().filter(|id| !failed.contains(&id.node)).cloned().collect();
            let settle = || Action::Settle { coordinator: coordinator.clone(), masters: Arc::new(masters.clone()) };
            (!masters.is_empty()).then(settle)
        }
        other => Some(other.clone()),
    }
}
