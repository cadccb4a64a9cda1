//! Servers that are not what they should be.

#![allow(dead_code, reason = "each test that shares this file uses a part of it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// What a fake does with a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fake {
    /// Accepts and never answers.
    Mute,
    /// Closes at once.
    Closer,
    /// Speaks HTTP.
    Http,
    /// Bytes that mean nothing.
    Garbage,
    /// Announces a message of nearly 2 GiB.
    Huge,
    /// Sends an endless answer, a byte at a time.
    Dripping,
    /// A PostgreSQL that never heard of pgxc.
    Postgres,
    /// An error whose text would take over a terminal.
    Terminal,
}

/// Listens on a free port of `address`, as long as the test process lives.
pub(crate) fn listen(address: &str, fake: Fake) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || fake.serve(stream));
        }
    });
    port
}

impl Fake {
    /// A broken pipe is the other side's good right.
    fn serve(self, mut stream: TcpStream) {
        let _ = match self {
            Self::Mute => {
                sleep();
                Ok(())
            }
            Self::Closer => Ok(()),
            Self::Http => http(&mut stream),
            Self::Garbage => stream.write_all(&[0xff; 4096]).map(|()| sleep()),
            Self::Huge => stream.write_all(&[b'R', 0x7f, 0xff, 0xff, 0xf0, 0, 0]).map(|()| sleep()),
            Self::Dripping => drip(&mut stream),
            Self::Postgres => postgres(&mut stream),
            Self::Terminal => terminal(&mut stream),
        };
    }
}

/// Longer than any test waits.
fn sleep() {
    std::thread::sleep(Duration::from_secs(120));
}

fn http(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut some = [0; 4096];
    let _ = stream.read(&mut some)?;
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
}

fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(&[b'N', 0, 0, 0x40, 0])?;
    loop {
        stream.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn terminal(stream: &mut TcpStream) -> std::io::Result<()> {
    startup(stream)?;
    stream.write_all(&error("28P01", "no \u{1b}[2J\u{1b}]0;owned\u{7} entry\nerror: all is well"))
}

fn postgres(stream: &mut TcpStream) -> std::io::Result<()> {
    startup(stream)?;
    stream.write_all(&message(b'R', &0i32.to_be_bytes()))?;
    stream.write_all(&message(b'S', b"server_version\x0016.3\0"))?;
    stream.write_all(&message(b'Z', b"I"))?;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4;
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        if head[0] == b'X' {
            return Ok(());
        }
        let sql = String::from_utf8_lossy(&body).to_lowercase();
        let unknown = if sql.contains("pgxc_node_name") { "parameter \"pgxc_node_name\"" } else { "\"pgxc_node\"" };
        stream.write_all(&error("42704", &format!("unrecognized {unknown}")))?;
        stream.write_all(&message(b'Z', b"I"))?;
    }
}

/// Reads the start-up packet, and says no to TLS before it.
fn startup(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        stream.read_exact(&mut body)?;
        if body[..2] == [0, 3] {
            return Ok(());
        }
        stream.write_all(b"N")?;
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, body].concat()
}

fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0M{text}\0\0").as_bytes())
}
