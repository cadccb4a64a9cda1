//! The output of a script, limited.

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::opentenbase::{Answer, MOST_DISPLAYED};

/// The most bytes kept of each stream.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// How much of the end is kept as well, for the trailer.
const TAIL_BYTES: usize = 256;

/// A script that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit status.
    pub status: i32,
    /// Its output and its errors, in the order in which they came: at most one MiB; bytes that are not UTF-8 are
    /// replaced. Untrusted: see `opentenbase::sanitize_for_display`.
    pub text: String,
    /// Something of the text was left out.
    pub truncated: bool,
}

impl Output {
    pub fn is_success(&self) -> bool {
        self.status == 0
    }

    /// Its last words, for people: for a script that failed, they say why.
    pub fn said(&self) -> &str {
        let said = self.text.trim();
        let from = said.len().saturating_sub(MOST_DISPLAYED);
        let end = (from..said.len()).find_map(|at| said.get(at..)).unwrap_or_default();
        match end.split_once('\n') {
            _ if said.is_empty() => "nothing",
            // Whole lines, where there are any.
            Some((_, lines)) if from > 0 => lines,
            _ => end,
        }
    }
}

impl From<Answer> for Output {
    fn from(Answer { status, text, truncated }: Answer) -> Self {
        Self { status, text, truncated }
    }
}

/// One stream as read: its beginning, and its end if that is further on.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) head: Vec<u8>,
    tail: Vec<u8>,
    pub(super) truncated: bool,
}

impl Stream {
    /// Reads to the end, so that the writer is never blocked, and keeps what fits. A stream that breaks off
    /// ends there.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut stream = Self::default();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            stream.take(&buffer[..count]);
        }
        stream
    }

    /// Reads to the end and keeps nothing.
    pub(super) async fn drain(from: &mut (impl AsyncRead + Unpin)) {
        let _ = tokio::io::copy(from, &mut tokio::io::sink()).await;
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = MOST_BYTES - self.head.len();
        let (fits, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend(fits);
        if !rest.is_empty() {
            self.truncated = true;
            self.tail.extend(rest);
            let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..surplus);
        }
    }

    /// The last bytes, wherever they are.
    pub(super) fn end(&self) -> Vec<u8> {
        let from = self.head.len().saturating_sub(TAIL_BYTES);
        [&self.head[from..], &self.tail].concat()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_is_what_people_see() {
        let said = |text: &str| Output { status: 1, text: text.to_owned(), truncated: false }.said().to_owned();
        assert_eq!(said(" \n"), "nothing");
        assert_eq!(said("one\ntwo\n"), "one\ntwo");
        let last = "mv: cannot move: no space is left";
        assert_eq!(
            said(&format!("{}\n{}\n{last}\n", "a".repeat(300), "b".repeat(300))),
            format!("{}\n{last}", "b".repeat(300))
        );
        assert_eq!(said(&"数".repeat(200)), "数".repeat(133), "whole letters");
    }

    #[tokio::test]
    async fn long_streams_keep_their_beginning_and_their_end() {
        let mut long = vec![b'x'; MOST_BYTES + 5000];
        long.extend(b"the end");
        let stream = Stream::read(&mut long.as_slice()).await;
        assert_eq!((stream.head.len(), stream.truncated), (MOST_BYTES, true));
        assert!(stream.end().ends_with(b"the end"));
        let short = Stream::read(&mut &b"abc"[..]).await;
        assert_eq!((short.text().as_str(), short.truncated, short.end().as_slice()), ("abc", false, &b"abc"[..]));
    }
}
