//! `otb`: declarative master placement for OpenTenBase clusters.
//!
//! Data walks one way: file → [`config`] → [`model`] ← [`observe`] ← cluster;
//! [`model`] → [`plan`] → [`view`]; [`plan`] → [`apply`].
//! [`codes`], [`model`], [`config`] (but its reader), [`diagnosis`], [`opentenbase`], [`import`], [`plan`], [`drift`] and [`sandbox`]'s world are pure:
//! no clock, environment, file, process, socket or printing. The outside is touched in [`transport`].

#[expect(clippy::disallowed_methods, reason = "measures how long steps take")]
pub mod apply;
#[expect(clippy::disallowed_methods, reason = "reads plans, the clock and the operator's name; counts interrupts")]
pub mod cli;
pub mod codes;
pub mod config;
pub mod diagnosis;
pub mod drift;
pub mod import;
pub mod model;
#[expect(clippy::disallowed_methods, reason = "holds the servers' clocks against this machine's")]
pub mod observe;
pub mod opentenbase;
pub mod plan;
pub mod rehearsal;
pub mod sandbox;
#[expect(clippy::disallowed_methods, reason = "this room is the way to the outside")]
pub mod transport;
pub mod view;
