//! Whether a process listens on a port.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::model::Endpoint;

/// Whether a connection to `at` is accepted within `limit`. Nothing is sent, and nothing is waited for.
pub async fn accepts(at: &Endpoint, limit: Duration) -> bool {
    matches!(timeout(limit, TcpStream::connect((at.host.as_str(), at.port))).await, Ok(Ok(_)))
}
