//! `otb demo`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Global;
use super::edit::Edit;
use super::failure::Failure;
use super::file_suggestions::NamedBy;
use super::{Exit, apply, look, plan, sandbox, terminal};
use crate::codes::ErrorCode;
use crate::model::{NodeName, ServerName};
use crate::sandbox::args::UpArgs;
use crate::view;

/// Start the embedded cluster, move a master with a one-line change, prove it, and remove everything
#[derive(Debug, Args)]
#[command(after_help = "Example: otb demo --keep")]
pub(super) struct DemoArgs {
    /// Keep the cluster running after the demo
    #[arg(long)]
    keep: bool,
    /// Directory for the cluster's files, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &DemoArgs) -> Result<Exit, Failure> {
    let dir = args.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("otb-demo-{}", std::process::id())));
    let site = sandbox::up(&UpArgs::seed(dir.clone()))?;
    heading("1. An embedded cluster runs: two servers, a GTM, two coordinators, two datanodes");
    terminal::result(&crate::sandbox::status(&site.dir)?.to_string());
    let global = Global { file: site.dir.join("cluster.yaml"), named_by: NamedBy::CommandLine, ..global.clone() };
    let shown = Box::pin(story(&global)).await;
    if args.keep {
        let file = global.file.display();
        terminal::prose(&format!(
            "\nThe cluster keeps running. Try:\n  otb -f {file} status\n  otb sandbox fault --dir {dir} kill dn02@s47\n  \
             otb -f {file} plan\n  otb sandbox down --dir {dir}\n",
            dir = site.dir.display()
        ));
    } else {
        take_down(&site.dir, args.dir.is_none())?;
        terminal::prose("\nThe cluster is removed. To keep it: otb demo --keep\n");
    }
    shown
}

/// The one-line change, its plan, its application, and the empty plan afterwards.
async fn story(global: &Global) -> Result<Exit, Failure> {
    heading("2. The change under review: dn01's master moves to s47");
    terminal::result(&change(global)?);
    heading("3. otb plan");
    plan::run(global, &plan::PlanArgs::default()).await?;
    heading("4. otb apply --auto-approve");
    let exit = Box::pin(apply::run(global, &apply::ApplyArgs::approved())).await?;
    heading("5. otb plan, again");
    plan::run(global, &plan::PlanArgs::default()).await?;
    Ok(exit)
}

fn heading(text: &str) {
    terminal::result(&format!("\n{}\n\n", view::bold(text)));
}

fn change(global: &Global) -> Result<String, Failure> {
    let failed =
        |why: String| Failure::new(ErrorCode::InternalBug, format!("failed to edit {}: {why}", global.file.display()));
    let node = NodeName::new("dn01").map_err(|error| failed(error.to_string()))?;
    let server = ServerName::new("s47").map_err(|error| failed(error.to_string()))?;
    let edit = Edit::new(&global.file, look::load(global)?.text, &BTreeMap::from([(node, server)]))?;
    edit.write()?;
    Ok(edit.diff())
}

fn take_down(dir: &Path, remove: bool) -> Result<(), Failure> {
    crate::sandbox::down(dir)?;
    if remove {
        std::fs::remove_dir_all(dir).map_err(|error| {
            Failure::new(ErrorCode::SandboxFiles, format!("failed to remove {}: {error}", dir.display()))
        })?;
    }
    Ok(())
}
