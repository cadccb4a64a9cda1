//! What the servers' shells see.

use crate::dialect::command::{Patience, end_of_wal};
use crate::dialect::{Probe, Script, no_probe, probe_script, read_end_of_wal, read_probe, shown};
use crate::model::{Fact, Instance, InstanceFacts, Lsn, ServerName, UnknownKind};
use crate::transport::Outside;

use super::Limits;

/// Looks at all of one server's `instances` by one script; gives one [`Probe`] for each, in their order.
pub(super) async fn look(
    outside: &Outside,
    server: &ServerName,
    instances: &[&Instance],
    limits: &Limits,
) -> Vec<Probe> {
    match outside.shells.run(server, &probe_script(instances), limits.shell).await {
        Ok(output) => read_probe(instances, &output.stdout),
        Err(error) => {
            let probe = no_probe(error.kind(), &error.to_string());
            instances.iter().map(|_| probe.clone()).collect()
        }
    }
}

/// Where the WAL of a stopped coordinator or datanode ends: by pg_waldump; where that cannot tell, of a cleanly
/// stopped one the position of its last record, the shutdown checkpoint.
pub(super) async fn wal_end(
    outside: &Outside,
    instance: &Instance,
    facts: &InstanceFacts,
    limits: &Limits,
) -> Fact<Lsn> {
    let control = match &facts.control {
        Fact::Known(control) => control,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown.clone()),
    };
    let seconds = u32::try_from(limits.shell.as_secs()).unwrap_or(u32::MAX).max(2) - 1;
    let script = Script::at(instance).then(&end_of_wal(instance, control, Patience(seconds)));
    let read = match outside.shells.run(&instance.id.server, script.as_str(), limits.shell).await {
        Ok(output) => read_end_of_wal(&output.stdout, control)
            .map_or_else(|why| Fact::unknown(UnknownKind::Unreadable, shown(&why)), Fact::Known),
        Err(error) => Fact::Unknown(error.unknown()),
    };
    match read {
        Fact::Unknown(_) if control.state.is_clean() => Fact::Known(control.checkpoint),
        read => read,
    }
}
