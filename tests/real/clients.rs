//! Clients that move money between the rows of both datanodes, add it all up, update and read, while masters move. They
//! remember how long any of them had to wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Statement};

use crate::cluster::Real;
use crate::support::ground::TestCluster as _;

/// How many rows the table has.
const ROWS: u64 = 2000;

/// After how long a client gives its session up: it hangs.
const HANGS: Duration = Duration::from_secs(120);

/// How long all clients together may take to end what they are at.
const IDLE: Duration = Duration::from_secs(60);

/// Of a dozen clients of one coordinator.
pub(crate) const KINDS: [Kind; 12] = [
    Kind::Transfer,
    Kind::Transfer,
    Kind::Transfer,
    Kind::Transfer,
    Kind::Transfer,
    Kind::Transfer,
    Kind::Update,
    Kind::Update,
    Kind::Read,
    Kind::Read,
    Kind::Audit,
    Kind::Audit,
];

/// The same, but that three of them prepare their statement on the server once.
pub(crate) const WITH_PREPARED: [Kind; 12] = {
    let mut kinds = KINDS;
    (kinds[0], kinds[1], kinds[2]) = (Kind::Prepared, Kind::Prepared, Kind::Prepared);
    kinds
};

/// What a client does again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// One less in one row and one more in another, which is often on the other datanode: a commit in two phases.
    Transfer,
    Update,
    /// The same by a statement that is prepared on the server.
    Prepared,
    Read,
    /// The sum over the whole table, which never changes.
    Audit,
}

/// What all clients saw together.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) done: BTreeMap<Kind, u64>,
    pub(crate) failed: BTreeMap<(Kind, String), u64>,
    /// Sums other than 0.
    pub(crate) odd_sums: u64,
    longest: Duration,
    /// The longest between two sums that one client got, with whatever failed between them: each needs all datanodes.
    silence: Duration,
}

impl Seen {
    /// How many statements failed of clients of these kinds.
    pub(crate) fn failures(&self, of: impl Fn(Kind) -> bool) -> u64 {
        self.failed.iter().filter(|((kind, _), _)| of(*kind)).map(|(_, count)| count).sum()
    }
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    /// When each client that waits for an answer began to.
    waiting: Mutex<BTreeMap<usize, Instant>>,
    /// When each client that adds up got its last sum.
    summed: Mutex<BTreeMap<usize, Instant>>,
    is_paused: AtomicBool,
    is_over: AtomicBool,
    tries: AtomicU64,
}

impl Shared {
    fn note(&self, (number, kind): (usize, Kind), error: Option<String>, took: Duration) {
        let mut seen = held(&self.seen);
        if kind == Kind::Audit && error.is_none() {
            let before = held(&self.summed).insert(number, Instant::now());
            seen.silence = seen.silence.max(before.map(|at| at.elapsed()).unwrap_or_default());
        }
        seen.longest = seen.longest.max(took);
        match error {
            None => *seen.done.entry(kind).or_default() += 1,
            Some(error) => *seen.failed.entry((kind, error)).or_default() += 1,
        }
    }
}

/// Twelve clients of each of two coordinators, until dropped.
pub(crate) struct Clients {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A fresh table whose sum is 0, and the cluster's own extension that finishes transactions in doubt.
pub(crate) fn table(real: &Real) {
    let cn01 = real.instance("cn01@s29");
    real.tell(cn01, "create extension if not exists pg_clean");
    real.tell(cn01, "drop table if exists otb_accounts");
    real.tell(cn01, "create table otb_accounts(id bigint primary key, v bigint) distribute by shard(id)");
    real.tell(cn01, &format!("insert into otb_accounts select i, 0 from generate_series(1, {ROWS}) i"));
}

impl Clients {
    /// Begins, through both coordinators.
    pub(crate) fn start(real: &Real) -> Self {
        Self::start_as(real, KINDS)
    }

    /// The same with these kinds through each coordinator.
    pub(crate) fn start_as(real: &Real, kinds: [Kind; 12]) -> Self {
        let conninfo = |at: &str| {
            let (host, port) = real.endpoint(at);
            format!("host={host} port={port} user={} dbname=postgres connect_timeout=10", real.user())
        };
        let coordinators = ["cn01@s29", "cn02@s47"].map(conninfo);
        let shared = Arc::new(Shared::default());
        let work = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let all = coordinators.iter().flat_map(|conninfo| kinds.map(|kind| (conninfo.clone(), kind)));
                let clients = all
                    .zip(0..)
                    .map(|((conninfo, kind), number)| tokio::spawn(live(conninfo, kind, number, Arc::clone(&work))));
                for client in clients.collect::<Vec<_>>() {
                    client.await.unwrap();
                }
            });
        });
        Self { shared, thread: Some(thread) }
    }

    /// Begins to look for the longest wait.
    pub(crate) fn mark(&self) {
        held(&self.shared.seen).longest = Duration::ZERO;
    }

    /// What was seen since it was last taken; begins anew.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut *held(&self.shared.seen))
    }

    /// Waits until no client has waited for longer than `quiet` and none has failed for as long; false if that does not come
    /// within `limit`.
    pub(crate) fn all_go_on(&self, quiet: Duration, limit: Duration) -> bool {
        let failures = || held(&self.shared.seen).failures(|_| true);
        let begun = Instant::now();
        while begun.elapsed() < limit {
            let before = failures();
            std::thread::sleep(quiet);
            let waits = held(&self.shared.waiting).values().map(Instant::elapsed).max().unwrap_or_default();
            if failures() == before && waits < quiet {
                return true;
            }
        }
        false
    }

    /// The longest that a client has waited for an answer since the mark, or waits by now.
    pub(crate) fn longest_wait(&self) -> Duration {
        let waits = held(&self.shared.waiting).values().map(Instant::elapsed).max();
        waits.into_iter().chain([held(&self.shared.seen).longest]).max().unwrap_or_default()
    }

    /// The longest that a client has waited for a sum since [`Self::take`], or waits by now, whatever failed meanwhile.
    pub(crate) fn longest_silence(&self) -> Duration {
        let waits = held(&self.shared.summed).values().map(Instant::elapsed).max();
        waits.into_iter().chain([held(&self.shared.seen).silence]).max().unwrap_or_default()
    }

    /// Waits until everybody has ended what it was at; panics if somebody hangs.
    pub(crate) fn pause(&self) {
        self.shared.is_paused.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        while !held(&self.shared.waiting).is_empty() {
            assert!(begun.elapsed() < IDLE, "{} clients hang", held(&self.shared.waiting).len());
            std::thread::sleep(Duration::from_millis(10));
        }
        // One that had just looked whether it may go on has begun by now.
        std::thread::sleep(Duration::from_millis(100));
        while !held(&self.shared.waiting).is_empty() {
            assert!(begun.elapsed() < IDLE, "{} clients hang", held(&self.shared.waiting).len());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn go_on(&self) {
        self.shared.is_paused.store(false, Ordering::Relaxed);
    }

    /// Ends the load and tells what was seen.
    pub(crate) fn finish(mut self) -> Seen {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut *held(&self.shared.seen))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// One client's life.
async fn live(conninfo: String, kind: Kind, number: usize, shared: Arc<Shared>) {
    let mut session: Option<(Client, Option<Statement>)> = None;
    while !shared.is_over.load(Ordering::Relaxed) {
        if shared.is_paused.load(Ordering::Relaxed) {
            held(&shared.summed).remove(&number);
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let begun = Instant::now();
        held(&shared.waiting).insert(number, begun);
        let result = tokio::time::timeout(HANGS, once(&conninfo, kind, &mut session, &shared)).await;
        held(&shared.waiting).remove(&number);
        let error = match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(words(&error)),
            Err(_) => Some("hangs".to_owned()),
        };
        let pause = if error.is_some() { 20 } else { 1 };
        if error.is_some() {
            session = None;
        }
        shared.note((number, kind), error, begun.elapsed());
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

pub(crate) fn words(error: &tokio_postgres::Error) -> String {
    let text = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    text.lines().next().unwrap_or_default().chars().take(70).collect()
}

async fn once(
    conninfo: &str,
    kind: Kind,
    session: &mut Option<(Client, Option<Statement>)>,
    shared: &Shared,
) -> Result<(), tokio_postgres::Error> {
    if session.is_none() {
        let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await?;
        tokio::spawn(connection);
        *session = Some((client, None));
    }
    let Some((client, prepared)) = session else { return Ok(()) };
    // No two clients follow the same path, and each run follows the same ones: a multiplicative generator.
    let drawn = shared.tries.fetch_add(1, Ordering::Relaxed).wrapping_mul(6_364_136_223_846_793_005) >> 20;
    let (one, other) = (1 + drawn % ROWS, 1 + (drawn / ROWS) % ROWS);
    let (low, high) = (one.min(other), if one == other { one % ROWS + 1 } else { one.max(other) });
    match kind {
        Kind::Transfer => {
            let (low, high) = (low.min(high), low.max(high));
            for statement in [
                "begin".to_owned(),
                format!("update otb_accounts set v = v - 1 where id = {low}"),
                format!("update otb_accounts set v = v + 1 where id = {high}"),
                "commit".to_owned(),
            ] {
                client.simple_query(&statement).await?;
            }
        }
        Kind::Update => {
            client.simple_query(&format!("update otb_accounts set v = v where id = {low}")).await?;
        }
        Kind::Prepared => {
            let statement = match prepared {
                Some(statement) => statement,
                None => prepared.insert(client.prepare("update otb_accounts set v = v where id = $1").await?),
            };
            client.execute(&*statement, &[&i64::try_from(low).unwrap()]).await?;
        }
        Kind::Read => {
            client.simple_query(&format!("select v from otb_accounts where id = {low}")).await?;
        }
        Kind::Audit => {
            let answer = client.simple_query("select sum(v) from otb_accounts").await?;
            let sum = answer.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            if sum != Some("0") {
                held(&shared.seen).odd_sums += 1;
            }
        }
    }
    Ok(())
}
