//! Facts that decide whether a process may be stopped or promoted, beside its role and its WAL: its settings, its
//! load, and its host environment.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a running process (pg_settings), by name; only those that a takeover depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<String, String>);

impl Settings {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A setting that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// A setting that is `on` or `off`.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        self.text(name).map(|text| text == "on")
    }
}

/// The load of a running process at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// An exclusive backup (pg_start_backup) is under way.
    pub in_backup: bool,
    /// Sessions that wait now for the end of a transaction, or for a page that such a session holds: behind a transaction
    /// in doubt they wait until it is finished.
    pub waiting: u64,
    /// The extension pg_clean is there, in the database that otb logs in to.
    pub pg_clean: bool,
    /// Clients that are idle inside a transaction.
    pub idle_in_transaction: u64,
    /// Clients in a transaction, or a few seconds after one: on v5 they hold connections to datanodes.
    #[serde(default)]
    pub busy: u64,
    /// Age of the oldest transaction of a client, in seconds.
    pub oldest_transaction_seconds: u64,
    /// Connections that idle sessions of coordinators keep, for they have prepared statements.
    #[serde(default)]
    pub kept_connections: u64,
    /// Replication slots; they do not move with the master.
    pub slots: u64,
    /// Replication connections, whatever their state.
    pub senders: u64,
}

/// The host environment of an instance, beside its data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostEnvironment {
    /// The server's clock against this machine's; none if it could not be read.
    pub clock: Option<ClockOffset>,
    /// Tools that are not there or may not be run.
    pub missing_tools: Vec<String>,
    /// Programs that could start the instance again while otb works: unit files, cron tables, daemons.
    pub keepers: Vec<String>,
    /// WAL files that wait for archiving (pg_wal/archive_status/*.ready).
    pub unarchived: u64,
    /// The ports in use on the server. `None` means that they could not be read. Not part of any document, because it
    /// belongs to the whole server.
    #[serde(skip)]
    pub listeners: Option<Vec<Listener>>,
}

/// A TCP port on which a process of a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// `None` means every address of the server.
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// How far a clock is ahead of this machine's, in milliseconds: somewhere between the two, for the question and
/// the answer took their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockOffset {
    /// Negative: its clock is behind.
    pub at_least_ms: i64,
    /// Never less than `at_least_ms`.
    pub at_most_ms: i64,
}

impl ClockOffset {
    /// The least by which the two clocks differ.
    pub fn apart_ms(self, other: Self) -> i64 {
        (self.at_least_ms - other.at_most_ms).max(other.at_least_ms - self.at_most_ms).max(0)
    }
}

/// Whether an instance's server may open a replication connection to the instance that is to become its master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum ReplicationAccess {
    /// It may.
    Admitted { user: String },
    /// The output of psql.
    Refused { user: String, why: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_apart_only_where_their_ranges_do_not_meet() {
        let offset = |at_least_ms, at_most_ms| ClockOffset { at_least_ms, at_most_ms };
        assert_eq!(offset(-20, 40).apart_ms(offset(0, 100)), 0);
        assert_eq!(offset(2000, 2100).apart_ms(offset(0, 100)), 1900);
        assert_eq!(offset(0, 100).apart_ms(offset(2000, 2100)), 1900);
    }
}
