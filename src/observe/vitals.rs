//! Rows into settings and load; a clock's reading into an offset.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::answer::truth;
use crate::model::{ClockOffset, Load, Settings};
use crate::opentenbase::sanitize_for_display;
use crate::transport::{Row, Rows};

/// From [`crate::opentenbase::query::settings`], and the two settings that come with [`crate::opentenbase::query::load`].
pub(super) fn settings(rows: &Rows, load: &Rows) -> Result<Settings, String> {
    let pair = |row: Row<'_>| {
        Some((row.get("name")?.to_owned(), sanitize_for_display(row.get("setting").unwrap_or_default())))
    };
    let known = rows.iter().map(pair).collect::<Option<_>>();
    let mut settings = Settings(known.ok_or_else(|| "a setting without a name".to_owned())?);
    for name in ["is_superuser", "wal_segment_size"] {
        if let Some(setting) = load.first().and_then(|row| row.get(name).map(sanitize_for_display)) {
            settings.0.insert(name.to_owned(), setting);
        }
    }
    Ok(settings)
}

/// From [`crate::opentenbase::query::load`].
pub(super) fn load(rows: &Rows) -> Result<Load, String> {
    let row = rows.first().ok_or("the answer has no row")?;
    let count = |name: &str| {
        let text = row.get(name).ok_or_else(|| format!("the answer has no {name}"))?;
        text.parse::<u64>().map_err(|_| format!("{name} is {text:?}, which is not a number"))
    };
    Ok(Load {
        in_backup: truth(row.get("in_backup").unwrap_or_default())?,
        waiting: count("waiting")?,
        pg_clean: truth(row.get("pg_clean").unwrap_or_default())?,
        idle_in_transaction: count("idle")?,
        busy: count("busy")?,
        kept_connections: count("kept")?,
        oldest_transaction_seconds: age(row.get("oldest"), row.get("now"))?,
        slots: count("slots")?,
        senders: count("senders")?,
    })
}

/// Whole seconds from `oldest` to `now`; no oldest is no age.
fn age(oldest: Option<&str>, now: Option<&str>) -> Result<u64, String> {
    let Some(oldest) = oldest else { return Ok(0) };
    let now = now.ok_or("the answer has no now")?;
    let seconds = |text: &str| {
        text.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(|| {
            format!(
                "{text:?} is not a \
            time"
            )
        })
    };
    let age = (seconds(now)? - seconds(oldest)?).max(0.0);
    Ok(Duration::try_from_secs_f64(age).map_or(u64::MAX, |age| age.as_secs()))
}

/// A server's clock, read at some moment between `asked` and `answered` of this machine's.
pub(super) fn clock_offset(clock: (i64, i64), asked: SystemTime, answered: SystemTime) -> Option<ClockOffset> {
    let millis = |at: SystemTime| i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok();
    let (read, finer) = clock;
    Some(ClockOffset {
        at_least_ms: read.checked_sub(millis(answered)?)?,
        at_most_ms: read.checked_add(finer)?.checked_sub(millis(asked)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 10] =
        ["in_backup", "waiting", "idle", "oldest", "now", "slots", "senders", "pg_clean", "busy", "kept"];

    fn one(values: [Option<&str>; 10]) -> Rows {
        Rows::of(&COLUMNS, &[&values])
    }

    #[test]
    fn the_oldest_transaction_has_an_age() {
        let row = [
            Some("f"),
            Some("1"),
            Some("2"),
            Some("1700000000.5"),
            Some("1700000061.75"),
            Some("0"),
            Some("1"),
            Some("f"),
            Some("3"),
            Some("4"),
        ];
        let read = load(&one(row)).unwrap();
        assert_eq!((read.oldest_transaction_seconds, read.waiting, read.idle_in_transaction), (61, 1, 2));
        assert_eq!((read.busy, read.kept_connections), (3, 4));
        let none =
            [Some("t"), Some("0"), Some("0"), None, Some("1"), Some("0"), Some("0"), Some("t"), Some("0"), Some("0")];
        assert!(load(&one(none)).unwrap().in_backup);
    }

    #[test]
    fn what_is_no_number_is_not_guessed() {
        for at in [1, 2, 3, 5, 6, 8, 9] {
            let some = ["f", "1", "2", "1", "2", "0", "1", "f", "0", "0"];
            let mut row = some.map(Some);
            row[at] = Some("NaN");
            assert!(load(&one(row)).is_err(), "{}", COLUMNS[at]);
        }
    }

    #[test]
    fn an_offset_is_as_wide_as_the_question_took() {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        let offset = clock_offset((2_000, 1), at(500), at(700)).unwrap();
        assert_eq!(offset, ClockOffset { at_least_ms: 1300, at_most_ms: 1501 });
    }
}
