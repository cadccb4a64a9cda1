//! Conditions, asked of the simulated cluster as apply asks them of a live one.

use crate::apply::Found;
use crate::model::{Condition, InstanceId, Origin, Role, RouteChange};
use crate::sandbox::world::{DiskId, Gtm, GtmLog, Postgres, Reach, Receiver, Upstream};

use super::lab::Lab;

fn fails(why: impl Into<String>) -> Found {
    Found::Fails(why.into())
}

fn when(holds: bool, otherwise: &str) -> Found {
    if holds { Found::Holds } else { fails(otherwise) }
}

/// Neither the server's shell nor its processes answer.
fn silent() -> Found {
    Found::Unknown("no answer".to_owned())
}

pub(super) fn check(lab: &Lab, condition: &Condition) -> Found {
    match condition {
        Condition::Runs { instance, role } => runs(lab, instance, *role),
        Condition::Hangs { instance } => {
            by_shell(lab, instance, |disk| when(lab.world.word(disk) == "hung", "it answers, or is stopped"))
        }
        Condition::Stopped { instance } => by_shell(lab, instance, |disk| stopped(lab, disk)),
        Condition::CleanlyStopped { instance } => by_shell(lab, instance, |disk| {
            // No file shows how a GTM stopped.
            let clean = lab.world.postgres(disk).is_none_or(|copy| copy.control.state.is_clean());
            if clean { stopped(lab, disk) } else { fails("it is not stopped cleanly") }
        }),
        Condition::Fenced { instance, upstream } => {
            let leads = lab.recovery(instance).is_some_and(|file| lab.is_at(upstream, &file.host, file.port));
            by_shell(lab, instance, |_| when(leads, "the fence has another upstream"))
        }
        Condition::ReplayedAll { standby, source } if is_gtm(lab, standby) => match lab.flushed.get(source) {
            Some(position) => {
                by_gtm(lab, standby, |gtm| when(gtm.flushed() >= *position, "it has not flushed everything"))
            }
            None => silent(),
        },
        Condition::ReplayedAll { standby, source } => replayed_all(lab, standby, source),
        Condition::ReplayedTo { standby, position, .. } => by_sql(lab, standby, |copy| {
            when(!copy.is_master() && copy.replayed() >= *position, "it has not replayed the salvaged WAL")
        }),
        Condition::Routed { router, routes } => by_sql(lab, router, |copy| {
            let leads = |change: &RouteChange| {
                let (row, to) = (copy.data.routes.get(change.node.as_str()), &change.to);
                row.is_some_and(|row| row.host == to.host.as_str() && row.port == to.port)
            };
            when(routes.iter().all(leads), "it has another route")
        }),
        // v2.6 has no forward process.
        Condition::Forwards { .. } => Found::Holds,
        Condition::GetsTimestamp { router } => by_sql(lab, router, |_| Found::Holds),
        Condition::PoolAgrees { router } => {
            by_sql(lab, router, |_| when(lab.world.pool_agrees(lab.disk(router)), "the pooler does not agree"))
        }
        Condition::Reached { coordinator, instance } => reached(lab, coordinator, instance),
        Condition::Settled { masters } => {
            let holds = |copy: &Postgres| copy.data.prepared.keys().any(|gid| Origin::of(gid) != Origin::Client);
            let ask = |id: &InstanceId| by_sql(lab, id, |copy| when(!holds(copy), "a transaction is in doubt"));
            masters.iter().map(ask).find(|found| *found != Found::Holds).unwrap_or(Found::Holds)
        }
        Condition::Synchronous { master, standbys } => {
            let count = lab.world.synchronous_standbys(lab.disk(master));
            when(u32::try_from(count).unwrap_or(u32::MAX) >= *standbys, "its commits wait for more standbys")
        }
        Condition::Streams { standby, upstream } => streams(lab, standby, upstream),
    }
}

pub(super) fn by_shell(lab: &Lab, id: &InstanceId, ask: impl FnOnce(DiskId) -> Found) -> Found {
    if lab.world.is_cut(&id.server) { silent() } else { ask(lab.disk(id)) }
}

fn stopped(lab: &Lab, disk: DiskId) -> Found {
    when(lab.world.word(disk) == "stopped", "it is running")
}

pub(super) fn is_gtm(lab: &Lab, id: &InstanceId) -> bool {
    lab.world.gtm(lab.disk(id)).is_some()
}

/// With the GTM's own protocol, which needs no login.
fn by_gtm(lab: &Lab, id: &InstanceId, ask: impl FnOnce(&Gtm) -> Found) -> Found {
    let disk = lab.disk(id);
    match lab.world.gtm(disk) {
        Some(gtm) if gtm.process.is_some() && !lab.world.is_silent(disk) => ask(gtm),
        _ => silent(),
    }
}

fn by_sql(lab: &Lab, id: &InstanceId, ask: impl FnOnce(&Postgres) -> Found) -> Found {
    by_show(lab, id, |copy| {
        let needs_gtm = copy.is_master();
        if needs_gtm && !super::seen::has_gtm(lab, id, copy) {
            return Found::Unknown("GTM error".to_owned());
        }
        ask(copy)
    })
}

/// By SHOW, which takes no timestamp.
fn by_show(lab: &Lab, id: &InstanceId, ask: impl FnOnce(&Postgres) -> Found) -> Found {
    let disk = lab.disk(id);
    match lab.world.postgres(disk) {
        Some(copy) if !lab.world.is_silent(disk) && copy.process.is_some() => ask(copy),
        _ => silent(),
    }
}

fn runs(lab: &Lab, id: &InstanceId, role: Role) -> Found {
    let is = |master: bool| when(master == (role == Role::Master), "it runs in the other role");
    if is_gtm(lab, id) {
        by_gtm(lab, id, |gtm| is(gtm.is_active()))
    } else {
        by_show(lab, id, |copy| is(copy.is_master()))
    }
}

fn replayed_all(lab: &Lab, standby: &InstanceId, source: &InstanceId) -> Found {
    let Some(control) = lab.world.postgres(lab.disk(source)).map(|copy| copy.control) else { return silent() };
    if lab.world.is_cut(&source.server) {
        return silent();
    }
    let has_all = |copy: &Postgres| match lab.ended.get(source) {
        Some(end) => copy.replayed() >= *end,
        None if control.state.is_clean() => copy.replayed() > control.checkpoint,
        None => lab.world.postgres(lab.disk(source)).is_some_and(|own| copy.replayed() >= own.wal.end()),
    };
    by_sql(lab, standby, |copy| when(has_all(copy), "it has not replayed everything"))
}

/// The address in the coordinator's pooler, and whether the wanted process listens there.
fn reached(lab: &Lab, coordinator: &InstanceId, instance: &InstanceId) -> Found {
    by_sql(lab, coordinator, |copy| {
        let address = copy.process.as_ref().and_then(|process| process.pooler.address(instance.node.as_str()));
        let Some((host, port)) = address else { return fails("no route") };
        match lab.world.reach(&coordinator.server, &host, port) {
            Reach::Live(disk) => when(disk == lab.disk(instance), "another process answers"),
            Reach::Refused | Reach::Silent => fails("nobody answers"),
        }
    })
}

fn streams(lab: &Lab, standby: &InstanceId, upstream: &InstanceId) -> Found {
    if is_gtm(lab, standby) {
        let leads = lab.recovery(standby).is_some_and(|conf| lab.is_at(upstream, &conf.host, conf.port));
        let listed = leads && super::seen::is_listed(lab, standby);
        let redone = |gtm: &Gtm| gtm.process.as_ref().is_some_and(|process| process.log == GtmLog::EndKnown);
        return by_gtm(lab, standby, |gtm| {
            when(listed && redone(gtm), "it is not listed, or has replayed nothing yet")
        });
    }
    by_sql(lab, standby, |copy| {
        let standby = copy.process.as_ref().and_then(|process| process.standby());
        let here = standby.is_some_and(|standby| {
            let leads = |up: &Upstream| lab.is_at(upstream, &up.host, up.port);
            standby.receiver == Receiver::Streaming && standby.upstream.as_ref().is_some_and(leads)
        });
        when(here, "it does not stream")
    })
}
