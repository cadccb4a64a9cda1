//! Clusters of one server, and listeners that behave in one given way.

use std::time::{Duration, Instant};

use otb::model::{Cluster, Connection, Endpoint, Host, Policy, Server, ServerName, ShellAccess, ShellVia, SslMode};
use otb::transport::Shells;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::closed_port::closed_port;

/// For what does not come.
pub(crate) const SHORT: Duration = Duration::from_millis(400);
/// For what comes, on the busiest machine too.
pub(crate) const LONG: Duration = Duration::from_secs(10);

pub(crate) fn server() -> ServerName {
    ServerName::new("s1").unwrap()
}

/// A cluster without nodes, with one server.
pub(crate) fn cluster(via: ShellVia) -> Cluster {
    let server =
        Server { name: server(), address: Host::new("127.0.0.1").unwrap(), shell: ShellAccess { via, run_as: None } };
    Cluster {
        name: otb::model::ClusterName::new("c").unwrap(),
        connection: connection(SslMode::Disable),
        servers: [(server.name.clone(), server)].into(),
        nodes: std::collections::BTreeMap::new(),
        policy: Policy::default(),
    }
}

pub(crate) fn connection(sslmode: SslMode) -> Connection {
    Connection { user: "otb".to_owned(), database: "postgres".to_owned(), sslmode, sslrootcert: None }
}

pub(crate) fn loopback(port: u16) -> Endpoint {
    Endpoint { host: Host::new("127.0.0.1").unwrap(), port }
}

/// How a listener treats whoever connects.
#[derive(Clone)]
pub(crate) enum Manner {
    /// It accepts and never answers.
    Hangs,
    /// It closes at once.
    Closes,
    /// It answers these bytes and then nothing.
    Says(Vec<u8>),
}

/// Starts a listener; it lives as long as the test's runtime.
pub(crate) async fn listener(manner: Manner) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept: Vec<TcpStream> = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            match &manner {
                Manner::Hangs => kept.push(stream),
                Manner::Closes => drop(stream),
                Manner::Says(bytes) => {
                    let mut question = [0; 512];
                    let _ = stream.read(&mut question).await;
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, bytes).await;
                    kept.push(stream);
                }
            }
        }
    });
    loopback(port)
}

/// Whether the lock that `script` takes comes free: its holder ends by itself once nobody holds its input.
pub(crate) async fn is_free(shells: &Shells, script: &str) -> bool {
    let begun = Instant::now();
    loop {
        let held = shells.hold(&server(), script, LONG).await.unwrap();
        let is_mine = held.first_line() == "mine";
        held.close(LONG).await;
        if is_mine || begun.elapsed() > LONG {
            return is_mine;
        }
    }
}

/// A port on which nobody listens.
pub(crate) fn nobody() -> Endpoint {
    loopback(closed_port("127.0.0.1"))
}

/// One message of the server, with its right length.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], length.to_be_bytes().as_slice(), body].concat()
}

/// AuthenticationOk, server_version, ReadyForQuery.
pub(crate) fn welcome() -> Vec<u8> {
    [message(b'R', &[0; 4]), message(b'S', b"server_version\x0010.0\0"), message(b'Z', b"I")].concat()
}

/// A FATAL error.
pub(crate) fn fatal(sqlstate: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{sqlstate}\0M{text}\0\0").as_bytes())
}
