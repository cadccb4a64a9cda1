//! Ports that refuse connections.

use std::os::fd::IntoRawFd as _;

/// A port of `address` on which nothing listens, nor will as long as the test process lives.
pub(crate) fn closed_port(address: &str) -> u16 {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let _kept_open = socket.into_raw_fd();
    port
}
