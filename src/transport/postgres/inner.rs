//! A login as one coordinator's to another: v5 then sends messages of a type that only OpenTenBase knows.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// v5's number of the command that an answer belongs to (src/backend/tcop/dest.c): it has one byte, and means nothing
/// to a client that sends one statement after the other.
const COMMAND_NUMBER: u8 = b'9';

/// A message's type and length.
const HEADER: usize = 5;

/// A stream of the server's messages, less those of v5's own type.
pub(super) struct Filtered<S> {
    inner: S,
    at: At,
    header: Vec<u8>,
    /// What is passed on and was not read yet.
    passed: Vec<u8>,
}

/// The position of the stream in the server's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The one byte that answers whether TLS is spoken.
    TlsAnswer,
    /// Inside TLS the messages cannot be separated.
    Opaque,
    Header,
    /// So much of a message is still to come, and is passed on or not.
    Body {
        left: usize,
        passes: bool,
    },
}

impl<S> Filtered<S> {
    /// `asks_for_tls`: the client begins with the question for TLS.
    pub(super) fn new(inner: S, asks_for_tls: bool) -> Self {
        Self {
            inner,
            at: if asks_for_tls { At::TlsAnswer } else { At::Header },
            header: Vec::new(),
            passed: Vec::new(),
        }
    }

    /// Passes on what of `bytes` is for the client.
    fn pass(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some(&first) = bytes.first() {
            match self.at {
                At::TlsAnswer => {
                    out.push(first);
                    self.at = if first == b'S' { At::Opaque } else { At::Header };
                    bytes = &bytes[1..];
                }
                At::Opaque => {
                    out.extend_from_slice(bytes);
                    return;
                }
                At::Header => {
                    let take = (HEADER - self.header.len()).min(bytes.len());
                    self.header.extend_from_slice(&bytes[..take]);
                    bytes = &bytes[take..];
                    if let [kind, length @ ..] = self.header.as_slice()
                        && let Ok(length) = <[u8; 4]>::try_from(length)
                    {
                        // The length counts itself.
                        let left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).saturating_sub(4);
                        let passes = *kind != COMMAND_NUMBER;
                        if passes {
                            out.extend_from_slice(&self.header);
                        }
                        self.header.clear();
                        self.at = if left == 0 { At::Header } else { At::Body { left, passes } };
                    }
                }
                At::Body { left, passes } => {
                    let take = left.min(bytes.len());
                    if passes {
                        out.extend_from_slice(&bytes[..take]);
                    }
                    bytes = &bytes[take..];
                    self.at = if take == left { At::Header } else { At::Body { left: left - take, passes } };
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Filtered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.passed.is_empty() {
            let mut read = [0; 8192];
            let mut part = ReadBuf::new(&mut read);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            // If nothing is passed on, more must be read: an empty read would mean the end.
            let mut passed = std::mem::take(&mut this.passed);
            this.pass(part.filled(), &mut passed);
            this.passed = passed;
        }
        let take = this.passed.len().min(buf.remaining());
        buf.put_slice(&this.passed[..take]);
        this.passed.drain(..take);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Filtered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    /// What is passed of `bytes`, however they are cut.
    fn passed(bytes: &[u8], asks_for_tls: bool) -> Vec<u8> {
        let mut all = Vec::new();
        for size in 1..=bytes.len() {
            let mut filter = Filtered::new((), asks_for_tls);
            let mut out = Vec::new();
            bytes.chunks(size).for_each(|chunk| filter.pass(chunk, &mut out));
            all.push(out);
        }
        all.dedup();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn only_messages_of_that_type_are_left_out() {
        let (ready, own, end) = (message(b'Z', b"I"), message(b'9', &[7]), message(b'S', b""));
        let bytes = [own.as_slice(), &ready, &own, &own, &end, &ready].concat();
        assert_eq!(passed(&bytes, false), [ready.as_slice(), &end, &ready].concat());
    }

    #[tokio::test]
    async fn a_reader_with_little_room_gets_all() {
        let (own, ready) = (message(b'9', &[7]), message(b'Z', b"I"));
        let bytes = [own.as_slice(), &ready, &own, &ready].concat();
        let mut filter = Filtered::new(bytes.as_slice(), false);
        let mut all = Vec::new();
        let mut one = [0];
        while tokio::io::AsyncReadExt::read(&mut filter, &mut one).await.unwrap() == 1 {
            all.extend(one);
        }
        assert_eq!(all, [ready.as_slice(), &ready].concat());
    }

    #[test]
    fn the_answer_about_tls_has_no_length() {
        let (own, ready) = (message(b'9', &[7]), message(b'Z', b"I"));
        assert_eq!(passed(&[b"N".as_slice(), &own, &ready].concat(), true), [b"N".as_slice(), &ready].concat());
        let opaque = [b"S9999".as_slice(), &own].concat();
        assert_eq!(passed(&opaque, true), opaque);
    }
}
