//! Statements by their text: thousands of sessions ask the same few questions.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use pgwire::api::portal::Format;
use pgwire::api::results::FieldInfo;
use pgwire::api::stmt::QueryParser;
use pgwire::api::{ClientInfo, Type};
use pgwire::error::{PgWireError, PgWireResult};

use crate::sandbox::sql::{SqlError, Statement, parse, split};

use super::daemon::Daemon;
use super::session::error_info;

/// How many texts are kept; then they are forgotten, all at once.
const KEPT: usize = 256;

/// A statement and its text.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) sql: String,
    pub(super) statement: Statement,
}

/// The statements that were parsed lately.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, Arc<Parsed>>);

impl Known {
    /// One statement, parsed if need be.
    pub(super) fn get(&mut self, sql: &str) -> Result<Arc<Parsed>, SqlError> {
        if let Some(known) = self.0.get(sql) {
            return Ok(Arc::clone(known));
        }
        let parsed = Arc::new(Parsed { sql: sql.to_owned(), statement: parse(sql)? });
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        self.0.insert(sql.to_owned(), Arc::clone(&parsed));
        Ok(parsed)
    }
}

/// Parses for the extended protocol.
pub(super) struct Parser(pub(super) Arc<Daemon>);

#[async_trait]
impl QueryParser for Parser {
    type Statement = Arc<Parsed>;

    async fn parse_sql<C>(&self, _client: &C, sql: &str, _types: &[Option<Type>]) -> PgWireResult<Option<Arc<Parsed>>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        if split(sql).is_empty() {
            return Ok(None);
        }
        let parsed = self.0.parsed.lock().get(sql);
        parsed.map(Some).map_err(|error| PgWireError::UserError(Box::new(error_info(error))))
    }

    fn get_parameter_types(&self, _statement: &Arc<Parsed>) -> PgWireResult<Vec<Type>> {
        // Answered by do_describe_statement, which can ask the world.
        Ok(Vec::new())
    }

    fn get_result_schema(&self, _statement: &Arc<Parsed>, _format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_and_a_wrong_one_is_not_kept() {
        let mut known = Known::default();
        let first = known.get("select 1").unwrap();
        assert!(Arc::ptr_eq(&first, &known.get("select 1").unwrap()));
        assert!(known.get("selec 1").is_err());
        for n in 0..KEPT {
            known.get(&format!("select {n}")).unwrap();
        }
        assert!(known.0.len() <= KEPT);
        assert_eq!(known.get("select 1").unwrap().sql, "select 1");
    }
}
