//! Connections: refused, silent, or answered.

use crate::model::ServerName;

use super::World;
use super::instance::DiskId;

/// The result of a connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing listens there.
    Refused,
    /// It is accepted, or dropped on the way, and gets no answer.
    Silent,
    Live(DiskId),
}

/// Returns the address that `host` is a short form of, as the resolver of a real server reads it: `127.258` is
/// 127.0.1.2 (inet_aton). Any other text is returned as it is.
pub(super) fn resolved(host: &str) -> String {
    let parts: Option<Vec<u32>> = host.split('.').map(|part| part.parse().ok()).collect();
    let Some((last, first)) = parts.as_deref().and_then(<[u32]>::split_last) else { return host.to_owned() };
    let room = 8 * (4 - u32::try_from(first.len()).unwrap_or(4).min(3));
    if first.len() > 3 || first.iter().any(|part| *part > 255) || u64::from(*last) >= 1 << room {
        return host.to_owned();
    }
    let high = first.iter().enumerate().map(|(at, part)| part << (24 - 8 * at)).sum::<u32>();
    std::net::Ipv4Addr::from(high + last).to_string()
}

impl World {
    /// The result of a connection from a process on `from` to host:port.
    pub fn reach(&self, from: &ServerName, host: &str, port: u16) -> Reach {
        let host = resolved(host);
        let host = host.as_str();
        let target = self.servers.iter().find(|(_, server)| server.address.as_str() == host);
        if let Some((name, server)) = target {
            let apart = name != from && (server.cut || self.is_cut(from));
            if apart {
                return Reach::Silent;
            }
        }
        match self.listening.get(&(host.to_owned(), port)) {
            None => Reach::Refused,
            Some(disk) if self.is_hung(*disk) => Reach::Silent,
            Some(disk) => Reach::Live(*disk),
        }
    }

    /// Whether the process on `disk` does not answer.
    pub fn is_hung(&self, disk: DiskId) -> bool {
        let node = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref()).is_some_and(|process| process.hung);
        node || self.gtms.get(&disk).and_then(|gtm| gtm.process.as_ref()).is_some_and(|process| process.hung)
    }

    /// Whether clients get no answer from the process on `disk`: it hangs, or its server is cut off.
    pub fn is_silent(&self, disk: DiskId) -> bool {
        self.is_hung(disk) || self.home(disk).is_some_and(|home| self.is_cut(&home.server))
    }
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn short_forms_of_addresses_are_read_as_inet_aton_does() {
        for (text, address) in [
            ("127.0.0.29", "127.0.0.29"),
            ("127.29", "127.0.0.29"),
            ("127.163.22575", "127.163.88.47"),
            ("2130706433", "127.0.0.1"),
            ("db29", "db29"),
            ("127.0.0.256", "127.0.0.256"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("", ""),
        ] {
            assert_eq!(resolved(text), address, "{text}");
        }
    }
}
