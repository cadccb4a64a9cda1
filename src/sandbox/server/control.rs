//! The control socket: one JSON request per line in, JSON replies per line out, the last one final.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::sandbox::fault;
use crate::sandbox::status::Status;
use crate::sandbox::tools;

use super::daemon::Daemon;

/// What a command asks of the daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    Down,
    Status,
    Fault { kind: String, target: Option<String>, value: Vec<String> },
    Tool { name: String, args: Vec<String>, cwd: String, pgdata: Option<String> },
}

/// What the daemon answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Reply {
    /// A tool's standard output; more follows.
    Out {
        text: String,
    },
    /// A tool's standard error; more follows.
    Err {
        text: String,
    },
    /// A tool's end.
    Exit {
        code: u8,
    },
    Status {
        status: Status,
    },
    Done {
        message: String,
    },
    Failed {
        message: String,
    },
}

impl Reply {
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self, Self::Out { .. } | Self::Err { .. })
    }
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
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    let request: Result<Request, _> = serde_json::from_str(&line);
    let is_down = matches!(request, Ok(Request::Down));
    let (replies, mut queue) = mpsc::unbounded_channel();
    let answering = tokio::spawn({
        let daemon = Arc::clone(&daemon);
        async move {
            let last = match request {
                Ok(request) => answer(&daemon, request, &replies).await,
                Err(error) => Reply::Failed { message: format!("unreadable request: {error}") },
            };
            // Nobody listens any more: nothing to do about it.
            let _ = replies.send(last);
        }
    });
    while let Some(reply) = queue.recv().await {
        let mut text = serde_json::to_string(&reply)?;
        text.push('\n');
        if write.write_all(text.as_bytes()).await.is_err() || reply.is_final() {
            break;
        }
    }
    // A tool whose caller was killed stops waiting; what it did stays done.
    answering.abort();
    if is_down {
        // Its answer is out: the process that gives it ends here.
        daemon.request_stop();
    }
    Ok(())
}

async fn answer(daemon: &Arc<Daemon>, request: Request, replies: &mpsc::UnboundedSender<Reply>) -> Reply {
    match request {
        Request::Down => Reply::Done { message: "stopped".to_owned() },
        Request::Status => Reply::Status { status: Status::of(daemon) },
        Request::Fault { kind, target, value } => {
            match fault::inflict(daemon, &kind, target.as_deref(), &value).await {
                Ok(message) => Reply::Done { message },
                Err(message) => Reply::Failed { message },
            }
        }
        Request::Tool { name, args, cwd, pgdata } => {
            let console = tools::Console::new(replies.clone(), cwd.into(), pgdata.map(Into::into));
            let code = tools::run(daemon, &name, &args, &console).await;
            Reply::Exit { code }
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
