//! The only room that touches the outside: sockets, processes, the environment and password files.
//! [`Outside`] is the handle to all of it. Every await in here sits inside a time limit of the caller's.

mod deadline;
mod gtm;
mod outside;
mod port;
mod postgres;
mod resolve;
mod secret;
mod shell;

pub use deadline::Deadline;
pub use gtm::{GtmError, ask_gtm};
pub use outside::{Outside, OutsideError};
pub use port::accepts;
pub use postgres::{Passwords, Row, Rows, ServerError, Session, SqlError, Tls, TlsError};
pub use resolve::resolve_here;
pub use secret::Secret;
pub use shell::{Held, HostKeys, Output, ShellError, ShellSettings, Shells};
