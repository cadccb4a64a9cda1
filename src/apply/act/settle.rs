//! Transactions that were prepared before the run are finished: most by their coordinators, the rest by pg_clean.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Failed;
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::apply::condition::Found;
use crate::model::{Instance, InstanceId, NodeKind, Origin};
use crate::opentenbase::{
    CREATE_PG_CLEAN, LEAST_AGE_SECONDS, MOST_PREPARED, NO_SUCH_FUNCTION, finish_in_doubt, prepared_age, psql_line,
    query, read_sessions, sanitize_for_display,
};
use crate::transport::{Rows, SqlError};

/// How often the masters are asked.
const EVERY: Duration = Duration::from_millis(200);

/// How long one call of pg_clean may take: it finishes some three transactions in a second.
const CLEAN: Duration = Duration::from_secs(120);

/// pg_clean must begin within this time after the masters were asked: what a client prepares later is too young for it.
const FRESH: Duration = Duration::from_secs(2);

/// A transaction that pg_clean cannot finish is given up at this age: v5's pg_clean takes none younger than 10 s.
const HOPELESS: Duration = Duration::from_secs(15);

/// Why pg_clean, called twice, finishes nothing.
const LEFT_ALONE: &str = "pg_clean does not finish it, because one node of the transaction does not know its \
    outcome: bring that node back, then run otb apply again";

/// A prepared transaction that is older than the step: it was prepared before.
struct Held {
    gid: String,
    database: String,
    age: Duration,
    on: InstanceId,
}

/// The prepared transactions on the masters.
#[derive(Default)]
struct Survey {
    /// Those that coordinators prepared before the step began.
    open: Vec<Held>,
    /// Those that coordinators prepared since.
    younger: Vec<Held>,
    /// Databases in which a client holds a prepared transaction, with its gid: pg_clean would roll it back.
    of_clients: BTreeMap<String, String>,
    /// A master that holds more than it shows: whether a client's is among them is not known.
    shows_a_part: Option<InstanceId>,
}

impl Survey {
    /// Why pg_clean must not be called in `database`.
    fn keeps_away(&self, database: &str) -> Option<String> {
        if let Some(gid) = self.of_clients.get(database) {
            return Some(format!(
                "a client prepared {gid:?} there, and pg_clean would roll it back: ask its owner to commit it or \
                    roll it back, then run otb apply again"
            ));
        }
        let master = self.shows_a_part.as_ref()?;
        Some(format!(
            "{master} has more than {MOST_PREPARED} prepared transactions, and pg_clean would roll back those of \
                clients: if there are none, run `{}` on a coordinator until it returns no row, then otb apply again",
            finish_in_doubt()
        ))
    }
}

/// Waits until no transaction from before is prepared on one of `masters`; meanwhile pg_clean finishes what is old enough.
pub(in crate::apply) async fn finish_all(
    coordinator: &InstanceId,
    masters: &[InstanceId],
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let began = Instant::now();
    let mut refusals: BTreeMap<String, String> = BTreeMap::new();
    let mut tried: BTreeMap<String, Instant> = BTreeMap::new();
    // How many a database held when pg_clean was called there last.
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        let asked = Instant::now();
        let why = match survey(masters, began, access).await {
            Ok(survey) if survey.open.is_empty() => return Ok(()),
            Ok(survey) => {
                // One database for each look at the masters, and each in turn: a look must be fresh.
                if let Some(database) =
                    due(&survey.open).into_iter().min_by_key(|database| tried.get(database).copied())
                {
                    tried.insert(database.clone(), asked);
                    let kept_away = match survey.keeps_away(&database) {
                        Some(why) => Some(why),
                        None => still_commits(&survey, &database, masters, access).await,
                    };
                    let cleaned = match kept_away {
                        Some(why) => Err(why),
                        None => {
                            clean(coordinator, &database, asked, limit.saturating_sub(began.elapsed()), access).await
                        }
                    };
                    let count = survey.open.iter().filter(|held| held.database == database).count();
                    let stays = left.insert(database.clone(), count).is_some_and(|before| before <= count);
                    match cleaned {
                        Ok(()) if stays => refusals.insert(database, LEFT_ALONE.to_owned()),
                        Ok(()) => refusals.remove(&database),
                        Err(why) => refusals.insert(database, why),
                    };
                }
                let hopeless = |held: &Held| held.age >= HOPELESS && refusals.contains_key(&held.database);
                let why = still_prepared(&survey.open, &refusals);
                if survey.open.iter().all(hopeless) {
                    return Err(Failed::NotDone(why));
                }
                why
            }
            Err(why) => why,
        };
        if began.elapsed() >= limit {
            return Err(Failed::NotDone(why));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether no transaction that pg_clean could finish is prepared on one of `masters`.
pub(in crate::apply) async fn settled(masters: &[InstanceId], access: &ClusterAccess<'_>) -> Result<Found, String> {
    let age = Duration::from_secs(LEAST_AGE_SECONDS);
    let began = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
    let survey = survey(masters, began, access).await?;
    if survey.open.is_empty() {
        return Ok(Found::Holds);
    }
    Ok(Found::Fails(still_prepared(&survey.open, &BTreeMap::new())))
}

async fn survey(masters: &[InstanceId], began: Instant, access: &ClusterAccess<'_>) -> Result<Survey, String> {
    let sql = query::prepared(MOST_PREPARED);
    let answers = join_all(masters.iter().map(|master| access.query(master, &sql, ASK))).await;
    let mut survey = Survey::default();
    for (master, answer) in masters.iter().zip(answers) {
        let rows = answer.map_err(|error| format!("could not read the prepared transactions of {master}: {error}"))?;
        read(master, &rows, began.elapsed(), &mut survey)?;
    }
    Ok(survey)
}

/// Reads one master's answer. Ages are by that server's own clock: no clock is compared with another machine's.
fn read(master: &InstanceId, rows: &Rows, since: Duration, survey: &mut Survey) -> Result<(), String> {
    let total = rows.first().and_then(|row| row.get("total")?.parse::<usize>().ok());
    if total.is_some_and(|total| total > rows.len()) {
        survey.shows_a_part = Some(master.clone());
    }
    for row in rows.iter() {
        let age = row.get("prepared").zip(row.get("now")).and_then(|(at, now)| prepared_age(at, now));
        let (Some(gid), Some(database), Some(age)) = (row.get("gid"), row.get("database"), age) else {
            return Err(format!("{master} did not report its prepared transactions"));
        };
        let (gid, database) = (sanitize_for_display(gid), sanitize_for_display(database));
        match Origin::of(&gid) {
            Origin::Client => drop(survey.of_clients.insert(database, gid)),
            Origin::Coordinator(_) if age >= since => {
                survey.open.push(Held { gid, database, age, on: master.clone() });
            }
            Origin::Coordinator(_) => survey.younger.push(Held { gid, database, age, on: master.clone() }),
        }
    }
    Ok(())
}

/// The databases with a transaction that is old enough for pg_clean.
fn due(open: &[Held]) -> BTreeSet<String> {
    let least = Duration::from_secs(LEAST_AGE_SECONDS);
    open.iter().filter(|held| held.age >= least).map(|held| held.database.clone()).collect()
}

/// Why pg_clean must not be called in `database` yet: a session still commits a transaction that pg_clean would take.
/// pg_clean knows nothing of sessions: what is prepared everywhere it rolls back while its coordinator is only slow (seen
/// live on v2.6).
async fn still_commits(
    survey: &Survey,
    database: &str,
    masters: &[InstanceId],
    access: &ClusterAccess<'_>,
) -> Option<String> {
    let least = Duration::from_secs(LEAST_AGE_SECONDS).saturating_sub(FRESH);
    let all = survey.open.iter().chain(&survey.younger);
    let mut by_origin: BTreeMap<InstanceId, Vec<(u32, &str)>> = BTreeMap::new();
    for held in all.filter(|held| held.database == database && held.age >= least) {
        // A coordinator without a master has no sessions.
        let origin = Origin::of(&held.gid);
        let at = masters.iter().find(|master| origin.coordinator() == Some(master.node.as_str()));
        if let Some((at, xid)) = at.zip(Origin::xid_of(&held.gid)) {
            by_origin.entry(at.clone()).or_default().push((xid, &held.gid));
        }
    }
    let sql = query::sessions_that_write();
    for (coordinator, begun) in by_origin {
        let rows = match access.query(&coordinator, &sql, ASK).await {
            Ok(rows) => rows,
            Err(error) => return Some(format!("otb could not find out whether {coordinator} still commits: {error}")),
        };
        let sessions = read_sessions(rows.iter().map(|row| (row.get("pid"), row.get("xid"))));
        let lives = begun.into_iter().find_map(|(xid, gid)| Some((sessions.get(&xid)?, gid)));
        if let Some((pid, gid)) = lives {
            return Some(format!(
                "session {pid} of {coordinator} still commits {gid}: if it hangs, run select \
                    pg_terminate_backend({pid}) there, then otb apply again"
            ));
        }
    }
    None
}

/// Calls pg_clean in `database` through the first coordinator that answers, `first` before others.
async fn clean(
    first: &InstanceId,
    database: &str,
    asked: Instant,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), String> {
    let others = access.cluster.nodes_of(NodeKind::Coordinator).map(crate::model::Node::master_id);
    let mut refusal = "no coordinator answered, so pg_clean could not run".to_owned();
    for id in std::iter::once(first.clone()).chain(others.filter(|id| id != first)) {
        let instance = access.instance(&id)?;
        match clean_through(instance, database, asked, limit, access).await {
            Ok(()) => return Ok(()),
            Err(error) if is_missing(&error) => return Err(not_installed(instance, database, access)),
            Err(error) => refusal = format!("pg_clean on {id}: {error}"),
        }
    }
    Err(refusal)
}

async fn clean_through(
    coordinator: &Instance,
    database: &str,
    asked: Instant,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), SqlError> {
    let session = access.connections.session_in(database, coordinator, ASK).await?;
    if asked.elapsed() > FRESH {
        session.close().await;
        return Err(SqlError::TimedOut { at: coordinator.endpoint.clone(), limit: FRESH });
    }
    let answer = session.act(&finish_in_doubt(), limit.min(CLEAN)).await;
    session.close().await;
    answer.map(drop)
}

fn is_missing(error: &SqlError) -> bool {
    error.server().is_some_and(|server| server.sqlstate == NO_SUCH_FUNCTION)
}

fn not_installed(coordinator: &Instance, database: &str, access: &ClusterAccess<'_>) -> String {
    let user = &access.cluster.connection.user;
    let line = psql_line(&coordinator.endpoint, user, database, CREATE_PG_CLEAN);
    format!("database {database} has no pg_clean: run {line}, then otb apply again")
}

/// `2 transactions from before are still prepared, the oldest _$XC$1:cn01:F:2:0 (postgres, 14 s) on dn01@s47; ...`
fn still_prepared(open: &[Held], refusals: &BTreeMap<String, String>) -> String {
    let Some(oldest) = open.iter().max_by_key(|held| held.age) else { return String::new() };
    let gids: BTreeSet<&str> = open.iter().map(|held| held.gid.as_str()).collect();
    let are =
        if gids.len() == 1 { "transaction from before the run is" } else { "transactions from before the run are" };
    let Held { gid, database, age, .. } = oldest;
    let on: BTreeSet<&InstanceId> = open.iter().filter(|held| held.gid == *gid).map(|held| &held.on).collect();
    let on = on.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let why: String = refusals.values().flat_map(|why| ["; ", why]).collect();
    format!("{} {are} still prepared, the oldest {gid} ({database}, {} s) on {on}{why}", gids.len(), age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 5] = ["gid", "database", "prepared", "now", "total"];

    fn survey_of(rows: &[[Option<&str>; 5]], since_ms: u64) -> Result<Survey, String> {
        let rows: Vec<&[Option<&str>]> = rows.iter().map(<[_; 5]>::as_slice).collect();
        let mut survey = Survey::default();
        let master = InstanceId::try_from("dn01@s47".to_owned()).unwrap();
        read(&master, &Rows::of(&COLUMNS, &rows), Duration::from_millis(since_ms), &mut survey)?;
        Ok(survey)
    }

    #[test]
    fn what_was_prepared_after_the_step_began_is_not_waited_for() {
        let row = |gid, at| [Some(gid), Some("postgres"), Some(at), Some("102"), Some("2")];
        let survey = survey_of(&[row("_$XC$1:cn01:F:2:0", "100.5"), row("_$XC$2:cn01:F:2:0", "100.6")], 1450).unwrap();
        assert_eq!(survey.open.iter().map(|held| held.gid.as_str()).collect::<Vec<_>>(), ["_$XC$1:cn01:F:2:0"]);
        assert!(due(&survey.open).is_empty(), "too young for pg_clean");
    }

    #[test]
    fn what_a_client_has_prepared_is_never_waited_for_and_keeps_pg_clean_away() {
        let row = |gid, database| [Some(gid), Some(database), Some("1"), Some("10"), Some("2")];
        let survey = survey_of(&[row("mine", "shop"), row("_$XC$1:cn01:F:2:0", "postgres")], 100).unwrap();
        assert_eq!(survey.of_clients, BTreeMap::from([("shop".to_owned(), "mine".to_owned())]));
        assert_eq!(due(&survey.open), BTreeSet::from(["postgres".to_owned()]));
        assert_eq!(survey.keeps_away("postgres"), None);
        let why = survey.keeps_away("shop").unwrap();
        let told = still_prepared(&survey.open, &BTreeMap::from([("postgres".to_owned(), why)]));
        assert!(
            told.starts_with("1 transaction from before the run is still prepared, the oldest _$XC$1:cn01:F:2:0"),
            "{told}"
        );
        assert!(told.contains("\"mine\""), "{told}");
    }

    #[test]
    fn what_a_master_does_not_show_may_be_a_clients() {
        let row = [Some("_$XC$1:cn01:F:2:0"), Some("postgres"), Some("1"), Some("10"), Some("10000")];
        let why = survey_of(&[row], 100).unwrap().keeps_away("postgres").unwrap();
        assert!(why.contains("more than 5000") && why.contains("pg_clean_execute"), "{why}");
    }

    #[test]
    fn an_answer_without_an_age_is_not_taken_for_none() {
        assert!(survey_of(&[[Some("x"), Some("postgres"), None, Some("2"), Some("1")]], 0).is_err());
    }
}
