//! Checks of the servers: tools, clocks, and what would start the old master again.

use super::{Finding, LOOK_AGAIN, Takeover};
use crate::model::{Fact, HostEnvironment, InstanceFacts, InstanceId};
use crate::plan::check::{Check, CheckCode};

/// Clocks further apart than this make logs and ages misleading.
const APART_MS: i64 = 1000;

pub(super) fn all(takeover: &Takeover<'_>) -> Vec<Check> {
    let mut checks = vec![tools(&takeover.declared, takeover.standby).of(CheckCode::Tools, &takeover.declared)];
    if let Some((id, master)) = takeover.from {
        checks.push(tools(id, master).of(CheckCode::Tools, id));
        checks.push(clocks(takeover, id, master).of(CheckCode::Clocks, &takeover.node.name));
    }
    for instance in takeover.node.standbys() {
        if let Some(facts) =
            takeover.seen.instances.get(&instance.id).filter(|facts| supervised(takeover, &instance.id, facts))
        {
            checks.push(supervisor(&instance.id, facts).of(CheckCode::Supervisor, &instance.id));
        }
    }
    checks
}

/// The old master, and any copy that lies still and could come up as a master.
fn supervised(takeover: &Takeover<'_>, id: &InstanceId, facts: &InstanceFacts) -> bool {
    takeover.from.is_some_and(|(from, _)| from == id) || !facts.is_running(crate::model::Role::Standby)
}

fn around<'a>(id: &InstanceId, facts: &'a InstanceFacts) -> Result<&'a HostEnvironment, String> {
    match &facts.host_environment {
        Fact::Known(around) => Ok(around),
        Fact::Unknown(why) => Err(format!("the server of {id} could not be observed: {why}")),
    }
}

pub(super) fn tools(id: &InstanceId, facts: &InstanceFacts) -> Finding {
    match around(id, facts) {
        Ok(around) if around.missing_tools.is_empty() => Finding::pass(format!("the tools of {id} exist")),
        Ok(around) => Finding::block(
            format!("on the server of {id} these programs cannot run: {}", around.missing_tools.join(", ")),
            "correct `install` in the file, or the permissions of its bin directory",
        ),
        Err(why) => Finding::unknown(why, "check `shell` in the file"),
    }
}

fn clocks(takeover: &Takeover<'_>, id: &InstanceId, master: &InstanceFacts) -> Finding {
    let clock = |id, facts| around(id, facts).ok().and_then(|around| around.clock);
    let (Some(own), Some(theirs)) = (clock(&takeover.declared, takeover.standby), clock(id, master)) else {
        return Finding::warn("the servers' clocks could not be compared", LOOK_AGAIN);
    };
    let apart = own.apart_ms(theirs);
    if apart <= APART_MS {
        return Finding::pass("the servers' clocks agree within 1 s");
    }
    Finding::warn(
        format!("the clocks of {} and {id} are at least {apart} ms apart; 1 s is the limit", takeover.declared),
        "let chrony or ntpd set them right",
    )
}

/// otb's fence keeps whatever is started from coming up as a master; but it would come up as a standby while otb
/// works on its directory.
pub(super) fn supervisor(id: &InstanceId, facts: &InstanceFacts) -> Finding {
    match around(id, facts) {
        Ok(around) if around.keepers.is_empty() => {
            Finding::pass(format!("no program was found that would start {id} again"))
        }
        Ok(around) => Finding::warn(
            format!("{} may start {id} again while otb works", around.keepers.join(", ")),
            "switch it off until the run has finished",
        ),
        Err(why) => Finding::warn(
            format!("otb could not find out what may start {id} again: {why}"),
            "check `shell` in the file",
        ),
    }
}
