//! The few styles otb uses.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use crate::plan::{ChangeKind, Verdict};

/// `text` in `style`, reset afterwards.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// What stands out.
pub fn bold(text: impl Display) -> String {
    paint(Style::new().bold(), text)
}

/// What may be read later.
pub fn dim(text: impl Display) -> String {
    paint(Style::new().dimmed(), text)
}

fn coloured(color: AnsiColor) -> Style {
    color.on_default()
}

/// `error[plan.stale]: …`
pub fn error_line(code: &str, text: impl Display) -> String {
    format!("{} {text}", paint(coloured(AnsiColor::Red).bold(), format!("error[{code}]:")))
}

/// ` more: otb explain fence lag`
pub fn more_line(codes: &[&str]) -> String {
    format!("{} otb explain {}", paint(coloured(AnsiColor::Cyan), " more:"), codes.join(" "))
}

/// `hint: …`
pub fn hint_line(text: impl Display) -> String {
    format!("{} {text}", paint(coloured(AnsiColor::Cyan), " hint:"))
}

pub(super) fn verdict(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Pass => coloured(AnsiColor::Green),
        Verdict::Warn | Verdict::Waived => coloured(AnsiColor::Yellow),
        Verdict::Unknown | Verdict::Block => coloured(AnsiColor::Red).bold(),
    };
    paint(style, format!("{:<7}", verdict.word()))
}

pub(super) fn change(kind: ChangeKind) -> String {
    let style = match kind {
        ChangeKind::Failover | ChangeKind::Repair => coloured(AnsiColor::Red).bold(),
        ChangeKind::Switchover | ChangeKind::Restart => coloured(AnsiColor::Yellow).bold(),
        ChangeKind::Reroute | ChangeKind::Rejoin => coloured(AnsiColor::Cyan).bold(),
    };
    paint(style, format!("{:<10}", kind.word()))
}

pub(super) fn good(text: impl Display) -> String {
    paint(coloured(AnsiColor::Green), text)
}

pub(super) fn bad(text: impl Display) -> String {
    paint(coloured(AnsiColor::Red).bold(), text)
}

pub(super) fn careful(text: impl Display) -> String {
    paint(coloured(AnsiColor::Yellow), text)
}
