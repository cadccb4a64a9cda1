//! Standard output is the result, standard error everything else; colour only on a terminal.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write as _};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

use super::Exit;
use super::args::ColorChoice;
use super::failure::Failure;
use crate::view::{self, Motion};

/// Applies `--color`; NO_COLOR and CLICOLOR are honoured by `auto`.
pub(super) fn choose_color(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// A window narrower than this is no window: some programs that only look like a terminal say 0.
const LEAST_COLUMNS: usize = 40;

/// How wide a page of text is at most.
const PAGE_COLUMNS: usize = 98;

/// Whoever read the result has gone away.
static GONE: AtomicBool = AtomicBool::new(false);

/// Why a part of the result could not be written.
static LOST: OnceLock<String> = OnceLock::new();

/// Prints the result. A reader that has gone away (`otb plan | head`) is no error; a full disk is one, and the
/// end of the run says so.
pub(super) fn result(text: &str) {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => GONE.store(true, Ordering::Relaxed),
        Err(error) => drop(LOST.set(error.to_string())),
        Ok(()) => {}
    }
}

/// Prints a result that is read by people, folded for the terminal that it goes to.
pub(super) fn prose(text: &str) {
    result(&fitted(text, &std::io::stdout()));
}

/// Prints paragraphs: lines of more than some hundred letters are hard to read, however wide the window is.
pub(super) fn page(text: &str) {
    let columns = columns(&std::io::stdout()).map_or(PAGE_COLUMNS, |columns| columns.min(PAGE_COLUMNS));
    result(&view::fold(text, columns));
}

/// Writes the text unchanged if standard output is not a terminal.
fn fitted<'a>(text: &'a str, to: &(impl IsTerminal + AsFd)) -> Cow<'a, str> {
    columns(to).map_or(Cow::Borrowed(text), |columns| Cow::Owned(view::fold(text, columns)))
}

/// How wide the window is; none where there is no window.
fn columns(of: &(impl IsTerminal + AsFd)) -> Option<usize> {
    let size = of.is_terminal().then(|| tcgetwinsize(of).ok())?;
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns >= LEAST_COLUMNS)
}

/// Whether there is still any sense in printing more of the result.
pub(super) fn is_read() -> bool {
    !GONE.load(Ordering::Relaxed) && lost().is_none()
}

/// Puts `text` where the terminal's text was, as much of it as there is room for: it does not scroll, nor wrap lines.
pub(super) fn redraw(text: &str) {
    let rows = tcgetwinsize(std::io::stdout()).map_or(24, |size| usize::from(size.ws_row)).max(3);
    let lines: Vec<&str> = text.lines().collect();
    let shown = if lines.len() < rows { lines.len() } else { rows - 2 };
    let mut screen = String::from("\x1b[H\x1b[?7l");
    for line in &lines[..shown] {
        screen.push_str(line);
        screen.push_str("\x1b[K\n");
    }
    if let Some(more @ 1..) = lines.len().checked_sub(shown) {
        let _ = std::fmt::Write::write_fmt(&mut screen, format_args!("and {more} more lines: otb status\x1b[K\n"));
    }
    screen.push_str("\x1b[J\x1b[?7h");
    // Not through anstream: where colour is off it would take the moves out, too.
    let colour = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
    let screen = if colour { screen } else { without_styles(&screen) };
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(screen.as_bytes()).and_then(|()| out.flush());
}

/// Without `ESC [ ... m`.
fn without_styles(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split("\x1b[").enumerate() {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        match end {
            _ if n == 0 => out.push_str(part),
            Some(end) if part[end..].starts_with('m') => out.push_str(&part[end + 1..]),
            _ => {
                out.push_str("\x1b[");
                out.push_str(part);
            }
        }
    }
    out
}

/// What may move on standard error: nothing if it is not a terminal or a dumb one, ASCII if the locale is not UTF-8.
pub(super) fn motion() -> Motion {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if !std::io::stderr().is_terminal() || set(&"TERM").is_none_or(|term| term == "dumb") {
        return Motion::None;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") { Motion::Unicode } else { Motion::Ascii }
}

/// Keeps Ctrl-C from being shown as `^C` in the middle of what moves, as long as it lives: bars are drawn from where the
/// cursor was left. Put off for good (by SIGKILL), a terminal lacks nothing else. A pager has the terminal for itself.
pub(super) struct NoEcho {
    put_off: bool,
}

impl NoEcho {
    /// On a terminal.
    pub(super) fn begin() -> Self {
        let is_ours = motion() != Motion::None && std::io::stdout().is_terminal();
        Self { put_off: is_ours && echo_control(false) }
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        if self.put_off {
            echo_control(true);
        }
    }
}

/// Sets this one mode, and leaves alone what others have set meanwhile. Whether it was otherwise.
fn echo_control(on: bool) -> bool {
    let Some(mut modes) = in_foreground().then(|| tcgetattr(std::io::stdin()).ok()).flatten() else { return false };
    let differs = modes.local_modes.contains(LocalModes::ECHOCTL) != on;
    if differs {
        modes.local_modes.set(LocalModes::ECHOCTL, on);
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &modes);
    }
    differs
}

/// A background process that changes a terminal is stopped.
fn in_foreground() -> bool {
    tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Why the result did not reach standard output, if it did not.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Prints a line for people beside the result.
pub(super) fn say(text: &str) {
    print_line(&fitted(text, &std::io::stderr()));
}

/// Prints a command to paste: nothing is put into it, however long it is.
pub(super) fn command(text: &str) {
    print_line(&format!("  {text}"));
}

fn print_line(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// Prints what stands before an answer, which follows on the same line.
pub(super) fn prompt(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{text}").and_then(|()| err.flush());
}

/// Prints why a command failed, and what to do next.
pub(super) fn failure(failure: &Failure) {
    // Diagnostics of the file bring their own `error[...]` heads.
    if failure.message.starts_with("error") {
        // Carets stand under what they mean: nothing of it is folded.
        print_line(&view::headed(failure.message.trim_end()));
    } else {
        say(&view::error_line(failure.code.as_str(), &failure.message));
    }
    if let Some(hint) = &failure.hint {
        say(&view::hint_line(hint));
    }
    // Wrong usage has said all there is to say.
    if failure.exit() != Exit::Usage {
        more(&[failure.code.as_str()]);
    }
}

/// Says where there is more to read of these codes.
pub(super) fn more(codes: &[&str]) {
    say(&view::more_line(codes));
}

#[cfg(test)]
mod tests {
    #[test]
    fn styles_go_and_moves_stay() {
        assert_eq!(super::without_styles("\x1b[H\x1b[1mbold\x1b[0m\x1b[K"), "\x1b[Hbold\x1b[K");
    }
}
