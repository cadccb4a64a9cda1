//! The network between a client and a server: what the client sends is on its way for the latency; what travels
//! together arrives together.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// A client's connection as its server gets it, a round trip of `latency` away. To connect costs one, too.
pub(super) async fn far_away(client: TcpStream, latency: Duration) -> io::Result<TcpStream> {
    if latency.is_zero() {
        return Ok(client);
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    loop {
        let (server, peer) = listener.accept().await?;
        // Somebody else may have found the port meanwhile.
        if peer == near.local_addr()? {
            tokio::spawn(relay(client, near, latency));
            return Ok(server);
        }
    }
}

/// Until the server's side ends. The client's end is passed on when what it has sent has arrived.
async fn relay(client: TcpStream, server: TcpStream, latency: Duration) {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        // A client that is gone gets nothing.
        _ = copy(&mut from_server, &mut to_client) => {}
        () = async {
            let _ = questions(from_client, to_server, latency).await;
            std::future::pending::<()>().await;
        } => {}
    }
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, latency: Duration) -> io::Result<()> {
    let (sent, mut on_its_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let deliver = async move {
        while let Some((arrives, bytes)) = on_its_way.recv().await {
            sleep_until(arrives).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    let send = async move {
        sleep(latency).await;
        let mut buffer = vec![0; 8192];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 || sent.send((Instant::now() + latency, buffer[..length].to_vec())).is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let (sent, delivered) = tokio::join!(send, deliver);
    sent.and(delivered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_together_waits_together() {
        let latency = Duration::from_millis(40);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let begun = Instant::now();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut server = far_away(listener.accept().await.unwrap().0, latency).await.unwrap();
        client.write_all(b"a").await.unwrap();
        client.write_all(b"b").await.unwrap();
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        let took = begun.elapsed();
        assert_eq!(all, b"ab");
        assert!(took >= 2 * latency, "one to connect, one to ask: {took:?}");
        server.write_all(b"c").await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "c");
    }
}
