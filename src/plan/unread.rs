//! Routers that this run starts and whose pgxc_node nothing shows before: each row is compared once they run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::gtm::Repoint;
use super::routes::RouterView;
use super::situation::Situation;
use super::survey::{NodeSurvey, RouterSurvey};
use crate::model::{Cluster, InstanceId, Node, NodeKind, NodeName, RouteChange};

/// The routers that get a master by this run and whose rows could not be read, of any of their copies.
pub(super) fn started<'a>(nodes: &[NodeSurvey<'_>], views: &'a [RouterView<'_>]) -> BTreeSet<&'a InstanceId> {
    let starts = |survey: &&NodeSurvey<'_>| matches!(survey.situation, Situation::Down | Situation::Masterless);
    let starting: BTreeSet<&NodeName> = nodes.iter().filter(starts).map(|survey| &survey.node.name).collect();
    let unread = |view: &&RouterView<'_>| view.table.known().is_none() && starting.contains(&view.router.node);
    views.iter().filter(unread).map(|view| &view.router).collect()
}

/// The rows that such a router is asked for, of all nodes that may change; the GTM's comes apart from the others.
pub(super) struct Rows {
    gtm: Option<RouteChange>,
    others: Arc<Vec<RouteChange>>,
}

impl Rows {
    pub(super) fn of(cluster: &Cluster, nodes: &[NodeSurvey<'_>], views: &[RouterView<'_>]) -> Self {
        // All routers have one version: any table that was read shows whether it has forward ports.
        let forwards = views.iter().filter_map(RouterView::forwards).any(|forwards| forwards);
        let acting = nodes.iter().filter(|survey| survey.situation.allows_acting());
        let declared = acting.filter_map(|survey| cluster.nodes.get(&survey.node.name));
        let rows = declared.filter_map(|node| row(node, forwards));
        let (gtm, others): (Vec<_>, Vec<_>) = rows.partition(|row| row.kind == NodeKind::Gtm);
        Self { gtm: gtm.into_iter().next(), others: Arc::new(others) }
    }

    /// The statements for `router` once it runs.
    pub(super) fn survey(&self, router: &InstanceId) -> RouterSurvey {
        let repoint = self.gtm.as_ref().map(|route| Repoint {
            at: router.clone(),
            route: route.clone(),
            now: false,
            spares_pool: false,
        });
        let routes = Arc::clone(&self.others);
        let reload = repoint.is_some() || !routes.is_empty();
        RouterSurvey { router: router.clone(), repoint, routes, reload, v5: false, forward: None, owed: false }
    }
}

fn row(node: &Node, forwards: bool) -> Option<RouteChange> {
    let master = node.master_instance()?;
    Some(RouteChange {
        node: node.name.clone(),
        kind: node.kind,
        from: "what is not known".to_owned(),
        to: master.endpoint.clone(),
        forward: master.forward_port.filter(|_| forwards && node.kind.is_router()),
        unread: true,
    })
}
