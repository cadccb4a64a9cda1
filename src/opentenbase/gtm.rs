//! The messages of the GTM's own protocol that show a GTM's role. They need no login, and both a master and a standby
//! answer them (seen live on v2.6.0).

use std::fmt;

use super::sanitize_bytes_for_display;
use crate::model::{Endpoint, Gts, Lsn, Role};

/// Longer answers than this are not what was asked for.
pub const MOST_GTM_BYTES: usize = 1 << 20;

/// MSG_GET_STATUS's number and the type of its answer, v2.6.0.
const GET_STATUS: i32 = 82;
const STATUS_RESULT: i32 = 16;

/// The answer of a GTM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GtmStatus {
    pub role: Role,
    /// The global timestamp it has come to.
    pub gts: Gts,
    pub flushed: Lsn,
    /// The standbys that a master sees attached.
    pub standbys: Vec<GtmStandby>,
}

/// A standby as its master sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GtmStandby {
    pub name: String,
    pub sync: bool,
    pub flushed: Lsn,
}

/// Whether the list of a GTM has its standby at `own`; `all` are those that should be on it, `own` among them.
///
/// A standby's name is HOST:PORT, where HOST is what the resolver returns for its end of the connection, with dots for
/// underscores (gtm_standby_start_replication, gtm_standby.c): its address, an unknown name, or, on one machine,
/// `localhost` or its master's address (seen live). With application_name in gtm.conf, that is the name. So otb
/// recognises a standby by its own address; of the others the list must contain as many as there are.
pub fn gtm_lists(names: &[&str], own: &Endpoint, all: &[&Endpoint]) -> bool {
    let by_address = |endpoint: &Endpoint| format!("{}:{}", endpoint.host.as_str().replace('_', "."), endpoint.port);
    let is_called_so = |endpoint: &Endpoint| names.contains(&by_address(endpoint).as_str());
    if is_called_so(own) {
        return true;
    }
    let may_be_own = |name: &str| {
        let port = name.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        port.is_none_or(|port| port == own.port) && !all.iter().any(|endpoint| by_address(endpoint) == name)
    };
    let listed = names.iter().filter(|name| may_be_own(name)).count();
    let wanted = all.iter().filter(|endpoint| endpoint.port == own.port && !is_called_so(endpoint)).count();
    listed >= wanted.max(1)
}

/// Why bytes are no answer of a GTM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct GtmBytes(pub String);

impl fmt::Display for GtmBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first message: `name` (cut at 63 bytes) presents itself as a client that is no node.
pub fn gtm_startup(name: &str) -> Vec<u8> {
    let mut packet = vec![0_u8; 80];
    for (place, byte) in packet.iter_mut().zip(name.bytes().take(63)) {
        *place = byte;
    }
    // GTM_PortLastUse of the startup packet: node type 6 is "no node in particular".
    packet[64..68].copy_from_slice(&6_i32.to_ne_bytes());
    let mut message = vec![b'A'];
    message.extend(84_i32.to_be_bytes());
    message.extend(packet);
    message
}

/// The question for the status; the GTM itself gives up after `seconds`.
pub fn gtm_get_status(seconds: i32) -> Vec<u8> {
    let mut message = vec![b'C'];
    for word in [12, GET_STATUS, seconds] {
        message.extend(word.to_be_bytes());
    }
    message
}

/// The length of the body that follows a message's five-byte head, or why the head is none.
pub fn gtm_body_length(head: [u8; 5]) -> Result<usize, GtmBytes> {
    let [kind, a, b, c, d] = head;
    if !matches!(kind, b'R' | b'S' | b'E' | b'N') {
        return Err(GtmBytes(format!("it begins with {:?}", sanitize_bytes_for_display(&head))));
    }
    usize::try_from(i32::from_be_bytes([a, b, c, d]))
        .ok()
        .and_then(|length| length.checked_sub(4))
        .filter(|length| *length <= MOST_GTM_BYTES)
        .ok_or_else(|| GtmBytes(format!("a message of {} bytes", i32::from_be_bytes([a, b, c, d]))))
}

/// Reads the body of an `S` message.
pub fn read_gtm_status(body: &[u8]) -> Result<GtmStatus, GtmBytes> {
    let mut bytes = Bytes(body);
    let kind = i32::from_be_bytes(bytes.take()?);
    if kind != STATUS_RESULT {
        return Err(GtmBytes(format!("a result of type {kind} instead of {STATUS_RESULT}")));
    }
    // The server's own byte order; whether it is zero is the same in each.
    let role = if bytes.take::<4>()? == [0; 4] { Role::Master } else { Role::Standby };
    let gts = Gts(i64::from_ne_bytes(bytes.take()?));
    let flushed = Lsn(u64::from_be_bytes(bytes.take()?));
    let count = i32::from_be_bytes(bytes.take()?);
    let mut standbys = Vec::new();
    for _ in 0..count {
        let sync = i32::from_be_bytes(bytes.take()?) != 0;
        let length = usize::try_from(i32::from_be_bytes(bytes.take()?)).unwrap_or(usize::MAX);
        let name = bytes.slice(length)?;
        let name = sanitize_bytes_for_display(name.strip_suffix(&[0]).unwrap_or(name));
        bytes.take::<8>()?;
        standbys.push(GtmStandby { name, sync, flushed: Lsn(u64::from_be_bytes(bytes.take()?)) });
    }
    Ok(GtmStatus { role, gts, flushed, standbys })
}

/// A reader that runs out instead of running over.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], GtmBytes> {
        let (head, rest) =
            self.0.split_at_checked(length).ok_or_else(|| GtmBytes("it ends in the middle".to_owned()))?;
        self.0 = rest;
        Ok(head)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], GtmBytes> {
        self.slice(N)?.try_into().map_err(|_| GtmBytes("it ends in the middle".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Host;

    #[test]
    fn standbys_are_known_by_their_address_or_counted() {
        let at = |host: &str, port| Endpoint { host: Host::new(host).unwrap(), port };
        let (s47, s63, other) = (at("172.16.0.47", 21000), at("s_63.example", 21000), at("172.16.0.63", 21001));
        let both = [&s47, &s63];
        // Unknown names: the list must contain as many as there are standbys, otherwise none is certain.
        assert!(gtm_lists(&["localhost:21000"], &s47, &[&s47]));
        assert!(gtm_lists(&["db47.example:21000", "172.16.0.29:21000"], &s47, &both));
        assert!(!gtm_lists(&["localhost:21000"], &s47, &both));
        assert!(!gtm_lists(&["localhost:21001"], &s47, &[&s47, &other]));
        assert!(!gtm_lists(&[], &s47, &[&s47]));
        // Recognised by its address, whatever happens to the other one.
        assert!(gtm_lists(&["172.16.0.47:21000"], &s47, &both));
        assert!(!gtm_lists(&["172.16.0.47:21000"], &s63, &both));
        assert!(gtm_lists(&["172.16.0.47:21000", "s.63.example:21000"], &s63, &both));
        assert!(gtm_lists(&["172.16.0.47:21000", "localhost:21000"], &s63, &both));
        // application_name of its gtm.conf.
        assert!(gtm_lists(&["gtm_s47"], &s47, &[&s47]));
        assert!(!gtm_lists(&["gtm_s47"], &s47, &both));
    }

    fn status(standby: bool, standbys: &[&str]) -> Vec<u8> {
        let mut body = 16_i32.to_be_bytes().to_vec();
        body.extend(i32::from(standby).to_ne_bytes());
        body.extend(42_i64.to_ne_bytes());
        body.extend(0x0020_0B34_i64.to_be_bytes());
        body.extend(i32::try_from(standbys.len()).unwrap().to_be_bytes());
        for name in standbys {
            body.extend(0_i32.to_be_bytes());
            body.extend(i32::try_from(name.len() + 1).unwrap().to_be_bytes());
            body.extend(name.bytes());
            body.push(0);
            body.extend([0; 8]);
            body.extend(0x0020_0B00_i64.to_be_bytes());
        }
        body
    }

    #[test]
    fn a_master_lists_its_standbys() {
        let read = read_gtm_status(&status(false, &["localhost:21100"])).unwrap();
        assert_eq!(read.role, Role::Master);
        assert_eq!((read.gts, read.flushed.to_string().as_str()), (Gts(42), "0/200B34"));
        assert_eq!(read.standbys[0].name, "localhost:21100");
        assert_eq!(read_gtm_status(&status(true, &[])).unwrap().role, Role::Standby);
    }

    #[test]
    fn the_messages_have_their_lengths() {
        assert_eq!(gtm_startup("otb").len(), 85);
        assert_eq!(&gtm_startup("otb")[..9], b"A\0\0\0\x54otb\0");
        assert_eq!(gtm_get_status(5), b"C\0\0\0\x0c\0\0\0\x52\0\0\0\x05");
        assert_eq!(gtm_body_length(*b"R\0\0\0\x08"), Ok(4));
        assert!(gtm_body_length(*b"HTTP/").is_err());
        assert!(gtm_body_length(*b"S\x7f\xff\xff\xff").is_err());
        assert!(gtm_body_length(*b"S\0\0\0\x01").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_gtm_status(&body);
        }

        #[test]
        fn cut_answers_are_refused(cut in 0_usize..60) {
            let whole = status(false, &["a-standby-name"]);
            prop_assume!(cut < whole.len());
            prop_assert!(read_gtm_status(&whole[..cut]).is_err());
        }
    }
}
