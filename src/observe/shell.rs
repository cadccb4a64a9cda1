//! The answers of the servers' shells.

use std::time::SystemTime;

use futures_util::future::join_all;

use crate::model::{
    Control, Fact, Instance, InstanceFacts, Lsn, MissingWal, ServerName, Settings, Unknown, UnknownKind,
};
use crate::opentenbase::command::{Patience, end_of_wal};
use crate::opentenbase::{
    self, Look, MOST_LOOKS, MissingRange, Probe, Script, missing_transactions, no_probe, read_end_of_wal,
    read_missing_transactions, read_probe, read_sync_settings, sanitize_for_display, survey_script,
};
use crate::transport::Connections;

use super::{Limits, vitals};

/// Looks at all of one server's instances by one script (very many: by several); gives one [`Probe`] for each
/// look, in their order.
pub(super) async fn look(
    connections: &Connections,
    server: &ServerName,
    looks: &[Look<'_>],
    limits: &Limits,
) -> Vec<Probe> {
    join_all(looks.chunks(MOST_LOOKS).map(|looks| look_at_some(connections, server, looks, limits))).await.concat()
}

async fn look_at_some(
    connections: &Connections,
    server: &ServerName,
    looks: &[Look<'_>],
    limits: &Limits,
) -> Vec<Probe> {
    let asked = SystemTime::now();
    match connections.shells.run(server, &survey_script(looks), limits.shell).await {
        Ok(output) => {
            let answered = SystemTime::now();
            let mut probes = read_probe(looks, &output.text);
            for probe in &mut probes {
                let clock = probe.clock.and_then(|clock| vitals::clock_offset(clock, asked, answered));
                if let Fact::Known(around) = &mut probe.host_environment {
                    around.clock = clock;
                }
            }
            probes
        }
        Err(error) => vec![no_probe(error.kind(), &error.to_string()); looks.len()],
    }
}

/// Returns the end of the WAL of a stopped coordinator or datanode, from pg_waldump. If pg_waldump does not show it,
/// uses the position of the last record of a cleanly stopped one, the shutdown checkpoint.
pub(super) async fn wal_end(
    connections: &Connections,
    instance: &Instance,
    facts: &InstanceFacts,
    limits: &Limits,
) -> Fact<Lsn> {
    let control = match &facts.control {
        Fact::Known(control) => control,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown.clone()),
    };
    let script = Script::at(instance).then(&end_of_wal(instance, control, within(limits)));
    let read = match connections.shells.run_short(&instance.id.server, script.as_str(), limits.shell).await {
        Ok(output) => read_end_of_wal(&output.text, control)
            .map_or_else(|why| Fact::unknown(UnknownKind::Unreadable, sanitize_for_display(&why)), Fact::Known),
        Err(error) => Fact::Unknown(error.unknown()),
    };
    match read {
        Fact::Unknown(_) if control.state.is_clean() => Fact::Known(control.checkpoint),
        read => read,
    }
}

/// Reads a stopped master's settings for commits that wait for standbys.
pub(super) async fn sync_settings(connections: &Connections, instance: &Instance, limits: &Limits) -> Fact<Settings> {
    let script = Script::at(instance).then(&opentenbase::sync_settings(instance));
    match connections.shells.run_short(&instance.id.server, script.as_str(), limits.shell).await {
        Ok(output) => read_sync_settings(&output.text)
            .map_or_else(|why| Fact::unknown(UnknownKind::Unreadable, sanitize_for_display(&why)), Fact::Known),
        Err(error) => Fact::Unknown(error.unknown()),
    }
}

/// The transactions in that part of a stopped coordinator's or datanode's WAL.
pub(super) async fn missing_wal(
    connections: &Connections,
    instance: &Instance,
    control: &Control,
    range: &MissingRange,
    limits: &Limits,
) -> Fact<MissingWal> {
    let script = Script::at(instance).then(&missing_transactions(instance, control, range, within(limits)));
    match connections.shells.run(&instance.id.server, script.as_str(), limits.shell).await {
        Ok(output) => read_missing_transactions(&output.text, control, range)
            .map_or_else(|why| Fact::unknown(UnknownKind::Unreadable, sanitize_for_display(&why)), Fact::Known),
        Err(error) => Fact::Unknown(error.unknown()),
    }
}

/// Whether a standby that holds WAL up to `holds` has received it on the timeline of `control`.
pub(super) async fn has_received(
    connections: &Connections,
    standby: &Instance,
    control: &Control,
    holds: Lsn,
    limits: &Limits,
) -> Result<bool, Unknown> {
    let (timeline, segment, last) = (control.timeline, control.wal_segment_bytes, Lsn(holds.0.saturating_sub(1)));
    let command = opentenbase::has_received(standby, timeline, last, segment, within(limits));
    let script = Script::at(standby).then(&command);
    let output = connections.shells.run_short(&standby.id.server, script.as_str(), limits.shell).await;
    output.map(|output| output.status == 0).map_err(|error| error.unknown())
}

/// A second less than the shell has, so that a tool's own end is heard of.
fn within(limits: &Limits) -> Patience {
    Patience(u32::try_from(limits.shell.as_secs()).unwrap_or(u32::MAX).max(2) - 1)
}
