//! The TCP ports on which processes of a server listen, from /proc. Reading them connects to nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Command;
use crate::model::Listener;

/// Prints `ADDRESS:PORT`, as the kernel writes them, of each listening socket (state 0A). A server without IPv6 has no
/// tcp6.
pub(super) const LISTENING: &str =
    "sed -n 's/^ *[0-9]*: \\([0-9A-F]*:[0-9A-F]*\\) [0-9A-F]*:[0-9A-F]* 0A .*/\\1/p' /proc/net/tcp /proc/net/tcp6";

/// Prints them in a script of its own.
pub fn listening() -> Command {
    Command::new(format!("{{ {LISTENING} 2>/dev/null || true; }}"))
}

/// Reads what the command of `listening` printed. `None` means that nothing could be read: some process listens on every server.
pub fn read_listeners(text: &str) -> Option<Vec<Listener>> {
    let read: Vec<Listener> = text.lines().filter_map(listener).collect();
    (!read.is_empty()).then_some(read)
}

/// `1D00007F:7531`: the address as numbers of 32 bits, each in the machine's byte order, which is that of x86 and of ARM.
fn listener(line: &str) -> Option<Listener> {
    let (address, port) = line.trim().split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_le_bytes);
    let address: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some(Listener { address: (!address.is_unspecified()).then_some(address), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_addresses() {
        let text = "1D00007F:7531\n00000000:0016\n00000000000000000000000000000000:0016\n\
                    00000000000000000000000001000000:1A0D\n0000000000000000FFFF00001D00007F:7532\nnonsense\n1D:1\n";
        let read: Vec<String> = read_listeners(text)
            .unwrap()
            .iter()
            .map(|one| format!("{}:{}", one.address.map_or_else(|| "*".to_owned(), |at| at.to_string()), one.port))
            .collect();
        assert_eq!(read, ["127.0.0.29:30001", "*:22", "*:22", "::1:6669", "127.0.0.29:30002"]);
        assert_eq!(read_listeners("sed: can't read /proc/net/tcp\n"), None);
    }
}
