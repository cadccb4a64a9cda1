//! The live cluster as it is: [`observe`] asks every instance in parallel, by SQL (or the GTM's own protocol) and by
//! the shell of its server, and combines the answers. A fact without an answer stays unknown, with what was tried and
//! what came back.
//!
//! Read only: every SQL session says `default_transaction_read_only = on` before its first SELECT, and the
//! scripts write nothing.

mod answer;
mod discover;
mod gtm;
mod in_doubt;
mod limits;
mod merge;
mod missing;
mod observe_all;
mod postgres;
mod replication_access;
mod self_reports;
mod shell;
mod spelling;
mod tables;
mod vitals;

pub use answer::routes as read_routes;
pub use discover::{DiscoverError, Way, discover};
pub use limits::Limits;
pub use observe_all::{observe, observe_again, observe_soon_after};
