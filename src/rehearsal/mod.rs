//! A plan's worst day: the plan runs under the real [`crate::apply::Ledger`] on a simulated cluster in the image of an
//! observation, with each single fault at each moment. Pure: the same input gives the same bytes.
//!
//! [`Lab`] is the simulated cluster with the files beside it, [`Run`] one run of a plan on it, [`Fault`] what goes wrong.
//! The exhaustive search (tests/search) drives the same three.

mod act;
mod as_seen;
mod condition;
mod course;
mod fault;
mod invariant;
mod key;
mod kinds;
mod lab;
mod reduce;
mod rehearse;
mod run;
mod seen;
mod story;
mod trial;

pub use act::{Inside, Mishap};
pub use course::exit_of;
pub use fault::Fault;
pub use invariant::{Breach, BreachKind};
pub use lab::{Lab, QUICK, SLOW};
pub use rehearse::{CannotRehearse, Rehearse, bad_nodes, rehearse, rehearse_on};
pub use run::Run;
pub use seen::observe;
