//! Short scripts for one server: those that come together run side by side in one shell.
//!
//! When thirty masters leave a server at the same time, a shell for each step of each would be a connection's channel,
//! a sudo and four processes each time, and sshd allows ten open sessions. So there are a few lanes with one shell at
//! a time in each. A script that arrives alone starts at once, and scripts that must wait travel together in the next
//! shell.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::output::Stream;
use super::process::Reader;
use super::shells::{CONNECTIONS, Shell};
use super::wrap::{Frame, Run};
use super::{Output, ShellError};
use crate::model::ServerName;
use crate::opentenbase::{Answers, MOST_JOINED, joint_script};

/// Shells at the same time. (sshd's MaxSessions is 10 unless it was changed, and others use them, too.)
const LANES: usize = 6;

/// How long a lane waits for company before it starts, for each lane that is busy already.
const COMPANY: Duration = Duration::from_millis(4);

/// The longest line that is read.
const MOST_LINE_BYTES: usize = 2 << 20;

type Ended = Result<Output, ShellError>;

/// The task that gets a script's result; `None` after it got it.
type Waiting = Option<oneshot::Sender<Ended>>;

/// The scripts that wait, and the lanes at work.
#[derive(Default)]
pub(super) struct Lanes {
    queue: Mutex<Queue>,
    /// Ends with us.
    at_work: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    busy: usize,
}

struct Job {
    script: String,
    limit: Duration,
    /// By a shell, or taken back: whichever comes first.
    taken: Arc<AtomicBool>,
    ended: oneshot::Sender<Ended>,
}

/// Runs `script` in a shell of its own or with others. `limit` covers everything; what had not begun by then never does.
pub(super) async fn run(shell: &Arc<Shell>, server: &ServerName, script: &str, limit: Duration) -> Ended {
    let (sender, receiver) = oneshot::channel();
    let taken = Arc::new(AtomicBool::new(false));
    let job = Job { script: script.to_owned(), limit, taken: Arc::clone(&taken), ended: sender };
    add(shell, server, job);
    let server = server.clone();
    match timeout(limit, receiver).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(_)) => Err(ShellError::Lost { server, why: "the shared shell ended".to_owned() }),
        Err(_) if taken.swap(true, Ordering::Relaxed) => Err(ShellError::TimedOut { server, limit }),
        Err(_) => Err(ShellError::NotOpened { server, limit }),
    }
}

fn add(shell: &Arc<Shell>, server: &ServerName, job: Job) {
    let lanes = &shell.lanes;
    let mut queue = lanes.queue.lock();
    queue.waiting.push_back(job);
    if queue.busy < LANES {
        let company = COMPANY * u32::try_from(queue.busy).unwrap_or(u32::MAX);
        queue.busy += 1;
        drop(queue);
        let mut at_work = lanes.at_work.lock();
        while at_work.try_join_next().is_some() {}
        at_work.spawn(work(Arc::downgrade(shell), server.clone(), company));
    }
}

/// One lane, until nothing waits.
async fn work(shell: std::sync::Weak<Shell>, server: ServerName, company: Duration) {
    if !company.is_zero() {
        sleep(company).await;
    }
    // The shell holds us: without it there is nothing to do.
    while let Some(shell) = shell.upgrade() {
        let batch = shell.lanes.next();
        match <[Job; 1]>::try_from(batch) {
            Ok([job]) => alone(&shell, &server, job).await,
            Err(batch) if batch.is_empty() => return,
            Err(batch) => together(&shell, &server, batch).await,
        }
    }
}

impl Lanes {
    /// The waiting scripts with the same limit, which is the shell's; none if the lane is closed.
    fn next(&self) -> Vec<Job> {
        let mut queue = self.queue.lock();
        queue.waiting.retain(|job| !job.ended.is_closed());
        // A task that waited too long has taken its script back. Once a shell has it, the shell's limit counts.
        let first = loop {
            match queue.waiting.pop_front() {
                Some(job) if job.taken.swap(true, Ordering::Relaxed) => {}
                Some(job) => break job,
                None => {
                    queue.busy -= 1;
                    return Vec::new();
                }
            }
        };
        let limit = first.limit;
        let mut batch = vec![first];
        for job in std::mem::take(&mut queue.waiting) {
            if job.limit != limit || batch.len() == MOST_JOINED {
                queue.waiting.push_back(job);
            } else if !job.taken.swap(true, Ordering::Relaxed) {
                batch.push(job);
            }
        }
        batch
    }
}

async fn alone(shell: &Shell, server: &ServerName, job: Job) {
    let Job { script, limit, mut ended, .. } = job;
    let result = tokio::select! {
        result = shell.finish(server, &script, limit) => result,
        // Nobody waits for it any more: the process goes with it.
        () = ended.closed() => return,
    };
    let _ = ended.send(result);
}

async fn together(shell: &Shell, server: &ServerName, jobs: Vec<Job>) {
    let limit = jobs.first().map_or(Duration::ZERO, |job| job.limit);
    let script = joint_script(jobs.iter().map(|job| job.script.as_str()));
    let mut waiting: Vec<Waiting> = jobs.into_iter().map(|job| Some(job.ended)).collect();
    let begun = Instant::now();
    let mut result = joint(shell, server, &script, limit, &mut waiting).await;
    for _ in 0..CONNECTIONS {
        match result {
            Err(ShellError::Full { .. }) if shell.open_another().await => {
                result = joint(shell, server, &script, limit.saturating_sub(begun.elapsed()), &mut waiting).await;
            }
            _ => break,
        }
    }
    let result = match result {
        // As for a script alone: a new connection is as good as the first.
        Err(ShellError::Unreachable { .. }) if shell.forget().await => {
            joint(shell, server, &script, limit.saturating_sub(begun.elapsed()), &mut waiting).await
        }
        result => result,
    };
    // Whoever has not heard shares what became of the whole.
    let error = result.err().unwrap_or_else(|| lost(server));
    for ended in waiting.into_iter().flatten() {
        let _ = ended.send(Err(error.clone()));
    }
}

/// Sees the joint script through; each one waiting hears of its own part as soon as that has ended.
async fn joint(
    shell: &Shell,
    server: &ServerName,
    script: &str,
    limit: Duration,
    waiting: &mut [Waiting],
) -> Result<(), ShellError> {
    let begun = Instant::now();
    let mut started = shell.start(server, script, Run::Within(limit), limit).await?;
    let limit = limit.saturating_sub(begun.elapsed());
    let mut stdout = started.take_stdout();
    let abandoned = Notify::new();
    let reading = async {
        let (mut answers, mut lines) = (Answers::to(waiting.len()), Lines::default());
        loop {
            tokio::select! {
                more = lines.fill(&mut stdout) => if !more { break },
                () = all_gone(waiting) => {
                    abandoned.notify_one();
                    std::future::pending::<()>().await;
                }
            }
            while let Some(line) = lines.next() {
                let Some((number, answer)) = answers.line(&line) else { continue };
                if let Some(ended) = waiting.get_mut(number).and_then(Option::take) {
                    let _ = ended.send(answer.map(Output::from).ok_or_else(|| lost(server)));
                }
            }
        }
        Stream::default()
    };
    tokio::select! {
        result = started.see_through(server, script, limit, reading) => result.map(drop),
        () = abandoned.notified() => Ok(()),
    }
}

/// Waits until none of those who still wait is there. Never, if all have heard: then the script ends by itself.
async fn all_gone(waiting: &mut [Waiting]) {
    let mut left = waiting.iter_mut().flatten().peekable();
    if left.peek().is_none() {
        std::future::pending::<()>().await;
    }
    join_all(left.map(oneshot::Sender::closed)).await;
}

fn lost(server: &ServerName) -> ShellError {
    ShellError::Lost { server: server.clone(), why: "a part of the output is missing".to_owned() }
}

/// The script's own lines, whole, of a stream that comes in pieces.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    begin: usize,
    frame: Frame,
}

impl Lines {
    /// Reads some more. False: there is no more, or no end of a line. Nothing is lost if this is dropped.
    async fn fill(&mut self, from: &mut Reader) -> bool {
        self.bytes.drain(..std::mem::take(&mut self.begin));
        self.bytes.len() < MOST_LINE_BYTES && matches!(from.read_buf(&mut self.bytes).await, Ok(1..))
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let line = self.any()?;
            if self.frame.is_own(&line) {
                return Some(line);
            }
        }
    }

    fn any(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.begin..)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.begin += end + 1;
        Some(line)
    }
}
