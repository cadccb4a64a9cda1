//! The answers of a GTM.

use crate::model::{
    Endpoint, Fact, Instance, InstanceFacts, InstanceId, Instances, NodeKind, Process, Role, Sender, StandbyFacts,
    UnknownKind,
};
use crate::opentenbase::{GtmStatus, gtm_lists};
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
            facts.gts = Fact::Unknown(unknown.clone());
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
    facts.gts = Fact::Known(status.gts);
    if status.role == Role::Standby {
        // It redoes what it has flushed, and says nothing of a connection: its master does, see [`attached`].
        facts.standby = Fact::Known(StandbyFacts {
            received: Some(status.flushed),
            replayed: Some(status.flushed),
            replay_paused: false,
            last_replay: None,
            streaming: false,
            upstream: None,
        });
    }
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

/// Sets which GTM standbys stream: those that their master lists ([`gtm_lists`]). Whom one follows only its gtm.conf says.
pub(super) fn attached(instances: &[&Instance], facts: &mut Instances) {
    let gtms: Vec<&Instance> = instances.iter().filter(|instance| instance.kind == NodeKind::Gtm).copied().collect();
    for gtm in &gtms {
        let Some(own) = facts.get_mut(&gtm.id) else { continue };
        if let (Fact::Unknown(why), Fact::Known(_)) = (&own.data_dir, &own.standby) {
            own.standby = Fact::Unknown(why.clone());
        }
    }
    let streams: Vec<InstanceId> =
        gtms.iter().filter(|gtm| is_attached(gtm, &gtms, facts)).map(|gtm| gtm.id.clone()).collect();
    for id in streams {
        if let Some(Fact::Known(standby)) = facts.get_mut(&id).map(|facts| &mut facts.standby) {
            standby.streaming = true;
        }
    }
}

fn is_attached(gtm: &Instance, gtms: &[&Instance], facts: &Instances) -> bool {
    let upstream = |gtm: &Instance| -> Option<&Endpoint> { facts.get(&gtm.id)?.standby.known()?.upstream.as_ref() };
    let Some(at) = upstream(gtm) else { return false };
    let master = gtms.iter().find(|other| other.endpoint == *at).and_then(|master| facts.get(&master.id));
    let Some(senders) = master.and_then(|master| master.senders.known()) else { return false };
    let names: Vec<&str> = senders.iter().map(|sender| sender.application_name.as_str()).collect();
    let followers = gtms.iter().filter(|other| upstream(other) == Some(at)).map(|other| &other.endpoint);
    gtm_lists(&names, &gtm.endpoint, &followers.collect::<Vec<_>>())
}

fn does_not_apply() -> InstanceFacts {
    InstanceFacts::unknown(UnknownKind::NotAsked, "a GTM has none")
}
