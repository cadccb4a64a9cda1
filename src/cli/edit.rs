//! Changes that otb writes into cluster.yaml for the user: shown as a unified diff, written on request.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use clap::Args;
use similar::TextDiff;

use super::args::{Format, Global};
use super::failure::Failure;
use super::plan::{self, PlanArgs};
use super::{Exit, look, terminal};
use crate::config;
use crate::model::{NodeName, ServerName};

/// What the commands that change the file have in common.
#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// Change the file; without it the change is only shown and planned
    #[arg(long)]
    pub write: bool,
    /// Leave this node as it is (repeatable)
    #[arg(long, value_name = "NODE")]
    pub skip: Vec<String>,
}

impl EditArgs {
    /// A plan can be applied only while the file is the one it was made from.
    pub(super) fn check(&self, plan: &PlanArgs, cluster: &crate::model::Cluster) -> Result<(), Failure> {
        if plan.saves() && !self.write {
            let text = "--out wants --write: a saved plan is applied only with the file it was made from";
            return Err(Failure::new(Exit::Usage, text).hint("add --write, or leave --out away"));
        }
        let unknown = self.skip.iter().find(|text| !cluster.nodes.keys().any(|name| name.as_str() == *text));
        match unknown {
            None => Ok(()),
            Some(text) => Err(Failure::new(Exit::Usage, format!("--skip {text}: the file declares no such node"))
                .meant("--skip ", text, cluster.nodes.keys().map(NodeName::as_str))),
        }
    }

    pub(super) fn skips(&self, node: &NodeName) -> bool {
        self.skip.iter().any(|text| text == node.as_str())
    }
}

/// cluster.yaml with other masters.
#[derive(Debug)]
pub(super) struct Edit {
    file: PathBuf,
    before: String,
    after: String,
}

impl Edit {
    pub(super) fn new(file: &Path, before: String, masters: &BTreeMap<NodeName, ServerName>) -> Result<Self, Failure> {
        let after = config::with_masters(&before, masters).map_err(|error| {
            let text = format!("failed to edit {}: {error}; nothing was changed", file.display());
            Failure::error(text).hint("change the `master:` lines by hand, then otb plan")
        })?;
        Ok(Self { file: file.to_owned(), before, after })
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

    /// Shows the change, writes it if that is wanted, and plans what it asks for. `again` is the command as
    /// given, `way_back` what undoes it once it is written.
    pub(super) async fn finish(
        &self,
        global: &Global,
        (args, plan_args): (&EditArgs, &PlanArgs),
        (again, way_back): (&str, &str),
    ) -> Result<Exit, Failure> {
        let diff = self.diff();
        // Where standard output is one document, the diff is for people beside it.
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
        let cluster = cluster.map_err(|diagnostics| Failure::new(Exit::Config, diagnostics.to_string()))?.cluster;
        let targets = global.targets(&cluster)?;
        // Looked at anew: some questions are asked only of nodes whose declared master is another.
        let outside = look::outside(&cluster)?;
        let seen = look::observe(&cluster, &outside, global).await;
        outside.close().await;
        let plan = look::plan_now(&cluster, &seen, &targets, &plan_args.waivers()?);
        let next = if args.write { "otb apply".to_owned() } else { format!("{again} --write, then otb apply") };
        plan::show(global, plan_args, &plan, &seen, &next)
    }

    /// Replaces the file in one moment: a reader sees the old text or the new one. Owner and mode stay.
    pub(super) fn write(&self) -> Result<(), Failure> {
        let failed = |why: String| {
            Failure::error(format!("failed to write {}: {why}; nothing was changed", self.file.display()))
        };
        // What a symbolic link leads to is replaced, not the link.
        let path = std::fs::canonicalize(&self.file).map_err(|error| failed(error.to_string()))?;
        let metadata = std::fs::metadata(&path).map_err(|error| failed(error.to_string()))?;
        // Its directory would let it be replaced all the same: but whoever made it read-only meant it.
        if metadata.permissions().readonly() {
            let mode = metadata.mode() & 0o7777;
            return Err(failed(format!("it is read-only (mode {mode:04o})")).hint("chmod u+w, or edit it by hand"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.otb-{}", std::process::id()));
        let replaced = self.draft(&draft, &metadata).and_then(|()| {
            if std::fs::read(&path)? != self.before.as_bytes() {
                return Err(std::io::Error::other("somebody changed it since otb read it"));
            }
            std::fs::rename(&draft, &path)
        });
        if let Err(error) = replaced {
            let _ = std::fs::remove_file(&draft);
            return Err(failed(error.to_string()).hint("look at the file, then run the command again"));
        }
        // The rename is done; that it survives a power failure is the directory's to say.
        let _ = path.parent().map(File::open).and_then(Result::ok).map(|directory| directory.sync_all());
        Ok(())
    }

    fn draft(&self, draft: &Path, like: &std::fs::Metadata) -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(draft)?;
        file.write_all(self.after.as_bytes())?;
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(like.permissions())?;
        file.sync_all()
    }
}
