//! A GTM's role, asked over its own protocol: no login, no command, no shell.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::postgres::seconds;
use crate::model::{Endpoint, Unknown, UnknownKind};
use crate::opentenbase::{self, GtmBytes, GtmStatus, sanitize_bytes_for_display, sanitize_for_display};

/// The most messages that are read before the answer must have come.
const MOST_MESSAGES: usize = 8;

/// Why a GTM's role could not be learned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GtmError {
    #[error("{at} refused the connection")]
    Refused { at: Endpoint },
    #[error("no answer from {at} within {}", seconds(*limit))]
    TimedOut { at: Endpoint, limit: Duration },
    #[error("{at} cannot be reached: {why}")]
    Unreachable { at: Endpoint, why: String },
    #[error("the GTM at {at} answered with an error: {message}")]
    Failed { at: Endpoint, message: String },
    #[error("{at} sent an answer that is not the GTM protocol: {why}")]
    Unreadable { at: Endpoint, why: String },
}

impl GtmError {
    pub fn kind(&self) -> UnknownKind {
        match self {
            Self::Refused { .. } => UnknownKind::Refused,
            Self::TimedOut { .. } => UnknownKind::TimedOut,
            Self::Unreachable { .. } => UnknownKind::Unreachable,
            Self::Failed { .. } => UnknownKind::Failed,
            Self::Unreadable { .. } => UnknownKind::Unreadable,
        }
    }

    pub fn unknown(&self) -> Unknown {
        Unknown { kind: self.kind(), why: self.to_string() }
    }
}

/// Asks the GTM at `at` what it is.
pub async fn ask_gtm(at: &Endpoint, limit: Duration) -> Result<GtmStatus, GtmError> {
    match timeout(limit, talk(at, limit)).await {
        Ok(answer) => answer,
        Err(_) => Err(GtmError::TimedOut { at: at.clone(), limit }),
    }
}

async fn talk(at: &Endpoint, limit: Duration) -> Result<GtmStatus, GtmError> {
    let lost = |error: io::Error| of_io(at, limit, &error);
    let mut stream = TcpStream::connect((at.host.as_str(), at.port)).await.map_err(lost)?;
    stream.write_all(&opentenbase::gtm_startup("otb")).await.map_err(lost)?;
    let their_limit = i32::try_from(limit.as_secs().max(1)).unwrap_or(i32::MAX);
    let mut asked = false;
    for _ in 0..MOST_MESSAGES {
        let (kind, body) = read_message(&mut stream, at, limit).await?;
        match kind {
            b'R' if !asked => {
                asked = true;
                stream.write_all(&opentenbase::gtm_get_status(their_limit)).await.map_err(lost)?;
            }
            b'S' => return opentenbase::read_gtm_status(&body).map_err(|error| unreadable(at, error)),
            b'E' => return Err(GtmError::Failed { at: at.clone(), message: sanitize_bytes_for_display(&body) }),
            _ => {}
        }
    }
    Err(GtmError::Unreadable { at: at.clone(), why: "many messages, but no status".to_owned() })
}

async fn read_message(stream: &mut TcpStream, at: &Endpoint, limit: Duration) -> Result<(u8, Vec<u8>), GtmError> {
    let lost = |error: io::Error| of_io(at, limit, &error);
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.map_err(lost)?;
    let length = opentenbase::gtm_body_length(head).map_err(|error| unreadable(at, error))?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(lost)?;
    Ok((head[0], body))
}

fn unreadable(at: &Endpoint, error: GtmBytes) -> GtmError {
    GtmError::Unreadable { at: at.clone(), why: error.0 }
}

fn of_io(at: &Endpoint, limit: Duration, error: &io::Error) -> GtmError {
    let at = at.clone();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => GtmError::Refused { at },
        io::ErrorKind::TimedOut => GtmError::TimedOut { at, limit },
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            GtmError::Unreachable { at, why: "it closed the connection before answering".to_owned() }
        }
        _ => GtmError::Unreachable { at, why: sanitize_for_display(&error.to_string()) },
    }
}
