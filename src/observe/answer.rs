//! Turns rows into facts. A value that cannot be read is unknown, with its text.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::model::{Fact, Lsn, NodeName, Role, Route, RouteKind, Sender, StandbyFacts, Timeline, UnknownKind};
use crate::opentenbase::{read_conninfo, sanitize_for_display};
use crate::transport::{Row, Rows, SqlError};

pub(super) type Answer = Result<Rows, SqlError>;

/// Reads a good answer; a bad one keeps its reason.
pub(super) fn fact<T>(answer: &Answer, read: impl FnOnce(&Rows) -> Result<T, String>) -> Fact<T> {
    match answer {
        Ok(rows) => match read(rows) {
            Ok(value) => Fact::Known(value),
            Err(why) => Fact::unknown(UnknownKind::Unreadable, sanitize_for_display(&why)),
        },
        Err(error) => error.fact(),
    }
}

pub(super) fn one_word(rows: &Rows) -> Result<&str, String> {
    rows.single().ok_or_else(|| "the answer is empty".to_owned())
}

pub(super) fn node_name(rows: &Rows) -> Result<NodeName, String> {
    let name = one_word(rows)?;
    NodeName::new(name).map_err(|error| format!("{name:?} is not a node name: {error}"))
}

/// From [`crate::opentenbase::query::role`].
pub(super) fn role(rows: &Rows) -> Result<Role, String> {
    Ok(if flag(&first(rows)?, "in_recovery")? { Role::Standby } else { Role::Master })
}

pub(super) fn started(rows: &Rows) -> Result<String, String> {
    column(&first(rows)?, "started").map(sanitize_for_display)
}

pub(super) fn parsed<T: std::str::FromStr<Err = String>>(rows: &Rows) -> Result<T, String> {
    one_word(rows)?.parse()
}

pub(super) fn master_lsn(rows: &Rows) -> Result<Lsn, String> {
    column(&first(rows)?, "lsn")?.parse()
}

/// A WAL file's name begins with its timeline, in hexadecimal.
pub(super) fn master_timeline(rows: &Rows) -> Result<Timeline, String> {
    let file = column(&first(rows)?, "wal_file")?;
    let timeline = file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    timeline.map(Timeline).ok_or_else(|| format!("{file:?} is not a WAL file name"))
}

/// A standby's own view: its WAL positions, and its receiver, if one runs.
pub(super) fn standby(wal: &Rows, receiver: &Rows) -> Result<StandbyFacts, String> {
    let wal = first(wal)?;
    let receiver = receiver.first();
    Ok(StandbyFacts {
        received: lsn(&wal, "received")?,
        replayed: lsn(&wal, "replayed")?,
        replay_paused: flag(&wal, "paused")?,
        last_replay: wal.get("last_replay").and_then(time),
        streaming: receiver.and_then(|row| row.get("status")) == Some("streaming"),
        upstream: receiver.and_then(|row| row.get("conninfo")).and_then(read_conninfo),
    })
}

/// The timeline that a receiver streams.
pub(super) fn received_timeline(rows: &Rows) -> Result<Timeline, String> {
    let text = rows.first().and_then(|row| row.get("received_tli")).ok_or("no WAL receiver runs")?;
    text.parse().map(Timeline).map_err(|_| format!("{text:?} is not a timeline"))
}

pub(super) fn senders(rows: &Rows) -> Result<Vec<Sender>, String> {
    rows.iter()
        .map(|row| {
            Ok(Sender {
                application_name: sanitize_for_display(row.get("application_name").unwrap_or_default()),
                client_addr: row.get("client_addr").map(sanitize_for_display),
                state: sanitize_for_display(row.get("state").unwrap_or_default()),
                sent: lsn(&row, "sent_lsn")?,
                replayed: lsn(&row, "replay_lsn")?,
                sync_state: sanitize_for_display(row.get("sync_state").unwrap_or_default()),
            })
        })
        .collect()
}

/// pgxc_node with the columns of v2.6 or v5. A kind of row that is not known makes the table unreadable:
/// leaving it out would be a guess.
pub fn routes(rows: &Rows) -> Result<Arc<Vec<Route>>, String> {
    rows.iter().map(|row| route(&row)).collect::<Result<_, _>>().map(Arc::new)
}

/// The digest of pgxc_node; none if it has no row.
pub(super) fn digest(rows: &Rows) -> Result<Option<&str>, String> {
    Ok(first(rows)?.get("digest"))
}

fn route(row: &Row<'_>) -> Result<Route, String> {
    let node = column(row, "node_name")?;
    let kind = match column(row, "node_type")? {
        "C" => RouteKind::Coordinator,
        "D" => RouteKind::Datanode,
        "G" => RouteKind::Gtm,
        "S" => RouteKind::Standby,
        other => return Err(format!("node {node:?} has the unknown type {other:?}")),
    };
    let port = |name: &str| {
        let text = column(row, name)?;
        text.parse::<u16>().map_err(|_| format!("node {node:?} has the port {text:?}"))
    };
    Ok(Route {
        node: sanitize_for_display(node),
        kind,
        host: sanitize_for_display(column(row, "node_host")?),
        port: port("node_port")?,
        // v2.6 has no such column.
        forward: row.get("node_forward_port").map(|_| port("node_forward_port")).transpose()?,
        cluster: sanitize_for_display(
            row.get("node_cluster_name").or_else(|| row.get("node_plane_name")).unwrap_or_default(),
        ),
    })
}

/// v5's forward_port among a process's own settings; `None` means that it has no such setting.
pub(super) fn forward_port(rows: &Rows) -> Result<Option<u16>, String> {
    let row = rows.iter().find(|row| row.get("name") == Some("forward_port"));
    let Some(text) = row.and_then(|row| row.get("setting")) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("its setting forward_port is {text:?}, which is not a port"))
}

fn first(rows: &Rows) -> Result<Row<'_>, String> {
    rows.first().ok_or_else(|| "the answer has no row".to_owned())
}

fn column<'a>(row: &Row<'a>, name: &str) -> Result<&'a str, String> {
    row.get(name).ok_or_else(|| format!("the answer has no {name}"))
}

fn lsn(row: &Row<'_>, name: &str) -> Result<Option<Lsn>, String> {
    row.get(name).map(str::parse).transpose()
}

/// Seconds since 1970, with a fraction, as RFC 3339 in UTC; nothing where that is none.
fn time(seconds: &str) -> Option<String> {
    let whole: u64 = seconds.split('.').next()?.parse().ok()?;
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(whole))?;
    Some(humantime::format_rfc3339_seconds(at).to_string())
}

fn flag(row: &Row<'_>, name: &str) -> Result<bool, String> {
    truth(column(row, name)?)
}

/// `t` and `f`, as the simple protocol has booleans.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "t" => Ok(true),
        "f" => Ok(false),
        other => Err(format!("{other:?} is neither t nor f")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(columns: &[&str], values: &[&[Option<&str>]]) -> Rows {
        Rows::of(columns, values)
    }

    #[test]
    fn routes_of_both_generations() {
        let v26 = ["node_name", "node_type", "node_port", "node_host", "node_cluster_name"];
        let read =
            routes(&rows(&v26, &[&[Some("dn01"), Some("D"), Some("23001"), Some("10.0.0.1"), Some("c")]])).unwrap();
        assert_eq!((read[0].kind, read[0].port, read[0].forward), (RouteKind::Datanode, 23001, None));
        let v5 = ["node_name", "node_type", "node_port", "node_host", "node_plane_name", "node_forward_port"];
        let row = [Some("dn01"), Some("D"), Some("23001"), Some("10.0.0.1"), Some("p"), Some("29001")];
        let read = routes(&rows(&v5, &[&row])).unwrap();
        assert_eq!((read[0].forward, read[0].cluster.as_str()), (Some(29001), "p"));
    }

    #[test]
    fn an_unknown_kind_of_row_is_not_left_out() {
        let columns = ["node_name", "node_type", "node_port", "node_host"];
        for row in [
            [Some("x"), Some("Z"), Some("1"), Some("h")],
            [Some("x"), Some("D"), Some("70000"), Some("h")],
            [Some("x"), Some("D"), Some("1"), None],
        ] {
            assert!(routes(&rows(&columns, &[&row])).is_err());
        }
    }

    #[test]
    fn a_standby_without_a_receiver_does_not_stream() {
        let wal = rows(&["received", "replayed", "paused"], &[&[None, Some("0/3000060"), Some("f")]]);
        let none = rows(&["status", "received_tli", "conninfo"], &[]);
        let facts = standby(&wal, &none).unwrap();
        assert_eq!((facts.received, facts.streaming, facts.upstream), (None, false, None));
        assert_eq!(received_timeline(&none).unwrap_err(), "no WAL receiver runs");
    }

    #[test]
    fn the_timeline_stands_in_a_wal_files_name() {
        let wal = |file| rows(&["lsn", "wal_file"], &[&[Some("0/1"), Some(file)]]);
        assert_eq!(master_timeline(&wal("0000000A0000000000000003")), Ok(Timeline(10)));
        assert!(master_timeline(&wal("short")).is_err());
        assert!(master_timeline(&wal("数据数据数据")).is_err());
    }
}
