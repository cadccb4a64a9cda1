//! The command line: arguments in, one exit code out. One file per command; its doc comment is its help.

mod apply;
mod apply_run;
mod approve;
mod args;
mod complete;
mod demo;
mod descriptors;
mod drain;
mod drift;
mod edit;
mod events;
mod explain;
mod failure;
mod file;
mod file_suggestions;
mod graph;
mod habits;
mod history;
mod import;
mod interrupt;
mod journal;
mod json;
mod lock;
mod log;
mod look;
mod move_node;
mod outcome;
mod plan;
mod ready;
mod rehearse;
mod restore;
mod sandbox;
mod schema;
mod show;
mod staleness;
mod status;
mod terminal;
mod validate;
mod version;
mod waive;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::codes::ErrorCode;
pub use crate::codes::Exit;
pub use args::Cli;
use failure::Failure;
pub use journal::{Entry, JournalLine, Planned};

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Runs otb on the process's arguments, or as a sandbox's tool.
pub fn main() -> ExitCode {
    if let Some(code) = crate::sandbox::as_tool() {
        return code;
    }
    complete::answer();
    let words = file_suggestions::typed();
    if let Some(failure) = habits::option(&words) {
        terminal::failure(&failure);
        return failure.exit().into();
    }
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(error) => return usage(error, &words).into(),
    };
    terminal::choose_color(cli.global.color);
    if let Err(failure) = log::start(cli.global.verbose, cli.global.log_file.as_deref()) {
        terminal::failure(&failure);
        return failure.exit().into();
    }
    let changes = matches!(cli.command, args::Command::Apply(_) | args::Command::Demo(_));
    match run(cli) {
        Ok(exit) => told(exit, changes).into(),
        Err(failure) => {
            terminal::failure(&failure);
            failure.exit().into()
        }
    }
}

/// The arguments, with the file that they mean.
fn parsed() -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches()?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    file_suggestions::find(&mut cli.global, matches.value_source("file"));
    Ok(cli)
}

/// Without its result a command is no success, but what apply did and proved stays done.
fn told(exit: Exit, changes: bool) -> Exit {
    let Some(why) = terminal::lost() else { return exit };
    terminal::failure(&Failure::new(ErrorCode::OutputLost, format!("failed to write to standard output: {why}")));
    if changes { exit } else { Exit::Error }
}

/// clap exits 2 on wrong usage, which would read as "differences". `words` stand behind `otb`.
fn usage(mut error: clap::Error, words: &[String]) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done;
    }
    if words.is_empty() {
        terminal::result(&error.render().ansi().to_string());
        return told(Exit::Done, false);
    }
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(failure) = habits::command(name, words)
    {
        terminal::failure(&failure);
        return failure.exit();
    }
    // clap offers hidden commands, too.
    if let Some(ContextValue::Strings(mut near)) = error.remove(ContextKind::SuggestedSubcommand) {
        near.retain(|name| name != sandbox::HIDDEN);
        if !near.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
        }
    }
    // clap's colours pass through what takes them out where they do not belong.
    let said = error.render().ansi().to_string();
    let code = usage_code(error.kind());
    let said = said.replacen("error:", &format!("error[{code}]:"), 1);
    // One word per thing, also where clap speaks.
    terminal::say(said.replace("tip:", "hint:").replace("subcommand", "command").trim_end());
    code.exit()
}

fn usage_code(kind: ErrorKind) -> ErrorCode {
    match kind {
        ErrorKind::InvalidSubcommand => ErrorCode::UsageCommand,
        ErrorKind::ArgumentConflict => ErrorCode::UsageCombination,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => ErrorCode::UsageMissing,
        ErrorKind::InvalidValue
        | ErrorKind::ValueValidation
        | ErrorKind::NoEquals
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues
        | ErrorKind::InvalidUtf8 => ErrorCode::UsageValue,
        _ => ErrorCode::UsageOption,
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(ErrorCode::InternalStart, format!("failed to start: {error}")))?;
    let exit = runtime.block_on(args::dispatch(cli));
    // A blocked reader of standard input must not keep a finished run alive.
    runtime.shutdown_background();
    exit
}
