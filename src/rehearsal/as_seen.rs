//! Facts that the simulation does not change stay as observed on the real cluster: the host environment of a server,
//! its load, its settings.

use crate::model::{Fact, InstanceFacts, Process};

/// Takes over from what was seen.
pub(super) fn as_seen(facts: &mut InstanceFacts, was: &InstanceFacts) {
    let answers = facts.node_name.known().is_some();
    let shell_answers = facts.host_environment.known().is_some();
    let runs = facts.process.known() == Some(&Process::Running) && facts.role.known().is_some();
    take(answers, &mut facts.version, &was.version);
    take(answers, &mut facts.load, &was.load);
    take(answers, &mut facts.round_trip, &was.round_trip);
    take(facts.replication_access.known().is_some(), &mut facts.replication_access, &was.replication_access);
    take(shell_answers, &mut facts.host_environment, &was.host_environment);
    take(shell_answers, &mut facts.tools_version, &was.tools_version);
    take(answers, &mut facts.oldest_wal, &was.oldest_wal);
    take(runs && !answers, &mut facts.gts, &was.gts);
    // A fact that was not observed stays unknown.
    take(was.settings.hidden().is_some() && answers, &mut facts.settings, &was.settings);
    take(was.prepared.hidden().is_some() && facts.prepared.known().is_some(), &mut facts.prepared, &was.prepared);
    take(was.data_dir.hidden().is_some() && shell_answers, &mut facts.data_dir, &was.data_dir);
    take(was.control.hidden().is_some() && shell_answers, &mut facts.control, &was.control);
    let (Fact::Known(dir), Some(before)) = (&mut facts.data_dir, was.data_dir.known()) else { return };
    (dir.present, dir.free_bytes) = (before.present, before.free_bytes);
    if let (Some(conf), Some(before)) = (&mut dir.recovery_conf, &before.recovery_conf) {
        conf.rights.clone_from(&before.rights);
        conf.user.clone_from(&before.user);
        conf.application_name.clone_from(&before.application_name);
        conf.own.clone_from(&before.own);
    }
}

/// Nobody asked for what does not apply: that is no knowledge.
fn take<T: Clone>(applies: bool, fact: &mut Fact<T>, was: &Fact<T>) {
    if applies && (was.known().is_some() || was.hidden().is_some()) {
        fact.clone_from(was);
    }
}
