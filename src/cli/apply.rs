//! `otb apply`: plan, approval, lock, look again, act, verify.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::io::AsyncBufReadExt as _;

use super::args::{Format, Global};
use super::failure::Failure;
use super::{Exit, look, plan, show, terminal};
use crate::apply::{End, Event, Interrupts, Lock, LockError, Report, Run};
use crate::model::{Cluster, NodeName};
use crate::plan::{Plan, Waiver, moved};
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
    #[arg(long)]
    reason: Option<String>,
    /// The plan was shown already
    #[arg(skip)]
    plan_shown: bool,
    /// Wait this long for somebody else's lock
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    lock_timeout: Duration,
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
            lock_timeout: Duration::ZERO,
        }
    }
}

pub(super) async fn run(global: &Global, args: &ApplyArgs) -> Result<Exit, Failure> {
    let interrupts = interrupts();
    let order = Order::read(global, args)?;
    let outside = look::outside(&order.cluster)?;
    let exit = order.carry_out(global, args, &outside, interrupts).await;
    outside.close().await;
    exit
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
            let saved = show::read(path)?;
            let (cluster, targets) = (saved.cluster.clone(), saved.targets.clone());
            return Ok(Self { cluster, targets, waivers: saved.waivers.clone(), saved: Some(saved) });
        }
        let cluster = look::load(global)?.cluster;
        let targets = global.targets(&cluster)?;
        Ok(Self { targets, waivers: look::waivers(&args.waive, args.reason.as_deref())?, cluster, saved: None })
    }

    async fn carry_out(
        &self,
        global: &Global,
        args: &ApplyArgs,
        outside: &Outside,
        mut interrupts: Interrupts,
    ) -> Result<Exit, Failure> {
        let approved = match &self.saved {
            Some(saved) => saved.clone(),
            None => self.plan(global, outside).await,
        };
        if !args.plan_shown {
            plan::print(&approved, global, false)?;
        }
        if let Some(exit) = settled(&approved) {
            return Ok(exit);
        }
        if self.saved.is_none() && !args.auto_approve {
            approve(&approved, &mut interrupts).await?;
        }
        let lock = lock(&self.cluster, outside, args.lock_timeout).await?;
        let result = self.under_lock(global, &approved, outside, interrupts, lock.servers()).await;
        lock.release().await;
        result
    }

    async fn plan(&self, global: &Global, outside: &Outside) -> Plan {
        let seen = look::observe(&self.cluster, outside, global).await;
        look::plan_now(&self.cluster, &seen, &self.targets, &self.waivers)
    }

    async fn under_lock(
        &self,
        global: &Global,
        approved: &Plan,
        outside: &Outside,
        interrupts: Interrupts,
        servers: usize,
    ) -> Result<Exit, Failure> {
        let now = self.plan(global, outside).await;
        if now.changes.is_empty() && !now.is_refused() && self.saved.is_some() {
            terminal::result("Nothing to do: what this plan wants is already so.\n");
            return Ok(Exit::Done);
        }
        still_fits(approved, &now)?;
        if now.is_refused() {
            plan::print(&now, global, false)?;
            return Ok(Exit::Refused);
        }
        if *interrupts.borrow() > 0 {
            return Err(Failure::new(Exit::Interrupted, "interrupted, nothing was changed"));
        }
        let progress = view::ProgressView::new(&now);
        let tell = |event: &Event| progress.event(event);
        tell(&Event::Locked { servers });
        let report = Run::new(&now, outside, interrupts, &tell).run().await;
        progress.finish();
        let left = self.plan(global, outside).await;
        finish(&now, &report, &left, global)
    }
}

/// Refused, or nothing to do.
fn settled(plan: &Plan) -> Option<Exit> {
    if plan.is_refused() { Some(Exit::Refused) } else { plan.changes.is_empty().then_some(Exit::Done) }
}

/// Waits for `yes`. Anything else, or no more input, is a no.
async fn approve(plan: &Plan, interrupts: &mut Interrupts) -> Result<(), Failure> {
    terminal::say(&format!(
        "\nApply these {} steps to {}? Only `yes` is taken as approval.",
        plan.steps.len(),
        plan.cluster.name
    ));
    let mut line = String::new();
    let mut input = tokio::io::BufReader::new(tokio::io::stdin());
    tokio::select! {
        read = input.read_line(&mut line) => {
            read.map_err(|error| Failure::error(format!("failed to read the approval: {error}")))?;
        }
        _ = interrupts.changed() => return Err(Failure::new(Exit::Interrupted, "interrupted, nothing was changed")),
    }
    if line.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::error("not approved, nothing was changed")
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
                return Err(Failure::new(Exit::Locked, error.to_string()).hint(hint));
            }
            Err(error @ LockError::Nowhere(_)) => {
                return Err(
                    Failure::error(error.to_string()).hint("otb needs a shell on the servers: see `shell` in the file")
                );
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

/// A plan is applied only to the cluster it was made for, and only while it would be made again like that.
fn still_fits(approved: &Plan, now: &Plan) -> Result<(), Failure> {
    let actions = |plan: &Plan| plan.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>();
    if approved.fingerprint == now.fingerprint && actions(approved) == actions(now) {
        return Ok(());
    }
    let mut lines = moved(&approved.facts, &now.facts);
    if lines.is_empty() {
        lines.push("the same facts call for other steps now".to_owned());
    }
    let text =
        format!("the plan does not fit the live cluster any more, nothing was changed\n  {}", lines.join("\n  "));
    Err(Failure::new(Exit::Stale, text).hint("look at what moved, then plan again"))
}

fn finish(plan: &Plan, report: &Report, left: &Plan, global: &Global) -> Result<Exit, Failure> {
    match global.format {
        Format::Text => terminal::result(&view::report_text(plan, report, left)),
        Format::Json => {
            let text = serde_json::to_string_pretty(report).map_err(|error| Failure::error(error.to_string()))?;
            terminal::result(&(text + "\n"));
        }
    }
    Ok(match report.end {
        End::Done if left.changes.is_empty() => Exit::Done,
        End::Done | End::PartWay => Exit::PartWay,
        End::NothingDone => Exit::Error,
        End::Interrupted => Exit::Interrupted,
        End::RolledBack => Exit::RolledBack,
        End::NotRejoined => Exit::NotRejoined,
        End::Unknown => Exit::UnknownOutcome,
    })
}

/// Counts Ctrl-C and SIGTERM.
fn interrupts() -> Interrupts {
    let (count, interrupts) = tokio::sync::watch::channel(0u8);
    tokio::spawn(async move {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            return;
        };
        loop {
            tokio::select! {
                Ok(()) = tokio::signal::ctrl_c() => {}
                Some(()) = terminate.recv() => {}
                else => return,
            }
            count.send_modify(|count| *count = count.saturating_add(1));
        }
    });
    interrupts
}
