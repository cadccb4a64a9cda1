//! SHOW and SET.

use crate::model::NodeKind;
use crate::sandbox::Flavor;
use crate::sandbox::sql::{Column, Kind, Relation, SqlError, Value};

use super::World;
use super::answer::{Answer, Outcome, Stop};
use super::instance::DiskId;
use super::session::SessionId;

/// Settings with v2.6's defaults; postgresql.conf and SET override them.
const DEFAULTS: &[(&str, &str)] = &[
    ("allow_dml_on_datanode", "off"),
    ("application_name", ""),
    ("archive_command", "(disabled)"),
    ("archive_mode", "off"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, YMD"),
    ("deadlock_timeout", "1s"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("extra_float_digits", "0"),
    ("hot_standby", "on"),
    ("idle_in_transaction_session_timeout", "0"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "on"),
    ("listen_addresses", "*"),
    ("lock_timeout", "0"),
    ("max_connections", "100"),
    ("max_locks_per_transaction", "64"),
    ("max_pool_size", "100"),
    ("max_prepared_transactions", "60"),
    ("max_replication_slots", "10"),
    ("max_standby_streaming_delay", "30s"),
    ("max_wal_senders", "10"),
    ("parentnode", ""),
    ("pooler_port", "6667"),
    ("remotetype", "application"),
    ("search_path", "\"$user\", public"),
    ("server_encoding", "UTF8"),
    ("server_version_num", "100000"),
    ("ssl", "off"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("synchronous_commit", "local"),
    ("synchronous_standby_names", ""),
    ("tcp_keepalives_idle", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("wal_keep_segments", "32"),
    ("wal_level", "logical"),
    ("wal_log_hints", "on"),
    ("wal_receiver_timeout", "1min"),
    ("wal_segment_size", "16MB"),
    ("wal_sender_timeout", "1min"),
    ("work_mem", "4MB"),
];

/// Settings that only v5 has, and their defaults (guc.c).
const OF_V5: &[(&str, &str)] = &[("forward_port", "6669"), ("persistent_connections_timeout", "5s")];

/// Fixed by the process itself.
const READ_ONLY: &[&str] =
    &["server_version", "server_version_num", "is_superuser", "pgxc_node_name", "integer_datetimes"];

/// The value of a setting that no file sets.
pub fn default_setting(name: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

impl World {
    /// `SHOW name`: takes no snapshot, so it works without a GTM (opentenbase-v2.6-live.md, "GTM").
    pub(super) fn show(&self, id: SessionId, disk: DiskId, name: &str) -> Result<Outcome, Stop> {
        let value = self.setting(Some(id), disk, name).ok_or_else(|| SqlError::no_setting(name))?;
        let relation = Relation { columns: vec![Column::new(name, Kind::Text)], rows: vec![vec![Value::Text(value)]] };
        Ok(Outcome::ok(Answer::Rows { relation, tag: "SHOW" }))
    }

    /// A setting's value as `session` sees it on `disk`.
    pub(super) fn setting(&self, session: Option<SessionId>, disk: DiskId, name: &str) -> Option<String> {
        let copy = self.postgres.get(&disk)?;
        let process = copy.process.as_ref()?;
        let name = name.to_ascii_lowercase();
        let own = match name.as_str() {
            "server_version" => Some(self.flavor.server_version().to_owned()),
            "pgxc_node_name" => Some(copy.home.node.to_string()),
            "pgxc_cluster_name" => Some(self.cluster.to_string()),
            "data_directory" => Some(process.data_directory.clone()),
            "config_file" => Some(format!("{}/postgresql.conf", process.data_directory)),
            "hba_file" => Some(format!("{}/pg_hba.conf", process.data_directory)),
            "port" => Some(process.port.to_string()),
            "transaction_read_only" => Some(if self.is_read_only_for(session, disk) { "on" } else { "off" }.to_owned()),
            _ => None,
        };
        let of_v5 = || OF_V5.iter().find(|(known, _)| self.flavor == Flavor::V5 && *known == name);
        let default =
            || default_setting(&name).map(ToOwned::to_owned).or_else(|| of_v5().map(|(_, value)| (*value).to_owned()));
        let set = session.and_then(|id| self.sessions.get(&id)).and_then(|session| session.set(&name).cloned());
        own.or(set).or_else(|| process.settings.get(&name).cloned()).or_else(default)
    }

    /// Every setting, for pg_settings.
    pub(super) fn all_settings(&self, session: SessionId, disk: DiskId) -> Vec<(String, String)> {
        let process = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref());
        let mut names: Vec<String> = DEFAULTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.extend(process.iter().flat_map(|process| process.settings.keys().cloned()));
        let computed = [
            "server_version",
            "pgxc_node_name",
            "pgxc_cluster_name",
            "data_directory",
            "config_file",
            "hba_file",
            "port",
        ];
        names.extend(computed.map(str::to_owned));
        names.push("transaction_read_only".to_owned());
        names.extend(OF_V5.iter().map(|(name, _)| (*name).to_owned()));
        // Known to SHOW only, as on a live server.
        names.retain(|name| name != "is_superuser");
        names.sort();
        names.dedup();
        names.into_iter().filter_map(|name| Some((name.clone(), self.setting(Some(session), disk, &name)?))).collect()
    }

    pub(super) fn set(
        &mut self,
        id: SessionId,
        disk: DiskId,
        name: &str,
        value: Option<&str>,
        local: bool,
    ) -> Result<Outcome, Stop> {
        let name = name.to_ascii_lowercase();
        if READ_ONLY.contains(&name.as_str()) {
            return Err(SqlError::new("55P02", format!("parameter \"{name}\" cannot be changed")).into());
        }
        let known = name == "transaction_read_only" || self.setting(Some(id), disk, &name).is_some();
        if !known && name != "names" && name != "time" {
            return Err(SqlError::no_setting(&name).into());
        }
        let timeout = matches!(name.as_str(), "lock_timeout" | "statement_timeout");
        if timeout && value.is_some_and(|value| millis(value).is_none()) {
            let text = format!("invalid value for parameter \"{name}\": \"{}\"", value.unwrap_or_default());
            return Err(SqlError::new("22023", text).into());
        }
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(Outcome::done("SET")) };
        let warnings = match (local, &mut session.transaction) {
            (true, None) => vec!["SET LOCAL can only be used in transaction blocks".to_owned()],
            _ => Vec::new(),
        };
        let settings = match &mut session.transaction {
            Some(open) if local => &mut open.settings,
            _ => &mut session.settings,
        };
        match value {
            _ if !warnings.is_empty() => {}
            Some(value) => drop(settings.insert(name, value.to_owned())),
            None => drop(settings.remove(&name)),
        }
        Ok(Outcome { warnings, ..Outcome::done("SET") })
    }

    pub(super) fn is_read_only(&self, id: SessionId, disk: DiskId) -> bool {
        self.is_read_only_for(Some(id), disk)
    }

    /// A standby always; a datanode for a session that did not say allow_dml_on_datanode (opentenbase-v2.6-live.md, "GTM").
    fn is_read_only_for(&self, session: Option<SessionId>, disk: DiskId) -> bool {
        let Some(copy) = self.postgres.get(&disk) else { return true };
        if !copy.is_master() {
            return true;
        }
        let session = session.and_then(|id| self.sessions.get(&id));
        let on = |name: &str| {
            let set = session.and_then(|session| session.settings.get(name));
            set.is_some_and(|value| matches!(value.as_str(), "on" | "true" | "1" | "yes"))
        };
        let asked = on("transaction_read_only") || on("default_transaction_read_only");
        asked || (copy.home.kind == NodeKind::Datanode && !on("allow_dml_on_datanode"))
    }
}

/// A time setting in milliseconds: `500`, `500ms`, `2s`, `1min`.
pub fn millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(factor)
}
