//! A simulated OpenTenBase v2.6 cluster: pure. Time and file contents come in as arguments, effects go
//! out as values, so that a search over all interleavings can drive it without sockets.
//!
//! [`World`] holds servers, copies of nodes ([`Postgres`], [`Gtm`]) and sessions. Its behaviour was
//! seen on live clusters (docs/explanation/opentenbase-v2.6-live.md); tests/conformance holds it.

mod answer;
mod catalog_cache;
mod cluster;
mod data;
mod dml;
mod effect;
mod eval_context;
mod faults;
mod files;
mod forward;
mod functions;
mod gtm;
mod gtm_log;
mod image;
mod image_copy;
mod in_doubt;
mod instance;
mod lifecycle;
mod locks;
mod net;
mod nodes;
mod pooler;
mod promote;
mod rows;
mod run;
mod session;
mod settings;
mod shapes;
mod stream;
mod sync;
mod transaction;
mod views;
mod wal;
mod wal_file;

pub use answer::{Answer, GaveUp, Outcome, Ran, Wait};
pub use cluster::World;
pub use data::{Change, Data, Prepared, RouteRow, Table};
pub use effect::{Effect, Ending};
pub use files::{Files, Recovery};
pub use gtm::{Gtm, GtmConf, GtmProcess, GtmRole};
pub use gtm_log::GtmLog;
pub use image::{Assumed, Image, Life, flavor_of, image};
pub use in_doubt::Elsewhere;
pub use instance::{Control, DiskId, FaultMode, Home, Mode, Pooler, Postgres, Process, Receiver, Standby, Upstream};
pub use lifecycle::{StartFailure, StartFiles};
pub use net::Reach;
pub use promote::Promotion;
pub use session::{Activity, Login, Replication, Session, SessionId, Transaction};
pub use settings::default_setting;
pub use settings::millis;
pub use wal::{Body, CannotFollow, Record, SEGMENT, Wal};
pub use wal_file::{MARK_BYTES, WalFile};

#[cfg(test)]
mod tests;
