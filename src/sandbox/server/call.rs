//! A tool's call: its fields come in at once, what it prints goes out as it comes.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::daemon::Daemon;
use crate::sandbox::tools::{self, ToolOutput};

/// The longest call that is read, in bytes: more than a process can be given.
const MOST_BYTES: usize = 8 << 20;

/// The request of the relay: its fields, each ended by a NUL, after a line with their length.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    name: String,
    cwd: String,
    pgdata: Option<String>,
    args: Vec<String>,
}

impl Call {
    /// A request of this length.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), bytes: usize) -> io::Result<Self> {
        if bytes > MOST_BYTES {
            return Err(io::Error::other("a call that is too long"));
        }
        let mut call = vec![0; bytes];
        from.read_exact(&mut call).await?;
        Self::of(&call).ok_or_else(|| io::Error::other("a call without a name and a directory"))
    }

    fn of(call: &[u8]) -> Option<Self> {
        let mut fields = call.split_inclusive(|byte| *byte == 0).map(|field| {
            let field = field.strip_suffix(b"\0").unwrap_or(field);
            String::from_utf8_lossy(field).into_owned()
        });
        let (name, cwd, pgdata) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { name, cwd, pgdata: Some(pgdata).filter(|data| !data.is_empty()), args: fields.collect() })
    }

    /// Runs the tool; it stops waiting when its caller is gone, and what it did stays done.
    pub(super) async fn answer(self, daemon: &Arc<Daemon>, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let Self { name, cwd, pgdata, args } = self;
        let (said, mut queue) = mpsc::unbounded_channel();
        let console = tools::Console::new(said, cwd.into(), pgdata.map(Into::into));
        // The queue ends with the console, which ends with the tool.
        let running = async move { io::Result::Ok(tools::run(daemon, &name, &args, &console).await) };
        let telling = async {
            while let Some(said) = queue.recv().await {
                to.write_all(&part(&said)).await?;
            }
            Ok(())
        };
        let (code, ()) = tokio::try_join!(running, telling)?;
        to.write_all(format!("exit {code}\n").as_bytes()).await
    }
}

fn part(said: &ToolOutput) -> Vec<u8> {
    let (kind, text) = match said {
        ToolOutput::Out(text) => ("out", text),
        ToolOutput::Err(text) => ("err", text),
    };
    format!("{kind} {}\n{text}", text.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::relay::{hear, written};

    #[tokio::test]
    async fn what_the_relay_says_is_read() {
        let fields: [&[u8]; 6] = [b"pg_ctl", b"/tmp", b"", b"-D", b"/data/\xFF a\nb", b""];
        let sent = written(fields);
        let (length, mut rest) = sent.split_at(sent.iter().position(|byte| *byte == b'\n').unwrap() + 1);
        let length: usize = std::str::from_utf8(length).unwrap().trim().parse().unwrap();
        let call = Call::read(&mut rest, length).await.unwrap();
        let args = ["-D", "/data/\u{FFFD} a\nb", ""].map(str::to_owned).to_vec();
        assert_eq!(call, Call { name: "pg_ctl".to_owned(), cwd: "/tmp".to_owned(), pgdata: None, args });
        assert!(Call::read(&mut &b"pg_ctl\0"[..], 7).await.is_err(), "it has no directory");
        assert!(Call::read(&mut &b"pg_ctl\0"[..], 8).await.is_err(), "it was cut off");
        assert!(Call::read(&mut &b""[..], MOST_BYTES + 1).await.is_err());
    }

    #[test]
    fn what_the_relay_hears_is_what_was_said() {
        let said = [
            ToolOutput::Out("a\nexit 3\n".to_owned()),
            ToolOutput::Err("数据".to_owned()),
            ToolOutput::Out(String::new()),
        ];
        let mut sent: Vec<u8> = said.iter().flat_map(part).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(hear(&sent[..], &mut out, &mut err).unwrap_err().to_string(), "it ended");
        sent.extend(b"exit 7\n");
        (out, err) = (Vec::new(), Vec::new());
        assert_eq!(hear(&sent[..], &mut out, &mut err).unwrap(), 7);
        assert_eq!((out, err), (b"a\nexit 3\n".to_vec(), "数据".as_bytes().to_vec()));
        assert!(hear(&b"what\n"[..], &mut Vec::new(), &mut Vec::new()).is_err());
    }
}
