//! Checks of a node that has two masters: which copy is kept, what the other takes with it, and whether that may be.

use super::takeover::{View, shell};
use super::{Finding, Takeover, host, settings};
use crate::model::{Cluster, Endpoint, InstanceFacts, InstanceId, Node, NodeKind, Observation, OldMaster, RouteKind};
use crate::plan::check::{Check, CheckCode};
use crate::plan::routes::RouterView;
use crate::plan::split::wrote_alone;

/// Everything that is looked at before `others`, which run as masters beside the declared one, are given up.
pub(crate) fn for_split(
    cluster: &Cluster,
    node: &Node,
    others: &[InstanceId],
    seen: &Observation,
    views: &[RouterView<'_>],
) -> Vec<Check> {
    let kept = node.master_id();
    let Some(facts) = seen.instances.get(&kept) else { return Vec::new() };
    let split = Split { node, kept: &kept, facts, others, seen, led: Led::read(node, others, views) };
    let mut checks = vec![
        split.brain().of(CheckCode::SplitBrain, &node.name),
        split.kept_copy().of(CheckCode::KeptCopy, &node.name),
    ];
    let view = View { cluster, node, declared: &kept, standby: facts, seen };
    if node.kind.is_router() {
        checks.push(view.identity(&kept, facts).of(CheckCode::Identity, &kept));
    }
    for (other, theirs) in others.iter().filter_map(|id| Some((id, seen.instances.get(id)?))) {
        let takeover =
            Takeover { cluster, node, declared: kept.clone(), standby: facts, from: Some((other, theirs)), seen };
        if node.kind.is_router() {
            checks.push(view.identity(other, theirs).of(CheckCode::Identity, other));
            checks.push(view.system(other, theirs).of(CheckCode::System, other));
        }
        if node.kind.is_router() && cluster.policy.old_master == OldMaster::Rejoin {
            checks.push(
                settings::replication_access(&takeover, other, &theirs.replication_access)
                    .of(CheckCode::ReplicationAccess, other),
            );
        }
        checks.push(shell(other, theirs).of(CheckCode::Shell, other));
        checks.push(host::tools(other, theirs).of(CheckCode::Tools, other));
        checks.push(host::supervisor(other, theirs).of(CheckCode::Supervisor, other));
    }
    checks
}

/// The declared master is none of those that run: which one to keep is not otb's to guess.
pub(crate) fn for_split_elsewhere(node: &Node, masters: &[InstanceId], seen: &Observation) -> Check {
    let timeline = |id: &InstanceId| {
        let known = seen.instances.get(id).and_then(|facts| facts.timeline.known());
        known.map_or_else(|| format!("{id}, timeline unknown"), |timeline| format!("{id}, timeline {timeline}"))
    };
    let list: Vec<String> = masters.iter().map(timeline).collect();
    Finding::block(
        format!(
            "{} masters of {} run at the same time, and {}, which the file declares, is not one of them: {}",
            masters.len(),
            node.name,
            node.master_id(),
            list.join("; ")
        ),
        "declare the master to keep (usually the one that routers lead to) and plan again: the plan then shows what \
            is given up",
    )
    .of(CheckCode::KeptCopy, &node.name)
}

/// Which routers lead where; the node's own tables do not count.
struct Led {
    kept: Vec<InstanceId>,
    others: Vec<(InstanceId, InstanceId)>,
    unknown: Vec<InstanceId>,
}

impl Led {
    fn read(node: &Node, others: &[InstanceId], views: &[RouterView<'_>]) -> Self {
        let mut led = Self { kept: Vec::new(), others: Vec::new(), unknown: Vec::new() };
        let at = |id: &InstanceId| node.instances.get(&id.server).map(|instance| &instance.endpoint);
        for view in views.iter().filter(|view| view.router.node != node.name) {
            let Some(rows) = view.table.known() else {
                led.unknown.push(view.router.clone());
                continue;
            };
            let mut rows = rows.iter().filter(|row| row.kind != RouteKind::Standby);
            let Some(row) = rows.find(|row| row.node == node.name.as_str()) else { continue };
            let leads = |to: Option<&Endpoint>| to.is_some_and(|to| row.leads_to(to));
            if leads(at(&node.master_id())) {
                led.kept.push(view.router.clone());
            } else if let Some(other) = others.iter().find(|other| leads(at(other))) {
                led.others.push((view.router.clone(), other.clone()));
            }
        }
        led
    }

    fn to(&self, other: &InstanceId) -> Vec<InstanceId> {
        self.others.iter().filter(|(_, at)| at == other).map(|(router, _)| router.clone()).collect()
    }
}

struct Split<'a> {
    node: &'a Node,
    kept: &'a InstanceId,
    facts: &'a InstanceFacts,
    others: &'a [InstanceId],
    seen: &'a Observation,
    led: Led,
}

impl Split<'_> {
    fn is_gtm(&self) -> bool {
        self.node.kind == NodeKind::Gtm
    }

    fn others(&self) -> impl Iterator<Item = (&InstanceId, &InstanceFacts)> {
        self.others.iter().filter_map(|id| Some((id, self.seen.instances.get(id)?)))
    }

    /// Always a block: what it costs is for a person to accept.
    fn brain(&self) -> Finding {
        let kept = self.describe(self.kept, self.facts, &self.led.kept);
        let given_up = self
            .others()
            .map(|(id, facts)| format!("{}; {}", self.describe(id, facts, &self.led.to(id)), self.costs(facts)));
        let given_up: Vec<String> = given_up.collect();
        let servers: Vec<String> = self.others.iter().map(|id| id.server.to_string()).collect();
        Finding::block(
            format!(
                "{} masters of {} run at the same time. Kept, as the file declares: {kept}. Given up: {}",
                self.others.len() + 1,
                self.node.name,
                given_up.join("; and ")
            ),
            format!(
                "to give it up: --waive {}:{} --reason ...; to keep it instead, declare master: {}",
                CheckCode::SplitBrain.word(),
                self.node.name,
                servers.join(" or ")
            ),
        )
    }

    fn describe(&self, id: &InstanceId, facts: &InstanceFacts, led: &[InstanceId]) -> String {
        let or_unknown = |word: Option<String>| word.unwrap_or_else(|| "unknown".to_owned());
        let end = or_unknown(facts.wal_end.known().map(ToString::to_string));
        let state = if self.is_gtm() {
            format!("log to {end}, {}", self.clock(id, facts))
        } else {
            format!("timeline {}, WAL to {end}", or_unknown(facts.timeline.known().map(ToString::to_string)))
        };
        let unsure = match self.led.unknown.as_slice() {
            [] => String::new(),
            unknown => format!(" (not known for {})", listed(unknown)),
        };
        match led {
            [] => format!("{id}, {state}, no router leads to it{unsure}"),
            [one] => format!("{id}, {state}, {one} leads to it{unsure}"),
            several => format!("{id}, {state}, {} lead to it{unsure}", listed(several)),
        }
    }

    /// Against the kept one's clock; its own against the furthest of the others.
    fn clock(&self, id: &InstanceId, facts: &InstanceFacts) -> String {
        let against = if id == self.kept {
            self.others().filter_map(|(_, other)| other.gts.known().copied()).max()
        } else {
            self.facts.gts.known().copied()
        };
        match (facts.gts.known(), against) {
            (Some(own), Some(theirs)) if *own >= theirs => format!("clock {} s ahead", own.seconds_ahead_of(theirs)),
            (Some(own), Some(theirs)) => format!("clock {} s behind", theirs.seconds_ahead_of(*own)),
            _ => "clock unknown".to_owned(),
        }
    }

    fn costs(&self, other: &InstanceFacts) -> String {
        if self.is_gtm() {
            return "otb cannot find out which sequence values it assigned alone: the GTM may repeat some".to_owned();
        }
        let aside = "its directory is kept aside, and the cluster will not have these rows";
        format!("it wrote {} ({aside})", wrote_alone(self.facts, other))
    }

    /// A copy whose rows clients do not see is never kept: the other can be kept, and moved afterwards, without loss.
    /// A GTM has no rows, and what matters is its clock.
    fn kept_copy(&self) -> Finding {
        let Led { kept, others, unknown } = &self.led;
        match (kept.as_slice(), others.as_slice()) {
            _ if self.is_gtm() => self.clock_is_ahead(),
            ([], [(_, other), ..]) => {
                let routers: Vec<InstanceId> = others.iter().map(|(router, _)| router.clone()).collect();
                Finding::block(
                    format!(
                        "no router leads to {}, which the file declares, but {} to {other}: clients wrote there",
                        self.kept,
                        leads(&routers)
                    ),
                    format!(
                        "declare master: {}, repair, and switch over to {} in a second run: that loses nothing that \
                            clients saw",
                        other.server, self.kept.server
                    ),
                )
            }
            ([], []) if !unknown.is_empty() => Finding::unknown(
                format!("it is not known where {} lead, and no other router leads to {}", listed(unknown), self.kept),
                "bring these routers back first: clients wrote where they lead",
            ),
            ([], []) => Finding::warn(
                format!("no router leads to any of the masters of {}", self.node.name),
                "compare the data of the instances before you give one up",
            ),
            (led, _) => Finding::pass(format!("{} to {}", leads(led), self.kept)),
        }
    }

    /// A node that saw a commit with a later timestamp refuses every statement until this clock has caught up ("start
    /// timestamp … is too old to execute, recentCommitTs …", seen live).
    fn clock_is_ahead(&self) -> Finding {
        let own = self.facts.gts.known();
        let furthest = self.others().map(|(_, other)| other.gts.known()).collect::<Option<Vec<_>>>();
        let furthest = furthest.and_then(|all| all.into_iter().max());
        let may_have_later = !self.led.others.is_empty() || !self.led.unknown.is_empty();
        match (own, furthest) {
            (Some(own), Some(furthest)) if own >= furthest => {
                Finding::pass(format!("the clock of {} is {} s ahead", self.kept, own.seconds_ahead_of(*furthest)))
            }
            _ if !may_have_later => Finding::pass(format!("every router leads to {}", self.kept)),
            (Some(own), Some(furthest)) => Finding::block(
                format!(
                    "the clock of {} is {} s behind, and otb does not know that every router leads to it: a node \
                        that saw a later commit refuses all statements until the clock has caught up",
                    self.kept,
                    furthest.seconds_ahead_of(*own)
                ),
                "declare the GTM that is ahead as master",
            ),
            _ => Finding::unknown(
                format!("otb could not find out whether the clock of {} is ahead", self.kept),
                "run `otb status` to see what answers, then plan again",
            ),
        }
    }
}

fn listed(ids: &[InstanceId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn leads(routers: &[InstanceId]) -> String {
    format!("{} {}", listed(routers), if routers.len() == 1 { "leads" } else { "lead" })
}
