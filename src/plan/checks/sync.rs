//! The check of commits that wait for standbys: will the new master have those that it waits for?

use super::{Finding, LOOK_AGAIN};
use crate::model::{Cluster, Fact, InstanceFacts, InstanceId, Node, Observation};
use crate::opentenbase::{SyncNames, psql_line, with_name};
use crate::plan::check::{CheckCode, CheckId};
use crate::plan::step::RejoinMethod;
use crate::plan::survey::NodeSurvey;
use crate::plan::sync::{SyncCommits, judge};

const NAMES: &str = "synchronous_standby_names";

/// Finds out whether commits on the declared master end. A base backup copies the setting, so that a promoted standby
/// waits as its master did.
pub(super) fn standbys(
    cluster: &Cluster,
    survey: &NodeSurvey<'_>,
    from: Option<&InstanceFacts>,
    seen: &Observation,
) -> Finding {
    let declared = survey.node.master_id();
    let settings = match seen.instances.get(&declared).map(|facts| &facts.settings) {
        Some(Fact::Known(settings)) => settings,
        Some(Fact::Unknown(why)) => {
            return Finding::unknown(format!("the settings of {declared} are not known: {why}"), LOOK_AGAIN);
        }
        None => return Finding::unknown(format!("the settings of {declared} are not known"), LOOK_AGAIN),
    };
    let names = settings.text(NAMES).unwrap_or_default();
    let view = View { cluster, declared: &declared, names, node: survey.node };
    match judge(survey.node, &survey.situation, &survey.rejoins, seen) {
        Err(why) => Finding::unknown(
            format!("it is not known what commits on {declared} will wait for: {why}"),
            format!("correct {NAMES} on {declared} and reload"),
        ),
        Ok(None) => view.no_wait(from),
        Ok(Some(sync)) if sync.is_met() => view.met(&sync, survey),
        Ok(Some(sync)) => view.unmet(&sync),
    }
}

struct View<'a> {
    cluster: &'a Cluster,
    declared: &'a InstanceId,
    /// The setting of the declared master.
    names: &'a str,
    node: &'a Node,
}

impl View<'_> {
    /// Settings that differ between the copies: what the old master protects the new one does not.
    fn no_wait(&self, from: Option<&InstanceFacts>) -> Finding {
        let theirs = from.and_then(|facts| facts.settings.known());
        let waited = theirs.filter(|settings| SyncNames::of(settings).is_ok_and(|names| names.is_some()));
        let Some(settings) = waited else { return Finding::pass("no commit will wait for a standby") };
        let value = settings.text(NAMES).unwrap_or_default();
        let what = format!("commits on {} wait for standbys ({NAMES} = '{value}')", self.node.name);
        Finding::warn(
            format!("{what}, but after the move they will not: {} has another setting", self.declared),
            format!("set {NAMES} and synchronous_commit on {} as on the present master, and reload", self.declared),
        )
    }

    fn met(&self, sync: &SyncCommits, survey: &NodeSurvey<'_>) -> Finding {
        let found = format!(
            "commits on {} will wait for {} of '{}': {}",
            self.declared,
            standbys_in_words(sync.number),
            self.names,
            listed(&sync.copies)
        );
        let copied = |id: &&InstanceId| {
            let rejoin = survey.rejoins.iter().find(|rejoin| rejoin.instance == **id);
            rejoin.is_some_and(|rejoin| matches!(rejoin.method, RejoinMethod::BaseBackup | RejoinMethod::Replace))
        };
        match sync.early.iter().find(copied) {
            None => Finding::pass(found),
            Some(id) => Finding::warn(
                format!("{found}; until pg_basebackup has rebuilt {id}, commits hang"),
                format!("to restore service before that: {}", self.without()),
            ),
        }
    }

    fn unmet(&self, sync: &SyncCommits) -> Finding {
        let Self { declared, names, .. } = self;
        let found = match sync.copies.as_slice() {
            [] => "none will exist".to_owned(),
            some => format!("only {} will exist", listed(some)),
        };
        let others = match sync.others.as_slice() {
            [] => String::new(),
            some => format!("; {} will stream with a name that is not in the list", listed(some)),
        };
        let found = format!(
            "commits on {declared} will hang: they wait for {} of '{names}', but {found}{others}",
            standbys_in_words(sync.number)
        );
        let waiver = CheckId::new(CheckCode::SyncStandbys, &self.node.name);
        let hint = if sync.copies.len() + sync.others.len() >= sync.number {
            let wanted = sync.number - sync.copies.len();
            let longer =
                sync.others.iter().take(wanted).fold((*names).to_owned(), |text, (_, name)| with_name(&text, name));
            format!("add the name: {}", self.set(&longer))
        } else {
            self.without()
        };
        Finding::block(found, format!("{hint}; or accept that commits hang: --waive {waiver} --reason ..."))
    }

    /// How to serve without such standbys, and the way back.
    fn without(&self) -> String {
        let back = self.line(&format!("alter system reset {NAMES}"));
        format!("{}; once the other instance is a standby again: {back}", self.set(""))
    }

    fn set(&self, value: &str) -> String {
        self.line(&format!("alter system set {NAMES} = '{}'", value.replace('\'', "''")))
    }

    /// A line to paste that changes the setting on the declared master and reloads it.
    fn line(&self, sql: &str) -> String {
        let connection = &self.cluster.connection;
        let Some(at) = self.cluster.instance(self.declared).map(|instance| &instance.endpoint) else {
            return sql.to_owned();
        };
        let is_plain = !sql.contains(['"', '$', '`', '\\', '!']);
        let line = psql_line(at, &connection.user, &connection.database, if is_plain { "" } else { sql });
        // Within double quotes an SQL literal stays readable.
        let line = if is_plain { line.replace("-c ''", &format!("-c \"{sql}\"")) } else { line };
        format!("{line} -c 'select pg_reload_conf()'")
    }
}

fn standbys_in_words(number: usize) -> String {
    if number == 1 { "1 standby".to_owned() } else { format!("{number} standbys") }
}

/// `dn01@s29 (dn01_s29), dn01@s53 (dn01_s53)`
fn listed(copies: &[(InstanceId, String)]) -> String {
    copies.iter().map(|(id, name)| format!("{id} ({name})")).collect::<Vec<_>>().join(", ")
}
