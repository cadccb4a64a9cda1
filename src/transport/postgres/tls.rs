//! sslmode, as libpq means it (<https://www.postgresql.org/docs/10/libpq-ssl.html>), by rustls with ring.
//! An sslmode that cannot be honoured is an error. Below TLS 1.2, client certificates and certificates
//! without a subjectAltName are not supported, and fail the login instead of weakening it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::model::{Connection, SslMode};

/// How to encrypt, decided once for all sessions.
#[derive(Clone)]
pub struct Tls {
    pub(super) mode: tokio_postgres::config::SslMode,
    pub(super) connector: MakeRustlsConnect,
    /// `prefer`: a failed handshake is followed by a try without TLS.
    pub(super) may_fall_back: bool,
}

/// Why the wanted sslmode cannot be honoured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("sslmode {mode} needs a root certificate, and {} cannot be read: {source}", file.display())]
    NoRoot { mode: &'static str, file: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("sslmode {mode} needs a root certificate: set sslrootcert (or put one into ~/.postgresql/root.crt)")]
    NoRootNamed { mode: &'static str },
    #[error("{} holds no usable certificate: {why}", file.display())]
    BadRoot { file: PathBuf, why: String },
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl Tls {
    /// Reads the root certificate that `connection.sslmode` needs.
    pub fn new(connection: &Connection) -> Result<Self, TlsError> {
        use tokio_postgres::config::SslMode as Wire;
        let root = root_file(connection);
        let (mode, check) = match connection.sslmode {
            SslMode::Disable => (Wire::Disable, Check::nothing()),
            SslMode::Prefer => (Wire::Prefer, Check::nothing()),
            // "If a root CA file exists, require behaves like verify-ca", says libpq's manual.
            SslMode::Require => match root.filter(|file| file.exists()) {
                Some(file) => (Wire::Require, Check::chain(&file, "require", false)?),
                None => (Wire::Require, Check::nothing()),
            },
            SslMode::VerifyCa => (Wire::Require, Check::named(root, "verify-ca", false)?),
            SslMode::VerifyFull => (Wire::Require, Check::named(root, "verify-full", true)?),
        };
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(check))
            .with_no_client_auth();
        Ok(Self {
            mode,
            connector: MakeRustlsConnect::new(config),
            may_fall_back: connection.sslmode == SslMode::Prefer,
        })
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn root_file(connection: &Connection) -> Option<PathBuf> {
    connection.sslrootcert.as_ref().map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
        Some(Path::new(&home).join(".postgresql/root.crt")).filter(|file| file.exists())
    })
}

/// What is checked of the server's certificate.
#[derive(Debug)]
struct Check {
    /// None: nothing, as sslmode=require without a root certificate has it.
    chain: Option<Arc<WebPkiServerVerifier>>,
    name: bool,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl Check {
    fn nothing() -> Self {
        Self { chain: None, name: false, provider: provider() }
    }

    fn named(root: Option<PathBuf>, mode: &'static str, name: bool) -> Result<Self, TlsError> {
        Self::chain(&root.ok_or(TlsError::NoRootNamed { mode })?, mode, name)
    }

    fn chain(file: &Path, mode: &'static str, name: bool) -> Result<Self, TlsError> {
        let bad = |why: String| TlsError::BadRoot { file: file.to_owned(), why };
        let mut roots = RootCertStore::empty();
        let pem = CertificateDer::pem_file_iter(file).map_err(|source| TlsError::NoRoot {
            mode,
            file: file.to_owned(),
            source,
        })?;
        for certificate in pem {
            roots.add(certificate.map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|e| bad(e.to_string()))?;
        Ok(Self { chain: Some(verifier), name, provider: provider() })
    }
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // rustls looks at the name last, when the chain is already found good (webpki/server_verifier.rs).
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
