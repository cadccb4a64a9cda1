//! Servers of which nothing answers, and what of a run's second part is known before its first.

use super::check::Check;
use super::checks;
use super::document::SilentServer;
use super::planner::Input;
use super::situation::Situation;
use super::survey::NodeSurvey;
use crate::model::{Cluster, InstanceFacts, InstanceId, Observation, ServerName, Unknown, UnknownKind};

/// The servers of which neither the shell nor a process answers. A refusal is an answer.
pub(super) fn servers(cluster: &Cluster, seen: &Observation) -> Vec<SilentServer> {
    let silent = |server: &ServerName| {
        let instances: Vec<InstanceId> =
            cluster.instances().map(|instance| &instance.id).filter(|id| id.server == *server).cloned().collect();
        let whys: Option<Vec<&Unknown>> = instances.iter().map(|id| silence(seen.instances.get(id)?)).collect();
        let why = whys?.first()?.why.clone();
        Some(SilentServer { server: server.clone(), instances, why })
    };
    cluster.servers.keys().filter_map(silent).collect()
}

/// Why it is not known whether the process runs, where nothing answered: neither itself nor its server's shell.
fn silence(facts: &InstanceFacts) -> Option<&Unknown> {
    facts.process.reason().filter(|why| matches!(why.kind, UnknownKind::TimedOut | UnknownKind::Unreachable))
}

/// The checks of nodes without a master that answers: they rest on their standbys, which answer without a GTM.
pub(super) fn checks_of_the_rest(input: &Input<'_>, others: &[NodeSurvey<'_>]) -> Vec<Check> {
    let Input { cluster, seen, waivers, .. } = input;
    let mut all = Vec::new();
    for survey in others {
        all.extend(checks::for_unclear(survey.node, &survey.situation, seen, waivers));
        if survey.situation == Situation::Masterless && survey.change.is_some_and(super::ChangeKind::moves_master) {
            all.extend(checks::for_node(cluster, survey, None, seen));
        }
    }
    checks::apply_waivers(&mut all, waivers);
    all
}
