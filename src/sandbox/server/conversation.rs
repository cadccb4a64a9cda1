//! One client's messages to a PostgreSQL process, from the first to the last.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pgwire::api::cancel::DefaultCancelHandler;
use pgwire::api::{ClientInfo as _, DefaultClient, NoopHandler, PgWireConnectionState};
use pgwire::messages::response::{GssEncResponse, SslResponse};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage, SslNegotiationMetaMessage};
use pgwire::tokio::server::{PgWireMessageServerCodec, process_error, process_message};
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::Framed;

use super::parsed::Parsed;
use super::postgres::Backend;
use super::wire::Wire;

/// How long a client may take to log in (authentication_timeout).
const LOGIN: Duration = Duration::from_secs(60);

/// The first byte of a TLS handshake: the server has no TLS.
const HANDSHAKE: u8 = 0x16;

type Socket = Framed<Wire, PgWireMessageServerCodec<Arc<Parsed>>>;

/// Answers until the client leaves or learns that its session is over.
pub(super) async fn converse(wire: Wire, backend: Arc<Backend>) -> io::Result<()> {
    let until = Instant::now() + LOGIN;
    let mut first = [0];
    match timeout_at(until, wire.stream().peek(&mut first)).await {
        Ok(Ok(1)) if first != [HANDSHAKE] => {}
        _ => return Ok(()),
    }
    let client = DefaultClient::new(wire.stream().peer_addr()?, false);
    let mut socket = Framed::new(wire, PgWireMessageServerCodec::new(client));
    loop {
        let message = match socket.state() {
            PgWireConnectionState::AwaitingSslRequest
            | PgWireConnectionState::AwaitingStartup
            | PgWireConnectionState::AuthenticationInProgress => timeout_at(until, socket.next()).await.ok().flatten(),
            _ => socket.next().await,
        };
        let Some(Ok(message)) = message else { return Ok(()) };
        if !answer(message, &mut socket, &backend).await? {
            return Ok(());
        }
    }
}

/// Whether the session goes on.
async fn answer(message: PgWireFrontendMessage, socket: &mut Socket, backend: &Arc<Backend>) -> io::Result<bool> {
    match message {
        PgWireFrontendMessage::SslNegotiation(asked) => negotiate(asked, socket).await.map(|()| true),
        PgWireFrontendMessage::Terminate(_) => Ok(false),
        message => process(message, socket, backend).await,
    }
}

async fn negotiate(asked: SslNegotiationMetaMessage, socket: &mut Socket) -> io::Result<()> {
    match asked {
        SslNegotiationMetaMessage::PostgresSsl(_) => {
            socket.send(PgWireBackendMessage::SslResponse(SslResponse::Refuse)).await
        }
        SslNegotiationMetaMessage::PostgresGss(_) => {
            socket.send(PgWireBackendMessage::GssEncResponse(GssEncResponse::Refuse)).await
        }
        // It asks for neither; its startup message is still to be read.
        SslNegotiationMetaMessage::None => {
            socket.set_state(PgWireConnectionState::AwaitingStartup);
            Ok(())
        }
    }
}

async fn process(message: PgWireFrontendMessage, socket: &mut Socket, backend: &Arc<Backend>) -> io::Result<bool> {
    let extended = message.is_extended_query();
    let cancel = matches!(message, PgWireFrontendMessage::CancelRequest(_));
    let handler = || Arc::clone(backend);
    let cancels = Arc::new(DefaultCancelHandler::new(Arc::clone(&backend.cancels)));
    // No statement of the sandbox copies.
    let copies = Arc::new(NoopHandler);
    let Err(error) = process_message(message, socket, handler(), handler(), handler(), copies, cancels).await else {
        return Ok(!cancel);
    };
    let fatal = error.is_fatal();
    process_error(socket, error, extended).await?;
    Ok(!fatal)
}
