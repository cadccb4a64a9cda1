//! An embedded OpenTenBase cluster on loopback, for trying, rehearsing and testing.
//!
//! [`world`] is the simulated cluster, pure; [`sql`] is the SQL it understands, pure; `server` is the
//! background process that serves a world over real sockets, files and commands. otb reaches it exactly
//! as it reaches a real cluster. Start with [`up`].

pub mod args;
mod called;
mod fault;
mod flavor;
#[expect(clippy::disallowed_methods, reason = "serves the world over real files, sockets and processes")]
mod lifecycle;
mod like;
mod moment;
#[expect(clippy::disallowed_methods, reason = "serves the world over real files, sockets and processes")]
mod relay;
#[expect(clippy::disallowed_methods, reason = "serves the world over real files, sockets and processes")]
mod server;
#[expect(clippy::disallowed_methods, reason = "serves the world over real files, sockets and processes")]
mod site;
mod socket;
pub mod sql;
mod status;
#[expect(clippy::disallowed_methods, reason = "serves the world over real files, sockets and processes")]
mod tools;
mod topology;
pub mod world;

pub use called::as_tool;
pub use flavor::Flavor;
pub use lifecycle::{SandboxError, down, fault, serve, status, up};
pub use moment::Moment;
pub use site::Site;
pub use status::{InstanceStatus, Status};
