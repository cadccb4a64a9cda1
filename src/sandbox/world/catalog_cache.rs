//! Results that were computed before.
//!
//! Answers about pgxc_node: a thousand routers have the same table, so an answer from the rows of one is the answer of
//! the next. Tables that were never changed are one value; others with equal rows are compared row by row, and most
//! rows are shared. It also keeps which standby streams from which instance.

use std::collections::{BTreeMap, VecDeque};

use crate::sandbox::sql::{Query, Relation};

use super::data::Routes;
use super::instance::DiskId;

/// How many answers are kept.
const KEPT: usize = 16;

#[derive(Debug, Clone, Default)]
pub(super) struct CatalogCache {
    /// The last ones, newest first.
    answers: VecDeque<(Routes, Query, Relation)>,
    /// The standbys that stream from each process; forgotten whenever a process begins or ends.
    pub(super) followers: Option<BTreeMap<DiskId, Vec<DiskId>>>,
}

/// What is kept here makes no difference to what a world does.
impl PartialEq for CatalogCache {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for CatalogCache {}

impl CatalogCache {
    pub(super) fn find(&self, routes: &Routes, query: &Query) -> Option<Relation> {
        let same = |(rows, asked, _): &&(Routes, Query, Relation)| asked == query && rows == routes;
        self.answers.iter().find(same).map(|(.., answer)| answer.clone())
    }

    pub(super) fn keep(&mut self, routes: Routes, query: Query, answer: Relation) {
        self.answers.truncate(KEPT - 1);
        self.answers.push_front((routes, query, answer));
    }
}
