//! What a GTM says of itself.

use crate::dialect::GtmStatus;
use crate::model::{Fact, Instance, InstanceFacts, Process, Role, Sender, UnknownKind};
use crate::transport::ask_gtm;

use super::Limits;

/// Asks the GTM over its own protocol.
pub(super) async fn ask(instance: &Instance, limits: &Limits) -> InstanceFacts {
    match ask_gtm(&instance.endpoint, limits.answer).await {
        Ok(status) => read(status),
        Err(error) => {
            let unknown = error.unknown();
            let mut facts = does_not_apply();
            facts.process = Fact::Unknown(unknown.clone());
            facts.role = Fact::Unknown(unknown.clone());
            facts.wal_end = Fact::Unknown(unknown.clone());
            facts.senders = Fact::Unknown(unknown);
            facts
        }
    }
}

fn read(status: GtmStatus) -> InstanceFacts {
    let mut facts = does_not_apply();
    facts.process = Fact::Known(Process::Running);
    facts.role = Fact::Known(status.role);
    facts.wal_end = Fact::Known(status.flushed);
    facts.senders = match status.role {
        Role::Standby => Fact::not_asked("it is a standby"),
        Role::Master => Fact::Known(
            status
                .standbys
                .into_iter()
                .map(|standby| Sender {
                    application_name: standby.name,
                    client_addr: None,
                    state: "streaming".to_owned(),
                    sent: None,
                    replayed: Some(standby.flushed),
                    sync_state: if standby.sync { "sync" } else { "async" }.to_owned(),
                })
                .collect(),
        ),
    };
    facts
}

fn does_not_apply() -> InstanceFacts {
    InstanceFacts::unknown(UnknownKind::NotAsked, "a GTM has none")
}
