//! The only room that touches the outside: sockets, processes, the environment and password files.
//! [`Connections`] is the handle to all of it. Every await in here sits inside a time limit of the caller's.

mod connections;
mod deadline;
mod gtm;
mod port;
mod postgres;
mod resolve;
mod secret;
mod shell;

pub use connections::{Connections, ConnectionsError};
pub use deadline::Deadline;
pub use gtm::{GtmError, ask_gtm};
pub use port::accepts;
pub use postgres::{Passwords, Row, Rows, ServerError, Session, SqlError, Tls, TlsError};
pub use resolve::resolve_here;
pub use secret::Secret;
pub use shell::{Held, HostKeys, Output, ShellError, ShellSettings, Shells};
