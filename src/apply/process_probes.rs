//! Whether processes run, asked on their server. When several masters leave a server at the same time, one script
//! checks all of them, because each further script costs the server two processes.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::cluster_access::{ASK, ClusterAccess};
use crate::model::{Fact, InstanceId, ServerName};
use crate::opentenbase::{Look, MOST_LOOKS, Probe, Tools, probe_script, read_probe};

/// How long all may take together. One whose directory hangs keeps the others waiting, and within the write gap, too.
const BRIEFLY: Duration = Duration::from_secs(1);

/// The tasks that wait for the next probe of each server.
#[derive(Default)]
pub(super) struct ProcessProbes(Mutex<BTreeMap<ServerName, Vec<Waiting>>>);

struct Waiting {
    id: InstanceId,
    told: oneshot::Sender<Probe>,
}

impl ProcessProbes {
    fn join(&self, id: &InstanceId) -> oneshot::Receiver<Probe> {
        let (told, probe) = oneshot::channel();
        self.0.lock().entry(id.server.clone()).or_default().push(Waiting { id: id.clone(), told });
        probe
    }

    fn take(&self, server: &ServerName) -> Vec<Waiting> {
        self.0.lock().remove(server).unwrap_or_default()
    }
}

/// What is known of the process of `id`.
pub(super) async fn process(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<Probe, String> {
    // A GTM that does not answer takes its tool seconds.
    let quick = access.instance(id)?.kind.is_router();
    let probe = if quick { together(id, access).await } else { None };
    match probe {
        Some(probe) => Ok(probe),
        None => alone(id, Tools::Process, access).await,
    }
}

/// What `tools` and the files of `id` say.
pub(super) async fn alone(id: &InstanceId, tools: Tools, access: &ClusterAccess<'_>) -> Result<Probe, String> {
    let probes = look(&[Look { at: access.instance(id)?, tools }], ASK, access).await?;
    probes.into_iter().next().ok_or_else(|| format!("the shell reported nothing about {id}"))
}

/// Returns nothing if no other task asks, or if the process's state is not known.
async fn together(id: &InstanceId, access: &ClusterAccess<'_>) -> Option<Probe> {
    let probe = access.probes.join(id);
    // Whoever asks in this moment comes before this is polled again; who is polled first then looks for all of them.
    yield_now().await;
    tell(access.probes.take(&id.server), access).await;
    probe.await.ok()
}

/// A task that gets no answer probes for itself.
async fn tell(mut waiting: Vec<Waiting>, access: &ClusterAccess<'_>) {
    waiting.truncate(MOST_LOOKS);
    let at = |waiting: &Waiting| Some(Look { at: access.cluster.instance(&waiting.id)?, tools: Tools::Process });
    let looks: Option<Vec<Look<'_>>> = waiting.iter().map(at).collect();
    let Some(looks) = looks.filter(|looks| looks.len() > 1) else { return };
    let probes = look(&looks, BRIEFLY, access).await.unwrap_or_default();
    for (Waiting { told, .. }, probe) in waiting.into_iter().zip(probes) {
        if matches!(probe.process, Fact::Known(_)) {
            let _ = told.send(probe);
        }
    }
}

/// ProcessProbes at instances of one server.
async fn look(looks: &[Look<'_>], limit: Duration, access: &ClusterAccess<'_>) -> Result<Vec<Probe>, String> {
    let Some(first) = looks.first() else { return Ok(Vec::new()) };
    let output = access.look(&first.at.id, &probe_script(looks), limit).await.map_err(|error| error.to_string())?;
    Ok(read_probe(looks, &output.text))
}
