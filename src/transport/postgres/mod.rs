//! PostgreSQL protocol: one [`Session`] to one process, with a deadline on every await.

mod error;
mod inner;
mod password;
mod rows;
mod session;
mod tls;

pub(in crate::transport) use error::seconds;
pub use error::{ServerError, SqlError};
pub use password::Passwords;
pub use rows::{Row, Rows};
pub use session::Session;
pub use tls::{Tls, TlsError};
