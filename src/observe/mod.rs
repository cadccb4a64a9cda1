//! The live cluster as it is: [`observe`] asks every instance at once, by SQL (or the GTM's own protocol) and
//! by the shell of its server, and puts together what each said. A fact that nobody told stays unknown, with
//! what was tried and what came back.
//!
//! Read only: every SQL session says `default_transaction_read_only = on` before its first SELECT, and the
//! scripts write nothing.

mod admission;
mod answer;
mod discover;
mod everything;
mod gtm;
mod in_doubt;
mod limits;
mod merge;
mod missing;
mod postgres;
mod shell;
mod spelling;
mod tables;
mod told;
mod vitals;

pub use answer::routes as read_routes;
pub use discover::{DiscoverError, Way, discover};
pub use everything::{observe, observe_again, observe_soon_after};
pub use limits::Limits;
