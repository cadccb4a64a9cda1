//! What processes have reported about themselves so far, and which nodes need tools.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::model::{InstanceFacts, InstanceId, Node, NodeKind, Process, Role};
use crate::opentenbase::Tools;

/// A report that makes tools unnecessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SelfReport {
    role: Role,
    /// The directory in which it runs. (A GTM's directory is not compared.)
    place: bool,
}

/// Filled while answers come in.
pub(super) struct SelfReports {
    /// `None` means that it does not run as far as known, or that it reported too little.
    words: Mutex<BTreeMap<InstanceId, Option<SelfReport>>>,
    expected: usize,
    /// The number of processes that have reported, or will not.
    so_far: watch::Sender<usize>,
}

impl SelfReports {
    /// Returns a state without reports of `expected` processes.
    pub(super) fn by_none_of(expected: usize) -> Self {
        Self { words: Mutex::default(), expected, so_far: watch::Sender::new(0) }
    }

    /// Records a process's answer, or that it did not answer.
    pub(super) fn note(&self, id: &InstanceId, kind: NodeKind, facts: &InstanceFacts) {
        let role = facts.role.known().copied().filter(|_| needs_no_tools(kind, facts));
        let place = !kind.is_router() || facts.pid_file.known().is_some();
        let mut words = self.words.lock();
        words.insert(id.clone(), role.map(|role| SelfReport { role, place }));
        self.so_far.send_replace(words.len());
    }

    /// Waits until all have answered or failed. After `patience` only as long as one follows the other within `pause`:
    /// then they are many or their machine is slow, and tools run there would make it slower.
    pub(super) async fn wait(&self, patience: Duration, pause: Duration) {
        let mut reports = self.so_far.subscribe();
        let are_all = |reports: &usize| *reports >= self.expected;
        if timeout(patience, reports.wait_for(are_all)).await.is_ok() {
            return;
        }
        // Reports are looked up by node.
        while !are_all(&reports.borrow_and_update()) && timeout(pause, reports.changed()).await.is_ok() {}
    }

    /// Whether all processes of the node are what the file declares, by their own word. Then nothing is done to
    /// them and no check asks for their directories.
    pub(super) fn is_settled(&self, node: &Node) -> bool {
        let words = self.words.lock();
        node.instances.values().all(|instance| {
            let declared = if instance.id.server == node.master { Role::Master } else { Role::Standby };
            words.get(&instance.id).copied().flatten().is_some_and(|word| word.role == declared)
        })
    }

    /// Which tools must be run for one that is not settled.
    pub(super) fn tools_for(&self, id: &InstanceId) -> Tools {
        match self.words.lock().get(id).copied().flatten() {
            Some(SelfReport { place: true, .. }) => Tools::None,
            Some(SelfReport { place: false, .. }) => Tools::Control,
            None => Tools::All,
        }
    }
}

/// Whether a process reported so much that no tool needs to find out its state.
fn needs_no_tools(kind: NodeKind, facts: &InstanceFacts) -> bool {
    let identity = facts.system_id.known().is_some() && facts.timeline.known().is_some();
    facts.process == crate::model::Fact::Known(Process::Running) && (identity || !kind.is_router())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnknownKind;

    /// Measures how long it waits for `expected`, of which five report 30 ms one after the other.
    async fn waits(expected: usize, patience: u64, pause: u64) -> Duration {
        let reports = SelfReports::by_none_of(expected);
        let facts = InstanceFacts::unknown(UnknownKind::TimedOut, "no answer");
        let begun = std::time::Instant::now();
        let tell = async {
            for n in 0..5 {
                tokio::time::sleep(Duration::from_millis(30)).await;
                let id = InstanceId::try_from(format!("dn0{n}@s29")).unwrap();
                reports.note(&id, NodeKind::Datanode, &facts);
            }
        };
        let wait = async {
            reports.wait(Duration::from_millis(patience), Duration::from_millis(pause)).await;
            begun.elapsed()
        };
        tokio::join!(tell, wait).1
    }

    #[tokio::test]
    async fn answers_that_trickle_in_are_waited_for() {
        let (all, either) = (Duration::from_millis(150), Duration::from_secs(4));
        let took = waits(5, 10, 5000).await;
        assert!(took >= all && took < either, "{took:?}");
        let took = waits(5, 5000, 10).await;
        assert!(took >= all && took < either, "{took:?}");
    }

    #[tokio::test]
    async fn who_keeps_silent_is_not() {
        let patient = waits(6, 1, 400).await;
        assert!(patient >= Duration::from_millis(550), "{patient:?}");
        assert!(waits(6, 1, 1).await < patient);
    }
}
