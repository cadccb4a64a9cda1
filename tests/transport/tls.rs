//! Each sslmode against a server that speaks TLS with a certificate of our own making, or does not.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use otb::model::{Connection, Endpoint, Host, NodeKind, SslMode};
use otb::transport::{Passwords, Session, SqlError, Tls, TlsError};

use crate::common::{LONG, connection, welcome};

struct Server {
    port: u16,
    certificate: tempfile::NamedTempFile,
}

/// Serves logins for `name`, with TLS or (answering `N`) without.
fn serve(name: &str, tls: bool) -> Server {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(certificate.path(), made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || greet(stream, tls.then_some(config)));
        }
    });
    Server { port, certificate }
}

fn greet(mut stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>) -> std::io::Result<()> {
    let mut first = [0; 8];
    stream.read_exact(&mut first)?;
    let mut rest = [0; 1024];
    // 80877103 asks for TLS; anything else is a startup message already.
    if first[4..] == [0x04, 0xd2, 0x16, 0x2f] {
        match tls {
            Some(config) => {
                stream.write_all(b"S")?;
                let mut session = rustls::ServerConnection::new(config).unwrap();
                let mut stream = rustls::Stream::new(&mut session, &mut stream);
                let _ = stream.read(&mut rest)?;
                stream.write_all(&welcome())?;
                let _ = stream.read(&mut rest);
                return Ok(());
            }
            None => stream.write_all(b"N")?,
        }
    }
    let _ = stream.read(&mut rest)?;
    stream.write_all(&welcome())?;
    let _ = stream.read(&mut rest);
    Ok(())
}

async fn login(server: &Server, sslmode: SslMode, trusted: Option<&Server>) -> Result<(), SqlError> {
    let sslrootcert = trusted.map(|server| server.certificate.path().to_str().unwrap().to_owned());
    let connection = Connection { sslrootcert, ..connection(sslmode) };
    let tls = Tls::new(&connection).unwrap();
    let at = Endpoint { host: Host::new("127.0.0.1").unwrap(), port: server.port };
    Session::open(&connection, &Passwords::default(), &tls, &at, NodeKind::Gtm, LONG).await.map(drop)
}

#[tokio::test]
async fn a_server_without_tls() {
    let server = serve("127.0.0.1", false);
    login(&server, SslMode::Disable, None).await.unwrap();
    login(&server, SslMode::Prefer, None).await.unwrap();
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let error = login(&server, mode, Some(&server)).await.unwrap_err();
        assert!(error.to_string().contains("does not support TLS"), "{error}");
    }
}

#[tokio::test]
async fn a_server_with_the_right_certificate() {
    let server = serve("127.0.0.1", true);
    for (mode, trusted) in [
        (SslMode::Disable, None),
        (SslMode::Prefer, None),
        (SslMode::Require, None),
        (SslMode::Require, Some(&server)),
        (SslMode::VerifyCa, Some(&server)),
        (SslMode::VerifyFull, Some(&server)),
    ] {
        login(&server, mode, trusted).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_passes_verify_ca_only() {
    let server = serve("elsewhere.example", true);
    login(&server, SslMode::VerifyCa, Some(&server)).await.unwrap();
    let error = login(&server, SslMode::VerifyFull, Some(&server)).await.unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_somebody_else_passes_no_check() {
    let (server, other) = (serve("127.0.0.1", true), serve("127.0.0.1", true));
    login(&server, SslMode::Require, None).await.unwrap();
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let error = login(&server, mode, Some(&other)).await.unwrap_err();
        assert!(error.to_string().contains("TLS"), "{error}");
    }
}

#[test]
fn a_mode_that_cannot_be_honoured_is_an_error() {
    let with =
        |root: Option<&str>| Connection { sslrootcert: root.map(str::to_owned), ..connection(SslMode::VerifyFull) };
    assert!(matches!(Tls::new(&with(Some("/nonexistent/root.crt"))), Err(TlsError::NoRoot { .. })));
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(Tls::new(&with(empty.path().to_str())), Err(TlsError::BadRoot { .. })));
}
