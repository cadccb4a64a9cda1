//! One attempt: on all coordinators at once, in all databases.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use super::open::Bounds;
use crate::apply::cluster_access::ASK;
use crate::apply::held::Place;
use crate::model::InstanceId;
use crate::opentenbase::{TableName, client_tables, give_up_hold, hold_tables, sanitize_for_display};
use crate::plan::LONGEST_HOLD;
use crate::transport::{Row, Rows, Session, SqlError};

/// `lock_not_available`, `query_canceled`, `deadlock_detected`: clients use the tables.
const IN_USE: [&str; 3] = ["55P03", "57014", "40P01"];

/// `undefined_table`, `invalid_schema_name`: dropped since the tables were listed.
const DROPPED: [&str; 2] = ["42P01", "3F000"];

/// The tables of each place.
pub(super) type Tables = Vec<Vec<TableName>>;

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) enum Refused {
    /// Clients use the tables: it may go better the next time.
    InUse(String),
    /// It would not.
    Hopeless(String),
}

/// Locks all tables of all places. If it fails, nothing stays locked.
pub(super) async fn lock_all(places: &[Place], bounds: &Bounds) -> Result<Tables, Refused> {
    let tables = list(places).await?;
    fits(places, &tables, bounds)?;
    let locked = places.iter().zip(&tables).map(|(place, tables)| lock(place, &place.holder, tables, bounds.attempt));
    let refused = join_all(locked).await.into_iter().find_map(Result::err);
    let refused = match refused {
        None => changed(places, &tables).await,
        refused => refused,
    };
    let Some(refused) = refused else { return Ok(tables) };
    give_up(places.iter().map(|place| (place, &place.holder))).await?;
    Err(refused)
}

/// Whether tables came or went while they were locked.
pub(super) async fn changed(places: &[Place], tables: &Tables) -> Option<Refused> {
    match list(places).await {
        Ok(now) if now == *tables => None,
        Ok(_) => Some(Refused::InUse("a table was created or dropped at the same moment".to_owned())),
        Err(refused) => Some(refused),
    }
}

fn fits(places: &[Place], tables: &Tables, bounds: &Bounds) -> Result<(), Refused> {
    let mut of: BTreeMap<&InstanceId, usize> = BTreeMap::new();
    for (place, tables) in places.iter().zip(tables) {
        *of.entry(&place.coordinator).or_default() += tables.len();
    }
    let most = |coordinator: &InstanceId| bounds.tables.get(coordinator).copied().unwrap_or_default();
    match of.into_iter().find(|(coordinator, count)| *count > most(coordinator)) {
        None => Ok(()),
        Some((coordinator, count)) => Err(Refused::Hopeless(format!(
            "clients cannot be held: {coordinator} has {count} tables, and otb locks at most {}, a quarter of the \
                locks that max_locks_per_transaction allows there",
            most(coordinator)
        ))),
    }
}

/// Takes the locks of one place in a transaction of `session`.
pub(super) async fn lock(
    place: &Place,
    session: &Session,
    tables: &[TableName],
    attempt: Duration,
) -> Result<(), Refused> {
    let statements = hold_tables(tables, attempt, LONGEST_HOLD);
    let answers = session.act_all(&statements, attempt + ASK).await;
    let Some(error) = answers.into_iter().find_map(Result::err) else { return Ok(()) };
    let why = format!("{}: {error}", at(place));
    let is = |codes: &[&str]| error.server().is_some_and(|server| codes.contains(&server.sqlstate.as_str()));
    Err(if is(&IN_USE) || is(&DROPPED) { Refused::InUse(why) } else { Refused::Hopeless(why) })
}

pub(super) async fn give_up<'a>(all: impl Iterator<Item = (&'a Place, &'a Session)>) -> Result<(), Refused> {
    let sql = give_up_hold();
    let sql = &sql;
    let ended = all.map(|(place, session)| async move { (place, session.act(sql, ASK).await) });
    match join_all(ended).await.into_iter().find_map(|(place, answer)| Some((place, answer.err()?))) {
        Some((place, error)) => Err(Refused::Hopeless(format!("{}: {error}", at(place)))),
        None => Ok(()),
    }
}

async fn list(places: &[Place]) -> Result<Tables, Refused> {
    let sql = client_tables();
    let answers = join_all(places.iter().map(|place| place.asker.query(&sql, ASK))).await;
    let read = |(answer, place): (Result<Rows, SqlError>, &Place)| {
        let rows = answer
            .map_err(|error| Refused::Hopeless(format!("could not read the tables of {}: {error}", at(place))))?;
        let name = |row: Row<'_>| {
            Some(TableName { schema: row.get("schemaname")?.to_owned(), table: row.get("tablename")?.to_owned() })
        };
        Ok(rows.iter().filter_map(name).collect())
    };
    answers.into_iter().zip(places).map(read).collect()
}

pub(super) fn at(place: &Place) -> String {
    format!("{}, database {}", place.coordinator, sanitize_for_display(&place.database))
}
