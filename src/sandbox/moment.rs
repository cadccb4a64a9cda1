//! Instants of the simulated cluster. The world never reads a clock: each instant is handed to it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub u64);

/// Days between 1970-01-01 and 2000-01-01, PostgreSQL's epoch.
const POSTGRES_EPOCH_DAYS: i64 = 10_957;
const SECONDS_PER_DAY: u64 = 86_400;

impl Moment {
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The instant `earlier` before this one.
    #[must_use]
    pub fn before(self, earlier: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(earlier.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Seconds with five decimals, as the text of `extract(epoch from ...)`.
    pub fn epoch_text(self) -> String {
        let text = format!("{}.{:05}", self.seconds(), self.0 % 1_000_000 / 10);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Microseconds since 2000-01-01, as a binary `timestamptz` has them.
    pub fn since_postgres_epoch(self) -> i64 {
        let micros = i64::try_from(self.0).unwrap_or(i64::MAX);
        micros.saturating_sub(POSTGRES_EPOCH_DAYS * 86_400 * 1_000_000)
    }

    /// The day as (year, month, day), by Howard Hinnant's `civil_from_days`.
    fn date(self) -> (u64, u64, u64) {
        let z = self.seconds() / SECONDS_PER_DAY + 719_468;
        let era = z / 146_097;
        let day_of_era = z - era * 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (year_of_era + era * 400 + u64::from(month <= 2), month, day)
    }

    fn clock(self) -> (u64, u64, u64) {
        let second = self.seconds() % SECONDS_PER_DAY;
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// As pg_controldata prints it: `Sun Nov 22 19:29:57 2026`.
    pub fn ctime(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.clock();
        let weekday = usize::try_from(self.seconds() / SECONDS_PER_DAY % 7).unwrap_or(0);
        let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
        format!("{} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}", DAYS[weekday])
    }

    /// As pg_waldump prints it in UTC: `2026-11-22 19:32:30.502113 UTC` (timestamptz_to_str, compat.c).
    pub fn utc(self) -> String {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.clock();
        let micro = self.0 % 1_000_000;
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micro:06} UTC")
    }

    /// As a server log line begins: `2026-11-22 19:32:30.502 UTC`.
    pub fn log_stamp(self) -> String {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.clock();
        let milli = self.0 / 1000 % 1000;
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03} UTC")
    }
}

/// As PostgreSQL prints a `timestamptz` in UTC: `2026-11-22 19:34:04.229096+00`, without trailing zeros.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.clock();
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        let micros = format!("{:06}", self.0 % 1_000_000);
        match micros.trim_end_matches('0') {
            "" => write!(f, "+00"),
            fraction => write!(f, ".{fraction}+00"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_postgresql_does() {
        // From live output: postmaster.pid said 1795375776 when the log said 19:29:36 on 22 November 2026.
        let moment = Moment(1_795_375_776_229_096);
        assert_eq!(moment.to_string(), "2026-11-22 19:29:36.229096+00");
        assert_eq!(Moment(1_795_375_776_000_000).to_string(), "2026-11-22 19:29:36+00");
        assert_eq!(Moment(1_795_375_776_100_000).to_string(), "2026-11-22 19:29:36.1+00");
        assert_eq!(moment.ctime(), "Sun Nov 22 19:29:36 2026");
        assert_eq!(moment.utc(), "2026-11-22 19:29:36.229096 UTC");
        assert_eq!(moment.log_stamp(), "2026-11-22 19:29:36.229 UTC");
        assert_eq!(Moment(951_782_400_000_000).to_string(), "2000-02-29 00:00:00+00");
    }
}
