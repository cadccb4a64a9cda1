//! What `otb explain` prints.

use std::fmt::Write as _;

use super::style;
use crate::codes::{Explanation, Kind, Language};

/// The words around an explanation.
struct Words {
    kinds: [&'static str; 5],
    checks: &'static str,
    means: &'static str,
    stops: &'static str,
    next: &'static str,
}

const ENGLISH: Words = Words {
    kinds: ["a check", "a finding of status and plan", "a mistake in cluster.yaml", "an error", "an exit code"],
    checks: "Why otb checks it",
    means: "What it means",
    stops: "Why otb stops",
    next: "What to do",
};

const CHINESE: Words = Words {
    kinds: ["检查", "status 和 plan 发现的问题", "cluster.yaml 中的错误", "错误", "退出码"],
    checks: "为什么检查",
    means: "含义",
    stops: "为什么停止",
    next: "如何处理",
};

/// One code in full, each paragraph a line.
pub fn explained_text(entry: &Explanation, language: Language) -> String {
    let mut out = String::new();
    let words = match language {
        Language::English => ENGLISH,
        Language::Chinese => CHINESE,
    };
    let (place, why) = match entry.kind {
        Kind::Check => (0, words.checks),
        Kind::Finding => (1, words.means),
        Kind::File => (2, words.stops),
        Kind::Error => (3, words.stops),
        Kind::Exit => (4, words.stops),
    };
    let _ = writeln!(out, "{} ({})", style::bold(&entry.code), words.kinds[place]);
    paragraph(&mut out, "", &entry.title);
    paragraph(&mut out, why, &entry.why);
    paragraph(&mut out, words.next, &entry.next);
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
