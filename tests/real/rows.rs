//! Rows that clients saw committed, while masters move.

use crate::cluster::Real;

pub(crate) fn none_is_lost(_real: &Real) {}
