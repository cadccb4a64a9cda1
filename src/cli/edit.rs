//! Changes that otb writes into cluster.yaml for the user: shown as a unified diff, written on request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::ArgValueCandidates;
use similar::TextDiff;

use super::args::{Format, Global};
use super::complete;
use super::failure::Failure;
use super::file::{self, Over};
use super::plan::{self, PlanArgs};
use super::{Exit, file_suggestions, look, terminal};
use crate::codes::ErrorCode;
use crate::config::{self, Loaded};
use crate::model::{Cluster, NodeName, Observation, ServerName};
use crate::plan::Move;

/// The common arguments of the commands that change the file.
#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// Write the change to the file; without it otb only shows and plans the change
    #[arg(long)]
    pub write: bool,
}

/// The common arguments of the commands that change several nodes.
#[derive(Debug, Args)]
pub(super) struct SkipArgs {
    /// Do not move this node (repeatable)
    #[arg(long, value_name = "NODE", add = ArgValueCandidates::new(complete::nodes))]
    pub skip: Vec<String>,
}

/// A command that changes the file, from its arguments to its end.
pub(super) struct Editing<'a> {
    global: &'a Global,
    args: &'a EditArgs,
    plan: &'a PlanArgs,
    loaded: Loaded,
    /// The nodes that `--target` and `--skip` leave to the command.
    nodes: BTreeSet<NodeName>,
}

impl<'a> Editing<'a> {
    /// Reads the file, and checks what the arguments name against it.
    pub(super) fn begin(
        global: &'a Global,
        (args, plan): (&'a EditArgs, &'a PlanArgs),
        skip: &[String],
    ) -> Result<Self, Failure> {
        let loaded = look::load(global)?;
        let cluster = &loaded.cluster;
        // A plan can be applied only while the file is the one it was made from.
        if plan.saves() && !args.write {
            let text = "--out requires --write: a saved plan can only be applied with the file it was made from";
            return Err(Failure::new(ErrorCode::UsageCombination, text).hint("add --write, or remove --out"));
        }
        let names = || cluster.nodes.keys().map(NodeName::as_str);
        if let Some(text) = skip.iter().find(|text| !names().any(|name| name == *text)) {
            let message = format!("--skip {text}: the file declares no such node");
            return Err(Failure::new(ErrorCode::UsageUnknownNode, message).meant("--skip ", text, names(), ""));
        }
        plan.waivers(cluster)?;
        let targets = global.targets(cluster)?;
        let is_left = |name: &&NodeName| {
            (targets.is_empty() || targets.contains(name)) && !skip.iter().any(|text| text == name.as_str())
        };
        let nodes = cluster.nodes.keys().filter(is_left).cloned().collect();
        Ok(Self { global, args, plan, loaded, nodes })
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.loaded.cluster
    }

    /// Whether `--target` and `--skip` leave this node to the command.
    pub(super) fn concerns(&self, node: &NodeName) -> bool {
        self.nodes.contains(node)
    }

    /// Tells the `story`, shows the change of the file, writes it if that is wanted, and plans what it asks for. `looked`
    /// is what was seen already, `again` the command as given, without `otb`, `way_back` what undoes it once it is written.
    pub(super) async fn end(
        self,
        moves: &[Move],
        story: &str,
        looked: Option<Observation>,
        (again, way_back): (&str, &str),
    ) -> Result<Exit, Failure> {
        let masters = moves.iter().map(|one| (one.node.clone(), one.to.clone())).collect();
        let edit = Edit::new(&self.global.file, self.loaded.text.clone(), &masters)?;
        match self.global.format {
            Format::Text => terminal::prose(story),
            _ => terminal::say(story.trim_end()),
        }
        edit.finish(self.global, (self.args, self.plan), looked, (again, way_back)).await
    }
}

/// cluster.yaml with other masters.
#[derive(Debug)]
pub(super) struct Edit {
    file: PathBuf,
    before: String,
    after: String,
    /// The nodes whose master is declared elsewhere now.
    moved: BTreeSet<NodeName>,
}

impl Edit {
    pub(super) fn new(file: &Path, before: String, masters: &BTreeMap<NodeName, ServerName>) -> Result<Self, Failure> {
        let after = config::with_masters(&before, masters).map_err(|error| {
            let text = format!("failed to edit {}: {error}; nothing was changed", file.display());
            Failure::new(ErrorCode::EditForm, text).hint("change the `master:` lines by hand, then otb plan")
        })?;
        Ok(Self { file: file.to_owned(), before, after, moved: masters.keys().cloned().collect() })
    }

    /// As `patch` and `git apply` read it; empty if nothing changes.
    pub(super) fn diff(&self) -> String {
        let name = self.file.display().to_string();
        TextDiff::from_lines(&self.before, &self.after)
            .unified_diff()
            .context_radius(1)
            .header(&name, &name)
            .to_string()
    }

    /// Shows the change, writes it if that is wanted, and plans what it asks for. `looked` is what was seen already,
    /// `again` the command as given, without `otb`, `way_back` what undoes it once it is written.
    async fn finish(
        &self,
        global: &Global,
        (args, plan_args): (&EditArgs, &PlanArgs),
        looked: Option<Observation>,
        (again, way_back): (&str, &str),
    ) -> Result<Exit, Failure> {
        let diff = self.diff();
        // If standard output is one document, the diff goes to standard error, for people.
        match global.format {
            _ if diff.is_empty() => {}
            Format::Text => terminal::result(&format!("{diff}\n")),
            _ => terminal::say(diff.trim_end()),
        }
        if args.write && self.before != self.after {
            self.write()?;
            terminal::say(&format!("{} is written; the way back: {way_back}", self.file.display()));
        }
        let name = self.file.display().to_string();
        let cluster = config::load(&name, &self.after);
        let cluster = cluster?.cluster;
        let targets = global.targets(&cluster)?;
        let connections = look::connections(&cluster)?;
        let seen = match looked {
            Some(seen) => look::observe_again(seen, &self.moved, &cluster, &connections, global).await,
            None => look::observe(&cluster, &connections, global).await,
        };
        connections.close().await;
        let waivers = plan_args.waivers(&cluster)?;
        let plan = look::plan_now(&cluster, &seen, &targets, &waivers);
        let otb = file_suggestions::otb(&self.file);
        let next = if args.write { format!("{otb} apply") } else { format!("{otb} {again} --write, then {otb} apply") };
        plan::show(global, plan_args, &plan, &seen, &waivers, &next)
    }

    /// Writes the file, unless it is another than the one that was read.
    pub(super) fn write(&self) -> Result<(), Failure> {
        file::write(&self.file, &self.after, Over::Text(&self.before))
    }
}
