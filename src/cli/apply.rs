//! `otb apply`: plan, approval, lock, look again, act, verify.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _};

use super::args::{Format, Global};
use super::events::Events;
use super::failure::Failure;
use super::interrupt::{self, unless_interrupted};
use super::journal::Journal;
use super::{Exit, look, outcome, plan, show, terminal};
use crate::apply::{End, Event, Interrupts, Lock, LockError, Report, Run};
use crate::codes::ErrorCode;
use crate::model::{Cluster, NodeName, Observation};
use crate::plan::{Plan, Waiver, audit, moved};
use crate::transport::Outside;
use crate::view;

/// Do what the plan says and prove it: asks for `yes` first, unless told otherwise or given a saved plan
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml apply --auto-approve")]
pub(super) struct ApplyArgs {
    /// A plan saved by `otb plan -o`: applied only while the cluster still is as it was then
    plan: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
    /// Lift the block of one check, by its name (repeatable)
    #[arg(long, value_name = "CHECK:SUBJECT", conflicts_with = "plan")]
    waive: Vec<String>,
    /// Why; recorded in the plan
    #[arg(long, conflicts_with = "plan")]
    reason: Option<String>,
    /// The plan was shown already
    #[arg(skip)]
    plan_shown: bool,
    /// Append what this run does to FILE instead of $XDG_STATE_HOME/otb/CLUSTER/journal.ndjson
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Wait this long for somebody else's lock
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    lock_timeout: Duration,
    /// Append to this file what happens, one JSON object per line, beside the human view
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl ApplyArgs {
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
    let exit = carry_out(global, args, &events).await;
    if let Err(failure) = &exit {
        events.failed(failure);
    }
    exit
}

async fn carry_out(global: &Global, args: &ApplyArgs, events: &Events) -> Result<Exit, Failure> {
    let interrupts = interrupt::listen();
    let order = Order::read(global, args)?;
    let outside = look::outside(&order.cluster)?;
    let exit = order.carry_out(&Desk { global, args, outside: &outside, events }, interrupts).await;
    outside.close().await;
    exit
}

/// What an apply works with.
struct Desk<'a> {
    global: &'a Global,
    args: &'a ApplyArgs,
    outside: &'a Outside,
    events: &'a Events,
}

/// What the user wants done.
struct Order {
    cluster: Cluster,
    targets: Vec<NodeName>,
    waivers: Vec<Waiver>,
    saved: Option<Plan>,
}

impl Order {
    fn read(global: &Global, args: &ApplyArgs) -> Result<Self, Failure> {
        if let Some(path) = &args.plan {
            let saved = show::read_for_apply(path, global)?;
            let (cluster, targets) = (saved.cluster.clone(), saved.targets.clone());
            return Ok(Self { cluster, targets, waivers: saved.waivers.clone(), saved: Some(saved) });
        }
        let cluster = look::load(global)?.cluster;
        let targets = global.targets(&cluster)?;
        Ok(Self { targets, waivers: look::waivers(&args.waive, args.reason.as_deref())?, cluster, saved: None })
    }

    async fn carry_out(&self, desk: &Desk<'_>, mut interrupts: Interrupts) -> Result<Exit, Failure> {
        let Desk { global, args, events, .. } = desk;
        let approved = match &self.saved {
            Some(saved) => saved.clone(),
            None => unless_interrupted(&mut interrupts, self.plan(desk)).await?.0,
        };
        events.planned(&approved);
        if !args.plan_shown && global.format == Format::Text {
            plan::print(&approved, global, false)?;
        }
        if let Some(exit) = outcome::settled(&approved) {
            return outcome::not_begun(exit, None, events);
        }
        if self.saved.is_none() && !args.auto_approve {
            if global.format != Format::Text {
                terminal::say(&view::plan_text(&approved, false));
            }
            approve(&approved, &mut interrupts).await?;
        }
        let taking = lock(&self.cluster, desk.outside, args.lock_timeout);
        let mut lock = unless_interrupted(&mut interrupts, taking).await??;
        let result = self.under_lock(desk, &approved, interrupts, &mut lock).await;
        lock.release().await;
        result
    }

    async fn plan(&self, desk: &Desk<'_>) -> (Plan, Observation) {
        let seen = look::observe(&self.cluster, desk.outside, desk.global).await;
        (look::plan_now(&self.cluster, &seen, &self.targets, &self.waivers), seen)
    }

    async fn under_lock(
        &self,
        desk: &Desk<'_>,
        approved: &Plan,
        mut interrupts: Interrupts,
        lock: &mut Lock,
    ) -> Result<Exit, Failure> {
        let Desk { global, args, events, .. } = desk;
        let (now, seen) = unless_interrupted(&mut interrupts, self.plan(desk)).await?;
        if now.is_empty() && self.saved.is_some() {
            if global.format == Format::Text {
                terminal::result("Nothing to do: what this plan wants is already so.\n");
            }
            return outcome::not_begun(Exit::Done, Some(&now), events);
        }
        still_fits(approved, &now)?;
        if now.is_refused() {
            if global.format == Format::Text {
                plan::print(&now, global, false)?;
            }
            return outcome::not_begun(Exit::Refused, Some(&now), events);
        }
        audited(&now, "nothing was changed")?;
        let run = format!("{}, pid {}", whoami(), std::process::id());
        let journal = Journal::open(args.journal.as_deref(), &self.cluster.name, run)?;
        let works = Works { desk, journal, interrupts };
        let first = works.act(&now, &seen, true, lock).await;
        self.go_on(&works, now, first, lock).await
    }

    /// Ends the run; of a plan in two parts it does the second first. The GTM's part is done then, and with the facts
    /// that can be had now the file's other wishes are planned. Who approved the first part approved this; what the
    /// checks refuse is refused all the same.
    async fn go_on(&self, works: &Works<'_>, plan: Plan, report: Report, lock: &mut Lock) -> Result<Exit, Failure> {
        let has_rest = plan.afterwards.is_some() && report.end == End::Done && !works.is_interrupted();
        if has_rest && let Some((rest, seen)) = self.rest(works).await {
            audited(&rest, "the GTM serves again, the rest was not begun")?;
            works.desk.events.planned(&rest);
            if works.desk.global.format == Format::Text {
                terminal::result("\nThe GTM answers. The rest, planned from what can be seen now:\n\n");
                plan::print(&rest, works.desk.global, false)?;
            }
            let end = works.act(&rest, &seen, false, lock).await;
            let (left, _) = self.plan(works.desk).await;
            return Ok(works.end(Some(&(plan, report)), &rest, &end, &left));
        }
        let (left, _) = self.plan(works.desk).await;
        Ok(works.end(None, &plan, &report, &left))
    }

    /// The second part, if there is anything to do that is not refused.
    async fn rest(&self, works: &Works<'_>) -> Option<(Plan, Observation)> {
        let seen = look::observe(&self.cluster, works.desk.outside, works.desk.global).await;
        let rest = look::plan_rest(&self.cluster, &seen, &self.targets, &self.waivers);
        (!rest.is_refused() && !rest.changes.is_empty()).then_some((rest, seen))
    }
}

/// A run under way: where it is shown and written down.
struct Works<'a> {
    desk: &'a Desk<'a>,
    journal: Option<Journal>,
    interrupts: Interrupts,
}

impl Works<'_> {
    fn is_interrupted(&self) -> bool {
        *self.interrupts.borrow() > 0
    }

    fn tell(&self, event: &Event) {
        if let Some(journal) = &self.journal {
            journal.event(event);
        }
        self.desk.events.tell(event);
    }

    /// Runs one plan, made from what was `seen`, and shows how it goes; the `first` of a run tells of the lock.
    async fn act(&self, plan: &Plan, seen: &Observation, first: bool, lock: &mut Lock) -> Report {
        if let Some(journal) = &self.journal {
            journal.plan(plan);
        }
        let progress = view::ProgressView::new(plan, terminal::motion());
        let tell = |event: &Event| {
            progress.event(event);
            self.tell(event);
        };
        if first {
            tell(&Event::Locked { servers: lock.servers() });
        }
        let run = Run::new(plan, self.desk.outside, lock, self.interrupts.clone(), &tell);
        let report = run.knowing(seen.replication_users()).run().await;
        progress.finish();
        report
    }

    fn end(&self, first: Option<&(Plan, Report)>, plan: &Plan, report: &Report, left: &Plan) -> Exit {
        let exit = outcome::finish(first, plan, report, left, self.desk.global, self.desk.events);
        if let Some(journal) = &self.journal {
            journal.end(report.end, exit);
        }
        exit
    }
}

/// The longest line that is read as an answer: nobody types more to say no.
const LONGEST_ANSWER: u64 = 1024;

/// Waits for `yes`. Anything else, or no more input, is a no.
async fn approve(plan: &Plan, interrupts: &mut Interrupts) -> Result<(), Failure> {
    let rest = if plan.afterwards.is_some() { ", and then what else the file asks for," } else { "" };
    terminal::say(&format!(
        "\nApply these {} steps{rest} to {}? Only `yes` is taken as approval.",
        plan.steps.len(),
        plan.cluster.name
    ));
    let mut line = Vec::new();
    let mut input = tokio::io::BufReader::new(tokio::io::stdin().take(LONGEST_ANSWER));
    unless_interrupted(interrupts, input.read_until(b'\n', &mut line)).await?.map_err(|error| {
        Failure::new(ErrorCode::InputUnreadable, format!("failed to read the approval: {error}; nothing was changed"))
    })?;
    if line.trim_ascii() == b"yes" {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::ApplyNotApproved, "not approved, nothing was changed")
        .hint("without a terminal use --auto-approve, or apply a saved plan"))
}

async fn lock(cluster: &Cluster, outside: &Outside, patience: Duration) -> Result<Lock, Failure> {
    let holder = format!("otb {}, pid {}, since {}", whoami(), std::process::id(), look::now());
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        match Lock::take(cluster, outside, &holder, Duration::from_secs(15)).await {
            Ok(lock) => {
                for server in &lock.unreached {
                    terminal::say(&format!("warning: no lock on {server}"));
                }
                return Ok(lock);
            }
            Err(LockError::Taken { .. }) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error @ LockError::Taken { .. }) => {
                let hint = "wait for it, or use --lock-timeout 5m";
                return Err(Failure::new(ErrorCode::LockHeld, error.to_string()).hint(hint));
            }
            Err(error @ LockError::Nowhere(_)) => {
                return Err(Failure::new(ErrorCode::LockNowhere, error.to_string())
                    .hint("otb needs a shell on the servers: see `shell` in the file"));
            }
        }
    }
}

/// The operator's name and machine, for whoever finds the lock taken.
fn whoami() -> String {
    let user =
        std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "unknown user".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}

/// The last look before anything of it is done: by code that knows nothing of how the plan came about.
fn audited(plan: &Plan, so_far: &str) -> Result<(), Failure> {
    let broken = audit(plan);
    if broken.is_empty() {
        return Ok(());
    }
    let text = format!("the plan breaks rules that no plan may break, {so_far}\n  {}", broken.join("\n  "));
    Err(Failure::new(ErrorCode::PlanAudit, text)
        .hint("this is a mistake in otb, or the plan was edited: keep the plan and report it"))
}

/// A plan is applied only to the cluster it was made for, and only while it would be made again like that.
fn still_fits(approved: &Plan, now: &Plan) -> Result<(), Failure> {
    let actions = |plan: &Plan| plan.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>();
    if approved.fingerprint == now.fingerprint && actions(approved) == actions(now) {
        return Ok(());
    }
    let lines = moved(approved, now);
    let text =
        format!("the plan does not fit the live cluster any more, nothing was changed\n  {}", lines.join("\n  "));
    Err(Failure::new(ErrorCode::PlanStale, text).hint("look at what moved, then plan again"))
}
