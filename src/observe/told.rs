//! What processes have told of themselves so far, and for which nodes that is not enough.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::model::{InstanceFacts, InstanceId, Node, NodeKind, Process, Role};

/// Filled while answers come in.
pub(super) struct Told {
    /// None: it does not run as far as it can tell, or did not tell enough.
    roles: Mutex<BTreeMap<InstanceId, Option<Role>>>,
    expected: usize,
    complete: watch::Sender<bool>,
}

impl Told {
    /// By nobody yet, of `expected` processes.
    pub(super) fn by_none_of(expected: usize) -> Self {
        Self { roles: Mutex::default(), expected, complete: watch::Sender::new(expected == 0) }
    }

    /// What a process answered, or that it did not.
    pub(super) fn note(&self, id: &InstanceId, kind: NodeKind, facts: &InstanceFacts) {
        let role = facts.role.known().copied().filter(|_| needs_no_tools(kind, facts));
        let mut roles = self.roles();
        roles.insert(id.clone(), role);
        if roles.len() == self.expected {
            self.complete.send_replace(true);
        }
    }

    /// Waits until all have answered or failed, but not longer than `patience`.
    pub(super) async fn wait(&self, patience: Duration) {
        let mut complete = self.complete.subscribe();
        // Whether they have or not is asked for by node.
        let _ = timeout(patience, complete.wait_for(|complete| *complete)).await;
    }

    /// Whether all processes of the node are what the file declares, by their own word. Then nothing is done to
    /// them and no check asks for their control files. (Of any other node all copies' are compared.)
    pub(super) fn is_settled(&self, node: &Node) -> bool {
        let roles = self.roles();
        node.instances.values().all(|instance| {
            let declared = if instance.id.server == node.master { Role::Master } else { Role::Standby };
            roles.get(&instance.id).copied().flatten() == Some(declared)
        })
    }

    fn roles(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Option<Role>>> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a process has told so much that no tool need be run to learn what it does.
fn needs_no_tools(kind: NodeKind, facts: &InstanceFacts) -> bool {
    let identity = facts.system_id.known().is_some() && facts.timeline.known().is_some();
    facts.process == crate::model::Fact::Known(Process::Running) && (identity || !kind.is_router())
}
