//! The observation in a saved plan: equal pgxc_node tables are kept once.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Fact, InstanceId, Observation, Route};

/// What was seen, as a saved plan keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptObservation {
    /// Everything but the rows of pgxc_node.
    pub observation: Observation,
    /// The tables that differ.
    pub tables: Vec<Arc<Vec<Route>>>,
    /// Which table each process has, by its place in `tables`.
    pub table_of: BTreeMap<InstanceId, usize>,
}

impl KeptObservation {
    pub fn of(seen: &Observation) -> Self {
        let mut kept = Self { observation: seen.clone(), ..Self::default() };
        for (id, facts) in &mut kept.observation.instances {
            let Some(table) = facts.routes.known() else { continue };
            let same = |known: &Arc<Vec<Route>>| Arc::ptr_eq(known, table) || known == table;
            let at = kept.tables.iter().position(same).unwrap_or_else(|| {
                kept.tables.push(Arc::clone(table));
                kept.tables.len() - 1
            });
            kept.table_of.insert(id.clone(), at);
            facts.routes = Fact::not_asked("its rows are in the plan's tables");
        }
        kept
    }

    /// As it was seen.
    pub fn restored(&self) -> Observation {
        let mut seen = self.observation.clone();
        for (id, at) in &self.table_of {
            if let (Some(facts), Some(table)) = (seen.instances.get_mut(id), self.tables.get(*at)) {
                facts.routes = Fact::Known(Arc::clone(table));
            }
        }
        seen
    }
}
