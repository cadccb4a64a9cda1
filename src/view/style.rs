//! The few styles of otb. Terminals are light or dark and no program can find out which: so no yellow, no cyan and no
//! faint text, which one of them hides. Colour is only on words that say the same without it, never on longer text.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use crate::plan::{ChangeKind, Verdict};

/// `text` in `style`, reset afterwards.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Emphasised text.
pub fn bold(text: impl Display) -> String {
    paint(Style::new().bold(), text)
}

fn coloured(color: AnsiColor) -> Style {
    color.on_default()
}

/// `error[plan.stale]: …`
pub fn error_line(code: &str, text: impl Display) -> String {
    format!("{} {text}", paint(coloured(AnsiColor::Red).bold(), format!("error[{code}]:")))
}

/// The same for several, each with its place: every `error[...]:` that begins a line.
pub fn headed(text: &str) -> String {
    let line = |line: &str| match line.split_once("]: ") {
        Some((head, said)) if head.starts_with("error[") && line.ends_with('\n') => {
            format!("{} {said}", paint(coloured(AnsiColor::Red).bold(), format!("{head}]:")))
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// ` more: otb explain fence lag`
pub fn more_line(codes: &[&str]) -> String {
    format!("{} otb explain {}", bold(" more:"), codes.join(" "))
}

/// `hint: …`
pub fn hint_line(text: impl Display) -> String {
    format!("{} {text}", bold(" hint:"))
}

pub(super) fn verdict(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Pass => coloured(AnsiColor::Green),
        Verdict::Warn | Verdict::Waived => coloured(AnsiColor::Magenta),
        Verdict::Unknown | Verdict::Block => coloured(AnsiColor::Red).bold(),
    };
    paint(style, format!("{:<7}", verdict.word()))
}

pub(super) fn change(kind: ChangeKind) -> String {
    let style = match kind {
        ChangeKind::Failover | ChangeKind::Repair => coloured(AnsiColor::Red).bold(),
        ChangeKind::Switchover | ChangeKind::Restart => coloured(AnsiColor::Magenta).bold(),
        ChangeKind::Reroute | ChangeKind::Settle | ChangeKind::Rejoin => Style::new().bold(),
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
    paint(coloured(AnsiColor::Magenta), text)
}
