//! A client's connection on which the answers to questions that came together leave together: a pipeline of
//! statements then costs one packet and not one for each.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// From here on a client that does not read holds up its own answers.
const MOST_UNSENT: usize = 64 * 1024;

/// The stream, and what is written to it and not sent yet. Its owner calls [`Wire::send`] whenever there is nothing
/// more to do for now: a flush alone sends nothing.
#[derive(Clone)]
pub(super) struct Wire {
    stream: Arc<TcpStream>,
    unsent: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream: Arc::new(stream), unsent: Arc::default() })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Runs `talk` on this wire to its end. Whenever it waits, for whatever it is, the client has been sent all there
    /// is so far.
    pub(super) async fn carry(&self, talk: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let mut talk = std::pin::pin!(talk);
        let talked = std::future::poll_fn(|cx| match (talk.as_mut().poll(cx), self.send(cx)) {
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (talked, _) => talked,
        });
        let talked = talked.await;
        std::future::poll_fn(|cx| self.send(cx)).await?;
        talked
    }

    /// Sends `words` if that can be done at once: a client that does not read loses them.
    pub(super) fn last_words(&self, words: &[u8]) {
        let mut unsent = self.unsent.lock();
        unsent.extend_from_slice(words);
        let _ = self.stream.try_write(&unsent);
    }

    fn send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut unsent = self.unsent.lock();
        while !unsent.is_empty() {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(&unsent) {
                Ok(sent) => drop(unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unsent.lock().len() >= MOST_UNSENT {
            ready!(self.send(cx))?;
        }
        self.unsent.lock().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::new(listener.accept().await.unwrap().0).unwrap(), client)
    }

    #[tokio::test]
    async fn what_was_answered_is_there_while_the_next_question_waits() {
        let (wire, mut client) = pair().await;
        let mut server = wire.clone();
        let talk = async move {
            server.write_all(b"one").await?;
            server.flush().await?;
            assert!(server.unsent.lock().len() == 3, "a flush alone sends nothing");
            std::future::pending().await
        };
        let mut answer = [0; 3];
        tokio::select! {
            _ = wire.carry(talk) => unreachable!("it waits for ever"),
            read = timeout(LONG, client.read_exact(&mut answer)) => assert_eq!(read.unwrap().unwrap(), 3),
        }
        assert_eq!(&answer, b"one");
    }

    #[tokio::test]
    async fn all_is_sent_before_the_end_though_the_client_reads_late() {
        const LENGTH: usize = 16 * 1024 * 1024;
        let (wire, mut client) = pair().await;
        let mut server = wire.clone();
        let most = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&most);
        let talk = async move {
            for _ in 0..LENGTH / 1024 {
                server.write_all(&[7; 1024]).await?;
                let mut seen = seen.lock();
                *seen = server.unsent.lock().len().max(*seen);
            }
            Ok(())
        };
        let carried = tokio::spawn(async move { wire.carry(talk).await });
        sleep(Duration::from_millis(50)).await;
        let mut all = Vec::new();
        timeout(LONG, client.read_to_end(&mut all)).await.unwrap().unwrap();
        carried.await.unwrap().unwrap();
        assert_eq!(all.len(), LENGTH);
        assert!(*most.lock() <= MOST_UNSENT + 1024, "{} bytes waited", most.lock());
    }
}
