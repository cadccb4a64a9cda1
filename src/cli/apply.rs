//! `otb apply`: plan, approval, lock, look again, act, verify.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::apply_run::{ApplyContext, ApplyRun};
use super::args::{Format, Global};
use super::complete;
use super::events::Events;
use super::failure::Failure;
use super::interrupt::{self, unless_interrupted};
use super::journal::Journal;
use super::{Exit, approve, lock, look, outcome, plan, show, staleness, terminal, waive};
use crate::apply::{End, Interrupts, Lock, Report};
use crate::model::{Cluster, InstanceId, NodeName, Observation};
use crate::plan::{Change, ChangeKind, Plan, Waiver};
use crate::view;

/// How long after the first look began what it found of pg_hba.conf and passwords holds good for the look under the lock:
/// too short for a person to say yes, or for another otb's run that was waited for.
const LATELY: Duration = Duration::from_secs(3);

/// Do the steps of the plan and prove the result; asks for `yes` first, except with --auto-approve or a saved plan
///
/// Press Ctrl-C once to roll back the nodes that are not yet promoted and to finish the others. Press it twice to stop at
/// once; a fresh plan then finds the remaining steps.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml apply --auto-approve")]
pub(super) struct ApplyArgs {
    /// A plan saved by `otb plan -o`; otb applies it only if the cluster has not changed since then
    plan: Option<PathBuf>,
    /// Do not ask for approval
    #[arg(long)]
    auto_approve: bool,
    /// Accept what this check refuses (repeatable)
    #[arg(long, value_name = "CHECK:SUBJECT", conflicts_with = "plan", add = ArgValueCandidates::new(complete::waivers))]
    waive: Vec<String>,
    /// Why you accept it; the plan records it
    #[arg(long, conflicts_with = "plan")]
    reason: Option<String>,
    /// The plan was shown already
    #[arg(skip)]
    plan_shown: bool,
    /// Append the record of this run to FILE instead of $XDG_STATE_HOME/otb/CLUSTER/journal.ndjson
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Wait this long for the lock of another otb
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    lock_timeout: Duration,
    /// Append the events of this run to FILE too, one JSON object per line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl ApplyArgs {
    /// The demo's cluster is gone before anybody could look at its journal.
    pub(super) fn tells_journal(&self) -> bool {
        !self.plan_shown
    }

    /// No saved plan, no question, and the plan was shown.
    pub(super) fn approved() -> Self {
        Self {
            plan: None,
            auto_approve: true,
            waive: Vec::new(),
            reason: None,
            plan_shown: true,
            journal: None,
            lock_timeout: Duration::ZERO,
            events: None,
        }
    }
}

pub(super) async fn run(global: &Global, args: &ApplyArgs) -> Result<Exit, Failure> {
    let events = Events::open(global, args.events.as_deref())?;
    let exit = Box::pin(carry_out(global, args, &events)).await;
    if let Err(failure) = &exit {
        events.failed(failure);
    }
    exit
}

async fn carry_out(global: &Global, args: &ApplyArgs, events: &Events) -> Result<Exit, Failure> {
    let interrupts = interrupt::listen();
    let _no_echo = terminal::NoEcho::begin();
    let request = ApplyRequest::read(global, args)?;
    let connections = look::connections(&request.cluster)?;
    let exit =
        Box::pin(request.carry_out(&ApplyContext { global, args, connections: &connections, events }, interrupts))
            .await;
    connections.close().await;
    exit
}

/// The user's request.
struct ApplyRequest {
    cluster: Cluster,
    targets: Vec<NodeName>,
    waivers: Vec<Waiver>,
    saved: Option<Plan>,
}

impl ApplyRequest {
    fn read(global: &Global, args: &ApplyArgs) -> Result<Self, Failure> {
        if let Some(path) = &args.plan {
            let saved = show::read_for_apply(path, global)?;
            let (cluster, targets) = (saved.cluster.clone(), saved.targets.clone());
            return Ok(Self { cluster, targets, waivers: saved.waivers.clone(), saved: Some(saved) });
        }
        let cluster = look::load(global)?.cluster;
        let targets = global.targets(&cluster)?;
        let waivers = waive::read(&args.waive, args.reason.as_deref(), &cluster)?;
        Ok(Self { cluster, targets, waivers, saved: None })
    }

    async fn carry_out(&self, context: &ApplyContext<'_>, mut interrupts: Interrupts) -> Result<Exit, Failure> {
        let ApplyContext { global, args, events, .. } = context;
        let began = Instant::now();
        let (approved, seen) = match &self.saved {
            Some(saved) => (saved.clone(), Observation::default()),
            None => unless_interrupted(&mut interrupts, self.plan(context)).await?,
        };
        events.planned(&approved);
        waive::tell_unused(&approved, &self.waivers);
        let settled = outcome::settled(&approved);
        // A saved plan was read when it was approved; what counts now is whether it still fits.
        if global.format == Format::Text && !args.plan_shown && (self.saved.is_none() || settled.is_some()) {
            plan::print(&approved, global, false)?;
        }
        if let Some(exit) = settled {
            return outcome::not_begun(exit, None, events);
        }
        if self.saved.is_none() && !args.auto_approve {
            if global.format != Format::Text {
                terminal::say(&view::plan_text(&approved, false));
            }
            approve::ask(&approved, &mut interrupts).await?;
        }
        let taking = lock::take(&self.cluster, context.connections, args.lock_timeout);
        let mut lock = unless_interrupted(&mut interrupts, taking).await??;
        let lately = if began.elapsed() < LATELY { seen } else { Observation::default() };
        let result = self.under_lock(context, (&approved, &lately), interrupts, &mut lock).await;
        lock.release().await;
        result
    }

    async fn plan(&self, context: &ApplyContext<'_>) -> (Plan, Observation) {
        self.plan_of(&self.targets, context).await
    }

    async fn plan_of(&self, targets: &[NodeName], context: &ApplyContext<'_>) -> (Plan, Observation) {
        let seen = look::observe(&self.cluster, context.connections, context.global).await;
        (look::plan_now(&self.cluster, &seen, targets, &self.waivers), seen)
    }

    async fn under_lock(
        &self,
        context: &ApplyContext<'_>,
        (approved, lately): (&Plan, &Observation),
        mut interrupts: Interrupts,
        lock: &mut Lock,
    ) -> Result<Exit, Failure> {
        let ApplyContext { global, args, events, .. } = context;
        let looking = look::observe_soon_after(lately, &self.cluster, context.connections, global);
        let seen = unless_interrupted(&mut interrupts, looking).await?;
        let now = look::plan_now(&self.cluster, &seen, &self.targets, &self.waivers);
        if now.is_empty() && self.saved.is_some() {
            if global.format == Format::Text {
                terminal::prose("Nothing to do: the cluster already is as this plan declares.\n");
            }
            return outcome::not_begun(Exit::Done, Some(&now), events);
        }
        staleness::still_fits(approved, &now)?;
        if now.is_refused() {
            if global.format == Format::Text {
                terminal::prose(&view::refusal_text(&now));
                plan::tell_more(&now);
            }
            return outcome::not_begun(Exit::Refused, Some(&now), events);
        }
        staleness::audited(&now, "nothing was changed")?;
        if self.saved.is_some() && global.format == Format::Text {
            terminal::prose(&view::changes_text(&now));
        }
        let run = format!("{}, pid {}", lock::whoami(), std::process::id());
        let journal = Journal::open(args.journal.as_deref(), (&self.cluster.name, &seen), run)?;
        let run = ApplyRun { context, journal, interrupts };
        let first = run.act(&now, &seen, true, lock).await;
        self.go_on(&run, now, first, lock).await
    }

    /// Ends the run. For a plan in two parts it does the second part first: the GTM's part is done, so otb plans the
    /// rest of the file from the facts that it can read now. Approving the first part approves this one too; checks
    /// can still refuse it.
    async fn go_on(&self, run: &ApplyRun<'_>, plan: Plan, report: Report, lock: &mut Lock) -> Result<Exit, Failure> {
        let has_rest = plan.afterwards.is_some() && report.end == End::Done && !run.is_interrupted();
        if has_rest && let Some((rest, seen)) = self.rest(run).await {
            staleness::audited(&rest, "the GTM serves again, the rest was not started")?;
            run.context.events.planned(&rest);
            if run.context.global.format == Format::Text {
                terminal::prose("\nThe GTM answers. otb now plans the rest:\n\n");
                plan::print(&rest, run.context.global, false)?;
            }
            let end = run.act(&rest, &seen, false, lock).await;
            let (left, _) = self.plan(run.context).await;
            return Ok(run.end(Some(&(plan, report)), &rest, &end, &left));
        }
        self.reroute_unmoved_nodes(run, &plan, &report, lock).await?;
        let (left, _) = self.plan(run.context).await;
        Ok(run.end(None, &plan, &report, &left))
    }

    /// A node whose move failed serves where it was, but the plan would have updated only its new master's routes:
    /// this updates the routes where the node is.
    async fn reroute_unmoved_nodes(
        &self,
        run: &ApplyRun<'_>,
        plan: &Plan,
        report: &Report,
        lock: &mut Lock,
    ) -> Result<(), Failure> {
        let (moved, stayed) = report.moved(plan);
        if moved.is_empty() || stayed.is_empty() || report.end != End::PartWay || run.is_interrupted() {
            return Ok(());
        }
        let (rest, seen) = self.plan_of(&moved, run.context).await;
        let stays = |router: &InstanceId| stayed.contains(&router.node);
        let is_telling = |change: &Change| change.kind == ChangeKind::Reroute && change.routers.iter().all(stays);
        if rest.is_refused() || rest.changes.is_empty() || !rest.changes.iter().all(is_telling) {
            return Ok(());
        }
        staleness::audited(&rest, "the nodes that did not move still have the old routes")?;
        run.context.events.planned(&rest);
        if run.context.global.format == Format::Text {
            terminal::prose("\nUpdating routes on the nodes that did not move:\n\n");
            terminal::prose(&view::changes_text(&rest));
        }
        run.act(&rest, &seen, false, lock).await;
        Ok(())
    }

    /// The second part, if there is anything to do that is not refused.
    async fn rest(&self, run: &ApplyRun<'_>) -> Option<(Plan, Observation)> {
        let seen = look::observe(&self.cluster, run.context.connections, run.context.global).await;
        let rest = look::plan_rest(&self.cluster, &seen, &self.targets, &self.waivers);
        (!rest.is_refused() && !rest.changes.is_empty()).then_some((rest, seen))
    }
}
