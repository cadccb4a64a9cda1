//! The control socket: one JSON request per line in, JSON replies per line out, the last one final. A tool's call is no
//! JSON ([`Call`]), for the relay that makes it knows none.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::sandbox::fault;
use crate::sandbox::status::Status;

use super::call::Call;
use super::daemon::Daemon;

/// The request of a command to the daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    Down,
    Status,
    Fault { kind: String, target: Option<String>, value: Vec<String> },
}

/// The answer of the daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Reply {
    Status { status: Status },
    Done { message: String },
    Failed { message: String },
}

pub(super) fn listen(daemon: &Arc<Daemon>) -> io::Result<JoinHandle<()>> {
    let path = daemon.site.socket();
    // A daemon that was killed leaves its socket behind; `up` has made sure that none lives.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(path)?;
    let daemon = Arc::clone(daemon);
    Ok(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let daemon = Arc::clone(&daemon);
            tokio::spawn(async move {
                // A caller that went away gets no answer.
                let _ = converse(daemon, stream).await;
            });
        }
    }))
}

async fn converse(daemon: Arc<Daemon>, stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let (mut read, mut line) = (BufReader::new(read), String::new());
    read.read_line(&mut line).await?;
    if let Ok(bytes) = line.trim_end().parse() {
        let call = Call::read(&mut read, bytes).await?;
        return call.answer(&daemon, write).await;
    }
    let request: Result<Request, _> = serde_json::from_str(&line);
    let is_down = matches!(request, Ok(Request::Down));
    let reply = match request {
        Ok(request) => answer(&daemon, request).await,
        Err(error) => Reply::Failed { message: format!("unreadable request: {error}") },
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    // A caller that went away hears nothing: nothing to do about it.
    let _ = write.write_all(text.as_bytes()).await;
    if is_down {
        // Its answer is out: the process that gives it ends here.
        daemon.request_stop();
    }
    Ok(())
}

async fn answer(daemon: &Arc<Daemon>, request: Request) -> Reply {
    match request {
        Request::Down => Reply::Done { message: "stopped".to_owned() },
        Request::Status => Reply::Status { status: Status::of(daemon) },
        Request::Fault { kind, target, value } => {
            match fault::inflict(daemon, &kind, target.as_deref(), &value).await {
                Ok(message) => Reply::Done { message },
                Err(message) => Reply::Failed { message },
            }
        }
    }
}

/// SIGTERM or SIGINT.
pub(super) async fn terminated() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
