//! Standard output is the result, standard error everything else; colour only on a terminal.

use std::io::{ErrorKind, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::ColorChoice;
use super::failure::Failure;
use crate::view;

/// Applies `--color`; NO_COLOR and CLICOLOR are honoured by `auto`.
pub(super) fn choose_color(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

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

/// Whether there is still any sense in printing more of the result.
pub(super) fn is_read() -> bool {
    !GONE.load(Ordering::Relaxed) && lost().is_none()
}

/// Wipes the terminal. Not through anstream: where colour is off it would take this out, too.
pub(super) fn clear() {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(b"\x1b[H\x1b[2J").and_then(|()| out.flush());
}

/// Why the result did not reach standard output, if it did not.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Prints a line for people beside the result.
pub(super) fn say(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// Prints why a command failed, and what to do next.
pub(super) fn failure(failure: &Failure) {
    // Diagnostics of the file bring their own `error[...]` heads.
    if failure.message.starts_with("error") {
        say(failure.message.trim_end());
    } else {
        say(&view::error_line(&failure.message));
    }
    if let Some(hint) = &failure.hint {
        say(&view::hint_line(hint));
    }
}
