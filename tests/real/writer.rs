//! Steady writers to one datanode, one through each coordinator, who remember what they saw committed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

/// After how long an answer counts as lost; the statement may have been committed then.
const LOST: Duration = Duration::from_secs(10);

/// Between two statements.
const PAUSE: Duration = Duration::from_millis(2);

/// What one writer knows.
#[derive(Debug)]
pub(crate) struct Tally {
    /// By row: updates whose commit was answered.
    pub(crate) committed: BTreeMap<i32, u64>,
    /// By row: updates that ended without an answer that says so.
    pub(crate) unknown: BTreeMap<i32, u64>,
    last: Instant,
    longest: Duration,
}

/// A thread that updates rows of its own until it is dropped.
pub(crate) struct Writer {
    tally: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Begins; `conninfo` leads to a coordinator, `rows` are nobody else's.
    pub(crate) fn start(conninfo: String, rows: Vec<i32>) -> Self {
        let (committed, unknown) = (BTreeMap::new(), BTreeMap::new());
        let tally = Tally { committed, unknown, last: Instant::now(), longest: Duration::ZERO };
        let (tally, stop) = (Arc::new(Mutex::new(tally)), Arc::new(AtomicBool::new(false)));
        let work = (Arc::clone(&tally), Arc::clone(&stop));
        let thread = std::thread::spawn(move || write(&conninfo, &rows, &work.0, &work.1));
        Self { tally, stop, thread: Some(thread) }
    }

    /// Begins to look for the longest time between two commits.
    pub(crate) fn mark(&self) {
        let mut tally = held(&self.tally);
        (tally.last, tally.longest) = (Instant::now(), Duration::ZERO);
    }

    /// The longest time between two commits since the mark.
    pub(crate) fn gap(&self) -> Duration {
        let tally = held(&self.tally);
        tally.longest.max(tally.last.elapsed())
    }

    /// How long its last commit lies back.
    pub(crate) fn idle(&self) -> Duration {
        held(&self.tally).last.elapsed()
    }

    /// Stops writing and gives what was seen.
    pub(crate) fn finish(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        let mut tally = held(&self.tally);
        let (committed, unknown) = (std::mem::take(&mut tally.committed), std::mem::take(&mut tally.unknown));
        Tally { committed, unknown, last: tally.last, longest: tally.longest }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn held(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap()
}

fn write(conninfo: &str, rows: &[i32], tally: &Mutex<Tally>, stop: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut client: Option<Client> = None;
    for row in rows.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        runtime.block_on(async {
            if client.is_none() {
                client = connect(conninfo).await;
            }
            match &client {
                Some(open) if update(open, *row, tally).await => {}
                _ => client = None,
            }
            tokio::time::sleep(PAUSE).await;
        });
    }
}

async fn connect(conninfo: &str) -> Option<Client> {
    let (client, connection) = tokio::time::timeout(LOST, tokio_postgres::connect(conninfo, NoTls)).await.ok()?.ok()?;
    tokio::spawn(connection);
    Some(client)
}

/// One update. False: the session is to be opened anew.
async fn update(client: &Client, row: i32, tally: &Mutex<Tally>) -> bool {
    let statement = format!("update otb_rows set n = n + 1 where id = {row}");
    let answer = tokio::time::timeout(LOST, client.simple_query(&statement)).await;
    let mut tally = held(tally);
    if let Ok(Ok(_)) = answer {
        *tally.committed.entry(row).or_default() += 1;
        tally.longest = tally.longest.max(tally.last.elapsed());
        tally.last = Instant::now();
        return true;
    }
    *tally.unknown.entry(row).or_default() += 1;
    false
}
