//! The page of commands, from what the argument parser knows.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

/// Every command with its arguments and options; panics where one says nothing of itself.
pub(crate) fn page() -> String {
    let mut otb = otb::cli::Cli::command();
    otb.build();
    let mut out = String::from(
        "# Commands\n\nMade from what `otb --help` knows. Standard output is the result, standard error everything else. \
         Each command's\nexit codes: [exit codes](exit-codes.md).\n\n## Options of every command\n\n",
    );
    options(&mut out, "otb", otb.get_arguments().filter(|arg| arg.is_global_set()));
    for command in shown(&otb) {
        describe(&mut out, "otb", command);
    }
    out
}

/// The commands that people use.
fn shown(of: &Command) -> impl Iterator<Item = &Command> {
    of.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn describe(out: &mut String, parent: &str, command: &Command) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    assert!(!about.is_empty(), "{name} does not say what it does");
    writeln!(out, "\n## {name}\n\n{}", with_stop(&about)).unwrap();
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set()).collect();
    let own: Vec<&Arg> = own.into_iter().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())).collect();
    let inner: Vec<&Command> = shown(command).collect();
    if inner.is_empty() {
        writeln!(out, "\n```text\n{}\n```", usage(command)).unwrap();
    }
    if !own.is_empty() {
        out.push('\n');
        options(out, &name, own.into_iter());
    }
    if let Some(after) = command.get_after_help() {
        writeln!(out, "\n```text\n{after}\n```").unwrap();
    }
    for command in inner {
        describe(out, &name, command);
    }
}

fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn options<'a>(out: &mut String, of: &str, arguments: impl Iterator<Item = &'a Arg>) {
    out.push_str("| option | default | meaning |\n|---|---|---|\n");
    for argument in arguments.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
        let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        assert!(!help.trim().is_empty(), "{of}: {} does not say what it means", argument.get_id());
        let help = [with_stop(&help), values(argument)].join("").replace('|', "\\|").replace('\n', " ");
        writeln!(out, "| {} | {} | {help} |", written(argument), default(argument)).unwrap();
    }
}

/// `-f`, `--file FILE`, or the argument's name.
fn written(argument: &Arg) -> String {
    let value = match argument.get_action() {
        ArgAction::Set | ArgAction::Append => {
            let names = argument.get_value_names().unwrap_or_default();
            let names: Vec<&str> = names.iter().map(clap::builder::Str::as_str).collect();
            names.join(" ")
        }
        _ => String::new(),
    };
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    match argument.get_long() {
        Some(long) if value.is_empty() => format!("{short}`--{long}`"),
        Some(long) => format!("{short}`--{long} {value}`"),
        None => format!("`{value}`"),
    }
}

fn default(argument: &Arg) -> String {
    let values: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    let from = argument.get_env().map(|name| format!("`${}`", name.to_string_lossy()));
    let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    if takes { from.into_iter().chain(values).collect::<Vec<_>>().join(", else ") } else { String::new() }
}

/// What may be given, each with its meaning where it has one.
fn values(argument: &Arg) -> String {
    if !matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        return String::new();
    }
    let known = argument.get_possible_values();
    let known = known.iter().filter(|value| !value.is_hide_set()).map(|value| match value.get_help() {
        Some(help) => format!("`{}` ({help})", value.get_name()),
        None => format!("`{}`", value.get_name()),
    });
    let known: Vec<String> = known.collect();
    if known.is_empty() { String::new() } else { format!(" One of {}.", known.join(", ")) }
}

fn with_stop(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', ':', '?']) { text.to_owned() } else { format!("{text}.") }
}
