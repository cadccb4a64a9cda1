//! The scope of a status: the whole cluster, or the nodes that `--target` names.

use std::borrow::Cow;

use crate::model::{Cluster, Finding, NodeName, Observation};
use crate::view::outline;

/// The declared cluster, what was observed of it and what is wrong with it, all of the same nodes.
pub struct Status<'a> {
    /// The cluster's name, with the targets if there are any.
    pub(in crate::view) subject: String,
    pub(in crate::view) cluster: Cow<'a, Cluster>,
    pub(in crate::view) seen: Cow<'a, Observation>,
    pub(in crate::view) findings: Vec<Finding>,
}

impl<'a> Status<'a> {
    /// Keeps what concerns `targets`; without targets, everything. A silent server concerns every node.
    pub fn new(cluster: &'a Cluster, seen: &'a Observation, mut findings: Vec<Finding>, targets: &[NodeName]) -> Self {
        let subject = outline::subject(&cluster.name, targets);
        let (mut cluster, mut seen) = (Cow::Borrowed(cluster), Cow::Borrowed(seen));
        if !targets.is_empty() {
            let concerns = |node: &NodeName| targets.contains(node);
            cluster.to_mut().nodes.retain(|name, _| concerns(name));
            let seen = seen.to_mut();
            seen.instances.retain(|id, _| concerns(&id.node));
            seen.in_doubt.retain(|one| one.prepared_on.iter().any(|id| concerns(&id.node)));
            findings.retain(|finding| {
                let instances = &finding.instances;
                finding.node.as_ref().is_some_and(concerns)
                    || instances.iter().any(|id| concerns(&id.node))
                    || (finding.node.is_none() && instances.is_empty())
            });
        }
        Self { subject, cluster, seen, findings }
    }
}
