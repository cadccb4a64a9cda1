//! `otb plan`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::args::{Format, Global};
use super::complete;
use super::failure::Failure;
use super::file::{self, Over};
use super::rehearse::RehearseArgs;
use super::{Exit, file_suggestions, json, look, terminal, waive};
use crate::codes::ErrorCode;
use crate::model::{Cluster, Observation};
use crate::plan::{KeptObservation, Plan, Waiver};
use crate::view;

/// Compare the file with the live cluster and print changes, steps and checks; changes nothing
#[derive(Debug, Default, Args)]
#[command(after_help = "Example: otb -f cluster.yaml plan --detailed-exitcode")]
pub(super) struct PlanArgs {
    /// Save the plan to this file; to apply exactly this plan: otb apply PLAN
    #[arg(short, long, value_name = "PLAN")]
    out: Option<PathBuf>,
    /// Exit 2 if there are changes or otb could not observe the whole cluster, 3 if a check refuses the plan
    #[arg(long)]
    detailed_exitcode: bool,
    /// Show passed checks too
    #[arg(long)]
    checks: bool,
    /// Accept what this check refuses (repeatable)
    #[arg(long, value_name = "CHECK:SUBJECT", add = ArgValueCandidates::new(complete::waivers))]
    waive: Vec<String>,
    /// Why you accept it; the plan records it
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    rehearsal: RehearseArgs,
}

impl PlanArgs {
    pub(super) fn waivers(&self, cluster: &Cluster) -> Result<Vec<Waiver>, Failure> {
        waive::read(&self.waive, self.reason.as_deref(), cluster)
    }

    pub(super) fn saves(&self) -> bool {
        self.out.is_some()
    }
}

pub(super) async fn run(global: &Global, args: &PlanArgs) -> Result<Exit, Failure> {
    if global.diff && global.format != Format::Text {
        return Err(Failure::new(ErrorCode::UsageCombination, "--diff requires --format text"));
    }
    let cluster = look::load(global)?.cluster;
    let targets = global.targets(&cluster)?;
    let waivers = args.waivers(&cluster)?;
    let connections = look::connections(&cluster)?;
    let seen = look::observe(&cluster, &connections, global).await;
    connections.close().await;
    let plan = look::diagnosed(global, &cluster, &seen, &targets, &waivers);
    show(global, args, &plan, &seen, &waivers, &format!("{} apply", file_suggestions::otb(&global.file)))
}

/// Prints and saves a plan made from `seen` with `waivers`; `next` is the command that leads on from it.
pub(super) fn show(
    global: &Global,
    args: &PlanArgs,
    plan: &Plan,
    seen: &Observation,
    waivers: &[Waiver],
    next: &str,
) -> Result<Exit, Failure> {
    waive::tell_unused(plan, waivers);
    let mut rehearsed = plan.clone();
    let came_about = args.rehearsal.add_to(&mut rehearsed, seen);
    let plan = &rehearsed;
    print(plan, global, args.checks)?;
    if global.format == Format::Text && !plan.changes.is_empty() && !plan.is_refused() {
        terminal::say(&format!("Next: {next}"));
    }
    if global.diff {
        terminal::result(&view::route_diff(plan, seen));
    }
    if let Some(path) = &args.out {
        save(plan, seen, path)?;
    }
    came_about?;
    Ok(if args.detailed_exitcode { detailed(plan) } else { Exit::Done })
}

/// Tells a gate what `otb apply` would do: nothing, the steps of the plan, or refuse it.
fn detailed(plan: &Plan) -> Exit {
    if plan.is_refused() {
        Exit::Refused
    } else if plan.is_empty() {
        Exit::Done
    } else {
        Exit::Differences
    }
}

/// Prints a plan in the wanted format.
pub(super) fn print(plan: &Plan, global: &Global, checks: bool) -> Result<(), Failure> {
    match global.format {
        Format::Text => {
            terminal::prose(&view::plan_text(plan, checks));
            tell_more(plan);
        }
        Format::Json => terminal::result(&json::pretty(plan)?),
        Format::Markdown => terminal::result(&view::plan_markdown(plan)),
        Format::Html => terminal::result(&view::plan_html(plan)),
    }
    Ok(())
}

/// Says where there is more to read of the checks that refuse, and how those are waived that can be.
pub(super) fn tell_more(plan: &Plan) {
    let refusing: BTreeSet<&str> = plan.refusing_in_all().map(|check| check.code.word()).collect();
    say_road(plan);
    if !refusing.is_empty() {
        terminal::more(&refusing.into_iter().collect::<Vec<_>>());
        waive::say_waivers(plan);
    }
}

/// Prints the command that leads on where nothing of a server answers.
fn say_road(plan: &Plan) {
    let Some((silent, words)) = view::road(plan) else { return };
    terminal::say(&format!("{} does not answer. If it is off and stays off, move its masters away:", silent.server));
    terminal::command(&file_suggestions::line(
        &[file_suggestions::file_words(&file_suggestions::typed()), words].concat(),
    ));
}

fn save(plan: &Plan, seen: &Observation, path: &Path) -> Result<(), Failure> {
    let plan = Plan { seen: Some(KeptObservation::of(seen)), ..plan.clone() };
    file::write(path, &json::pretty(&plan)?, Over::Anything)?;
    terminal::say(&format!("saved to {}; to apply exactly this plan: otb apply {}", path.display(), path.display()));
    Ok(())
}
