//! Which loopback addresses a sandbox uses: 127.0.0.x if its ports are free there, else 127.A.B.x, so
//! that many sandboxes run at once.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// Held by a running sandbox, so that no other takes a prefix whose stopped instances do not listen.
const GUARD_PORT: u16 = 20_999;
const GUARD_OCTET: u8 = 254;

/// The chosen `127.A.B`, and the listener that reserves it.
pub(crate) struct Prefix {
    pub high: u8,
    pub low: u8,
    _guard: TcpListener,
}

/// Finds a prefix on which every one of `ports` is free at every one of `octets`. Deterministic for a directory if no
/// other process uses the ports. The first `skip` candidates are skipped.
pub(crate) fn choose_prefix(dir: &Path, octets: &BTreeSet<u8>, ports: &BTreeSet<u16>, skip: usize) -> Option<Prefix> {
    let seed = dir
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let others = (0..4096_u32).map(|n| {
        let mixed = seed.wrapping_add(n.wrapping_mul(0x9E37_79B1)).to_be_bytes();
        (mixed[0] % 254 + 1, mixed[1])
    });
    std::iter::once((0, 0)).chain(others).skip(skip).find_map(|(high, low)| claim(high, low, octets, ports))
}

fn claim(high: u8, low: u8, octets: &BTreeSet<u8>, ports: &BTreeSet<u16>) -> Option<Prefix> {
    let guard = TcpListener::bind((Ipv4Addr::new(127, high, low, GUARD_OCTET), GUARD_PORT)).ok()?;
    for octet in octets {
        for port in ports {
            // Dropped at once: only whether it can be had matters.
            TcpListener::bind((Ipv4Addr::new(127, high, low, *octet), *port)).ok()?;
        }
    }
    Some(Prefix { high, low, _guard: guard })
}
