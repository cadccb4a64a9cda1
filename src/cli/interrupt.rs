//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use crate::apply::Interrupts;
use crate::codes::ErrorCode;

/// Counts Ctrl-C and SIGTERM from here on.
pub(super) fn listen() -> Interrupts {
    let (count, interrupts) = tokio::sync::watch::channel(0u8);
    tokio::spawn(async move {
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        loop {
            tokio::select! {
                Ok(()) = tokio::signal::ctrl_c() => {}
                Some(()) = terminate.recv() => {}
                else => return,
            }
            count.send_modify(|count| *count = count.saturating_add(1));
        }
    });
    interrupts
}

/// Does `work`, which changes nothing, unless the operator wants to stop.
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
        () = asked => Err(Failure::new(ErrorCode::ApplyInterrupted, "interrupted, nothing was changed")),
        done = work => Ok(done),
    }
}
