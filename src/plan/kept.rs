//! The observation in a saved plan: equal pgxc_node tables are kept once.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Fact, InstanceId, Observation, Route};

/// What was seen, as one text. Its form is otb's own, and another with each version of otb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct KeptObservation(String);

/// What the text says.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Everything but the rows of pgxc_node.
    observation: Observation,
    /// The tables that differ.
    tables: Vec<Arc<Vec<Route>>>,
    /// Which table each process has, by its place in `tables`.
    table_of: BTreeMap<InstanceId, usize>,
}

impl KeptObservation {
    pub fn of(seen: &Observation) -> Self {
        let mut kept = Kept { observation: seen.clone(), tables: Vec::new(), table_of: BTreeMap::new() };
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
        // No map of theirs has keys that JSON does not: it cannot fail.
        Self(serde_json::to_string(&kept).unwrap_or_default())
    }

    /// As it was seen. `None` means that another otb wrote it, or that it was changed.
    pub fn restored(&self) -> Option<Observation> {
        let Kept { observation: mut seen, tables, table_of } = serde_json::from_str(&self.0).ok()?;
        for (id, at) in table_of {
            if let (Some(facts), Some(table)) = (seen.instances.get_mut(&id), tables.get(at)) {
                facts.routes = Fact::Known(Arc::clone(table));
            }
        }
        Some(seen)
    }
}
