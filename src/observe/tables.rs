//! Routing tables: N routers hold N rows each, and nearly always the same ones. Each process says a digest of its
//! table in the round trip that asks the rest; of all that say the same one, one is read in full.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::answer::{self, Answer, fact};
use crate::model::{Fact, Route, UnknownKind};
use crate::opentenbase::query;
use crate::transport::{Deadline, Session};

type Table = Arc<Vec<Route>>;

/// The tables read so far, by digest.
#[derive(Default)]
pub(super) struct Tables(Mutex<BTreeMap<String, Arc<Shelf>>>);

/// One table: not read, being read, or there.
struct Shelf {
    table: watch::Sender<Option<Table>>,
    /// Whoever reads for all the others.
    reader: Semaphore,
}

impl Tables {
    /// The table of the process behind `session`, which has just said `digest`.
    pub(super) async fn of(&self, session: &Session, digest: &Answer, deadline: Deadline) -> Fact<Table> {
        let digest = match digest {
            Ok(rows) => match answer::digest(rows) {
                Ok(Some(digest)) => digest,
                Ok(None) => return Fact::Known(Table::default()),
                Err(why) => return Fact::unknown(UnknownKind::Unreadable, why),
            },
            Err(error) if error.ends_session() => return error.fact(),
            // This version has not all the columns of the digest: the table can be read all the same.
            Err(_) => return fact(&session.query(&query::routes(), deadline).await, answer::routes),
        };
        let shelf = self.shelf(digest);
        let mut reports = shelf.table.subscribe();
        tokio::select! {
            biased;
            // The sender is held here, so it ends in a table.
            Ok(table) = reports.wait_for(Option::is_some) => match &*table {
                Some(table) => Fact::Known(Arc::clone(table)),
                None => Fact::not_asked("no table was read"),
            },
            _turn = shelf.reader.acquire() => self.read(session, deadline).await,
            // A reader may be slow or hang, so no process waits for another process's reader.
            () = tokio::time::sleep(deadline.left() / 4) => self.read(session, deadline).await,
        }
    }

    /// Reads in full, and for everybody who says the digest that comes with the rows. That is of the same snapshot;
    /// the one said before may be of an older table.
    async fn read(&self, session: &Session, deadline: Deadline) -> Fact<Table> {
        let answer = session.query(&query::routes_with_digest(session.version()), deadline).await;
        let table = fact(&answer, answer::routes);
        let digest = answer.as_ref().ok().and_then(|rows| answer::digest(rows).ok().flatten());
        if let (Some(digest), Fact::Known(table)) = (digest, &table) {
            self.shelf(digest).table.send_replace(Some(Arc::clone(table)));
        }
        table
    }

    fn shelf(&self, digest: &str) -> Arc<Shelf> {
        let mut shelves = self.0.lock();
        let new = || Arc::new(Shelf { table: watch::Sender::new(None), reader: Semaphore::new(1) });
        Arc::clone(shelves.entry(digest.to_owned()).or_insert_with(new))
    }
}
