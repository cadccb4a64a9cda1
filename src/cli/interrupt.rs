//! Ctrl-C, SIGTERM, and a terminal that goes away.

use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use super::terminal::NoEcho;
use crate::apply::Interrupts;
use crate::codes::ErrorCode;

/// Counts Ctrl-C, SIGTERM and SIGHUP from here on.
pub(super) fn listen() -> Interrupts {
    let (count, interrupts) = tokio::sync::watch::channel(0u8);
    // Heard from now on and without a break: one that comes while another is being counted counts as well.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return interrupts;
    };
    // A process that nohup started must outlive its terminal; a listener would undo that.
    let mut hangup = if ignores_hangup() { None } else { signal(SignalKind::hangup()).ok() };
    let listens = hangup.is_some();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = interrupt.recv() => {}
                Some(()) = terminate.recv() => {}
                Some(()) = async { hangup.as_mut()?.recv().await }, if listens => {
                    // The system and the shell may both report one lost terminal: it counts once.
                    count.send_modify(|count| *count = (*count).max(1));
                    continue;
                }
                else => return,
            }
            count.send_modify(|count| *count = count.saturating_add(1));
        }
    });
    interrupts
}

/// Linux reports it; on other systems a lost terminal counts without a question.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signals count from 1, and SIGHUP is the first.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// Does what a command does that changes nothing in the cluster: Ctrl-C ends it at once, and leaves nothing of a spinner
/// behind.
pub(super) async fn interruptible<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let _no_echo = NoEcho::begin();
    unless_interrupted(&mut listen(), work).await?
}

/// Does `work`, which changes nothing, unless the operator interrupts it.
pub(super) async fn unless_interrupted<T>(
    interrupts: &mut Interrupts,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let asked = async {
        if interrupts.wait_for(|count| *count > 0).await.is_err() {
            // Nobody listens for signals any more: they end the process by themselves.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = asked => Err(Failure::new(ErrorCode::ApplyInterrupted, "interrupted, nothing was changed in the cluster")),
        done = work => Ok(done),
    }
}
