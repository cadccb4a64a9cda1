//! Answers about pgxc_node that were worked out before. A thousand routers hold the same table: what one of them
//! worked out of its rows alone is what the next one would. Tables that were never changed are one; others, which
//! came to have the same rows again, are compared row by row, of which most are still shared.

use std::collections::VecDeque;

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
        let same = |(rows, asked, _): &&(Routes, Query, Relation)| asked == query && rows == routes;
        self.0.iter().find(same).map(|(.., answer)| answer.clone())
    }

    pub(super) fn keep(&mut self, routes: Routes, query: Query, answer: Relation) {
        self.0.truncate(KEPT - 1);
        self.0.push_front((routes, query, answer));
    }
}
