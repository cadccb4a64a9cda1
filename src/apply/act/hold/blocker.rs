//! The session that prevents a hold.

use futures_util::future::join_all;

use super::attempt::at;
use crate::apply::cluster_access::ASK;
use crate::apply::held::Place;
use crate::opentenbase::{open_transactions, sanitize_for_display};
use crate::transport::Row;

/// Returns the session with the oldest open transaction. `None` means that no session has one any more.
pub(super) async fn in_the_way(places: &[Place]) -> Option<String> {
    let sql = open_transactions();
    let answers = join_all(places.iter().map(|place| place.asker.query(&sql, ASK))).await;
    let mut found: Vec<(f64, String)> = Vec::new();
    for (rows, place) in answers.iter().zip(places).filter_map(|(answer, place)| Some((answer.as_ref().ok()?, place))) {
        found.extend(rows.iter().filter_map(|row| open_transaction(&row, place)));
    }
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let more = found.len().saturating_sub(1);
    let (_, oldest) = found.into_iter().next()?;
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    Some(format!("{oldest}{more}"))
}

fn open_transaction(row: &Row<'_>, place: &Place) -> Option<(f64, String)> {
    let number = |column: &str| row.get(column)?.parse::<f64>().ok();
    let age = (number("now")? - number("began")?).max(0.0);
    let text = |column: &str| sanitize_for_display(row.get(column).unwrap_or_default());
    let application = Some(text("application_name")).filter(|name| !name.is_empty());
    let application = application.map(|name| format!(", {name}")).unwrap_or_default();
    let (pid, user, query, at) = (text("pid"), text("usename"), text("query"), at(place));
    Some((age, format!("{at}: pid {pid} (user {user}{application}) has a transaction open for {age:.1} s: {query}")))
}
