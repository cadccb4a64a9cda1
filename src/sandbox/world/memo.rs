//! Answers about pgxc_node that were worked out before. A thousand routers hold the same table: what one of them
//! worked out of its rows alone is what the next one would. Rows are compared by their sharing, so nothing that
//! was changed is ever answered from here.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sandbox::sql::{Query, Relation};

use super::data::Routes;

/// How many answers are kept.
const KEPT: usize = 16;

/// The last answers, newest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Memo(VecDeque<(Routes, Query, Relation)>);

/// What is kept here makes no difference to what a world does.
impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

impl Memo {
    pub(super) fn find(&self, routes: &Routes, query: &Query) -> Option<Relation> {
        let same = |(rows, asked, _): &&(Routes, Query, Relation)| Arc::ptr_eq(rows, routes) && asked == query;
        self.0.iter().find(same).map(|(.., answer)| answer.clone())
    }

    pub(super) fn keep(&mut self, routes: Routes, query: Query, answer: Relation) {
        self.0.truncate(KEPT - 1);
        self.0.push_front((routes, query, answer));
    }
}
