//! `otb sandbox`.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::{Exit, descriptors, rehearse, show, terminal};
use crate::codes::ErrorCode;
use crate::config;
use crate::sandbox::args::{DirArgs, FaultArgs, ServeArgs, UpArgs};
use crate::sandbox::{self, SandboxError, Site};

/// The command that otb starts by itself.
pub(super) const HIDDEN: &str = "serve";

/// An embedded cluster on loopback, to try otb, to practise and to test
#[derive(Debug, Args)]
#[command(after_help = "Example: otb sandbox up --dir demo && otb -f demo/cluster.yaml plan")]
pub(super) struct SandboxArgs {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
enum SandboxCommand {
    /// Start it in the background and write DIR/cluster.yaml
    #[command(after_help = "Example: otb sandbox up --dir demo --datanodes 4 && otb -f demo/cluster.yaml status")]
    Up(UpArgs),
    /// Stop the sandbox
    #[command(after_help = "Example: otb sandbox down --dir demo")]
    Down(DirArgs),
    /// Show the state of its instances
    #[command(after_help = "Example: otb sandbox status --dir demo")]
    Status(DirArgs),
    /// Cause a fault that happens on real clusters
    Fault(FaultArgs),
    #[command(hide = true)]
    Serve(ServeArgs),
}

pub(super) async fn run(args: SandboxArgs) -> Result<Exit, Failure> {
    match args.command {
        SandboxCommand::Up(args) => {
            let site = up(&args)?;
            let file = site.dir.join("cluster.yaml");
            terminal::result(&format!("The sandbox runs. Next: otb -f {} status\n", file.display()));
        }
        SandboxCommand::Down(args) => sandbox::down(&args.dir)?,
        SandboxCommand::Status(args) => terminal::result(&sandbox::status(&args.dir)?.to_string()),
        SandboxCommand::Fault(args) => terminal::result(&(sandbox::fault(&args)? + "\n")),
        SandboxCommand::Serve(args) => {
            // A thousand routers need a thousand listeners and their connections; a small sandbox works without.
            let _ = descriptors::raise();
            sandbox::serve(&args.sandbox.dir).await?;
        }
    }
    Ok(Exit::Done)
}

/// Starts a sandbox.
pub(super) fn up(args: &UpArgs) -> Result<Site, Failure> {
    if let Some(path) = &args.like_live {
        let plan = show::read(path)?;
        let seen = rehearse::seen_of(&plan)?;
        return Ok(sandbox::up(args, Some(plan.cluster), Some(seen))?);
    }
    let from = args.from.as_ref().map(|file| config::read(file)).transpose()?;
    Ok(sandbox::up(args, from.map(|loaded| loaded.cluster), None)?)
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let code = match &error {
            SandboxError::InUse(_) => ErrorCode::SandboxInUse,
            SandboxError::NotEmpty(_) => ErrorCode::SandboxNotEmpty,
            SandboxError::NotRunning(_) => ErrorCode::SandboxNotRunning,
            SandboxError::NoAddress | SandboxError::Ended(_) | SandboxError::NotReady(_) => ErrorCode::SandboxStart,
            SandboxError::Refused(_) | SandboxError::Name(_) => ErrorCode::SandboxRefused,
            SandboxError::Io(_) => ErrorCode::SandboxFiles,
        };
        let text = match &error {
            SandboxError::Refused(why) => format!("the sandbox cannot do that: {why}"),
            other => format!("failed to {other}"),
        };
        Self::new(code, text)
    }
}
