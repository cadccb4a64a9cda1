//! The question before an apply, and what is taken as a yes.

use std::io::IsTerminal as _;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _};

use super::failure::Failure;
use super::interrupt::unless_interrupted;
use super::terminal;
use crate::apply::Interrupts;
use crate::codes::ErrorCode;
use crate::plan::Plan;
use crate::view;

/// The longest line that is read as an answer: a longer one is not a typed answer.
const LONGEST_ANSWER: u64 = 1024;

/// Waits for `yes`. Anything else, or no more input, is a no.
pub(super) async fn ask(plan: &Plan, interrupts: &mut Interrupts) -> Result<(), Failure> {
    let at_terminal = std::io::stdin().is_terminal();
    terminal::say(&view::question_text(plan));
    if at_terminal {
        terminal::prompt("> ");
    }
    let mut line = Vec::new();
    let mut input = tokio::io::BufReader::new(tokio::io::stdin().take(LONGEST_ANSWER));
    let read = unless_interrupted(interrupts, input.read_until(b'\n', &mut line)).await;
    // Neither Ctrl-C nor Ctrl-D ends the line that the answer would be on.
    if at_terminal && !line.ends_with(b"\n") {
        terminal::say("");
    }
    read?.map_err(|error| {
        Failure::new(ErrorCode::InputUnreadable, format!("failed to read the approval: {error}; nothing was changed"))
    })?;
    if line.trim_ascii() == b"yes" {
        return Ok(());
    }
    let hint = if at_terminal {
        "run otb apply again and answer `yes` in full: no other answer approves"
    } else {
        "without a terminal, use --auto-approve, or apply a saved plan"
    };
    Err(Failure::new(ErrorCode::ApplyNotApproved, "not approved, nothing was changed").hint(hint))
}
