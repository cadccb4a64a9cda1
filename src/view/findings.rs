//! Findings as text: what is wrong first, then what each means and the next command.

use std::fmt::Write as _;

use super::style;
use super::words::count;
use crate::model::{Finding, NextCommand, Severity};

/// How many findings are written out; a terminal shows no more.
const SHOWN: usize = 16;

/// `2 problems, 1 note`; `None` means that there is no finding.
pub(super) fn counted(findings: &[Finding]) -> Option<String> {
    let problems = findings.iter().filter(|finding| finding.severity.is_problem()).count();
    match (problems, findings.len() - problems) {
        (0, 0) => None,
        (problems, 0) => Some(count(problems, "problem")),
        (0, notes) => Some(count(notes, "note")),
        (problems, notes) => Some(format!("{}, {}", count(problems, "problem"), count(notes, "note"))),
    }
}

/// All findings with their commands, in the order in which they are read.
pub(super) fn findings_text(findings: &[Finding]) -> String {
    let mut out = String::new();
    let shown = &findings[..findings.len().min(SHOWN)];
    if let [only] = shown {
        let _ = writeln!(out, "{}\n  {}", title(only), only.means);
        commands(&mut out, &only.next);
        return out;
    }
    for (n, finding) in shown.iter().enumerate() {
        let _ = writeln!(out, "{:>2} {}", n + 1, title(finding));
    }
    if let Some(more @ 1..) = findings.len().checked_sub(SHOWN) {
        let _ = writeln!(out, "   and {}: otb status --format json", count(more, "more finding"));
    }
    out.push('\n');
    let mut said: Vec<&[NextCommand]> = Vec::new();
    for (n, finding) in shown.iter().enumerate() {
        let _ = writeln!(out, "{:>2} {}", n + 1, finding.means);
        // One command cures many findings: once is enough.
        if !said.contains(&finding.next.as_slice()) {
            commands(&mut out, &finding.next);
            said.push(&finding.next);
        }
    }
    out
}

fn title(finding: &Finding) -> String {
    match finding.severity {
        Severity::Outage | Severity::Degraded => style::bad(&finding.what),
        Severity::Risk => style::careful(&finding.what),
        Severity::Note => style::bold(&finding.what),
    }
}

fn commands(out: &mut String, next: &[NextCommand]) {
    for NextCommand { command, when } in next {
        let _ = match when {
            None => writeln!(out, "  next: {}", style::bold(command)),
            Some(when) => writeln!(out, "  next ({when}): {}", style::bold(command)),
        };
    }
}

/// The problems without what a plan says itself: a line each, with what it means.
pub(super) fn problems_text(findings: &[Finding]) -> String {
    let mut out = String::new();
    let problems: Vec<&Finding> = findings.iter().filter(|finding| finding.severity.is_problem()).collect();
    for finding in problems.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}\n     {}", title(finding), finding.means);
    }
    if let Some(more @ 1..) = problems.len().checked_sub(SHOWN) {
        let _ = writeln!(out, "  and {}: otb status --format json", count(more, "more problem"));
    }
    out
}
