//! What `otb explain` prints.

use std::fmt::Write as _;

use super::style;
use crate::codes::{Explanation, Kind};

/// One code in full, each paragraph a line.
pub fn explained_text(entry: &Explanation) -> String {
    let mut out = String::new();
    let what = match entry.kind {
        Kind::Check => "a check",
        Kind::Finding => "a finding of status and plan",
        Kind::File => "a mistake in cluster.yaml",
        Kind::Error => "an error",
        Kind::Exit => "an exit code",
    };
    let _ = writeln!(out, "{} ({what})", style::bold(&entry.code));
    paragraph(&mut out, "", &entry.title);
    let why = match entry.kind {
        Kind::Check => "Why otb checks it",
        Kind::Finding => "What it means",
        Kind::File | Kind::Error | Kind::Exit => "Why otb stops",
    };
    paragraph(&mut out, why, &entry.why);
    paragraph(&mut out, "What to do", &entry.next);
    facts(&mut out, entry);
    out
}

fn paragraph(out: &mut String, head: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    if !head.is_empty() {
        let _ = writeln!(out, "\n{}", style::bold(head));
    }
    let _ = writeln!(out, "  {text}");
}

fn facts(out: &mut String, entry: &Explanation) {
    let mut facts = Vec::new();
    if let (Some(exit), true) = (entry.exit, entry.kind != Kind::Exit) {
        let when = if entry.kind == Kind::Check { " of an apply that it refuses" } else { "" };
        facts.push(format!("exit code {exit}{when}"));
    }
    match (entry.kind, entry.waivable) {
        (Kind::Check, true) => facts.push(format!("waived by --waive {}:SUBJECT --reason ...", entry.code)),
        (Kind::Check, false) => facts.push("cannot be waived".to_owned()),
        _ => {}
    }
    facts.push(entry.page.clone());
    let _ = writeln!(out, "\n{}", facts.join("; "));
}

/// Every code with its title, by kind.
pub fn listed_text(entries: &[Explanation]) -> String {
    let mut out = String::new();
    for (kind, title) in [
        (Kind::Check, "Checks: what must be true before otb changes anything"),
        (Kind::Finding, "Findings: what otb status and otb plan report as wrong"),
        (Kind::File, "Mistakes in cluster.yaml"),
        (Kind::Error, "Errors"),
        (Kind::Exit, "Exit codes"),
    ] {
        let _ = writeln!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, style::bold(title));
        for entry in entries.iter().filter(|entry| entry.kind == kind) {
            let _ = writeln!(out, "  {:<27} {}", entry.code, entry.title);
        }
    }
    out
}
