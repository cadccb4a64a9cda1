//! The addresses of host names, as a server's own resolver gives them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use super::quote;

/// Addresses by host.
pub type Addresses = BTreeMap<String, BTreeSet<IpAddr>>;

/// Asks for the addresses of each host, a line `NUMBER ADDRESS` each; a host without an address has no line.
pub fn resolve_script(hosts: &[&str]) -> String {
    let mut script = String::from("LC_ALL=C; export LC_ALL\n");
    for (number, host) in hosts.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            script,
            "timeout -k 1 5 getent ahosts {} </dev/null 2>/dev/null | while read -r at rest; do echo \"{number} $at\"; done",
            quote(host)
        );
    }
    script
}

/// Reads what [`resolve_script`] prints.
pub fn read_addresses(hosts: &[&str], text: &str) -> Addresses {
    let mut found = Addresses::new();
    for line in text.lines() {
        let Some((number, address)) = line.split_once(' ') else { continue };
        let host = number.parse::<usize>().ok().and_then(|number| hosts.get(number));
        if let (Some(host), Ok(address)) = (host, address.trim().parse()) {
            found.entry((*host).to_owned()).or_default().insert(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_belong_to_their_host() {
        let hosts = ["db29", "db's", "-x"];
        assert!(resolve_script(&hosts).contains("getent ahosts 'db'\\''s' </dev/null"));
        let read = read_addresses(&hosts, "Welcome 1\n0 10.0.0.29\n0 10.0.0.29\n2 fe80::1\n9 10.0.0.1\n1 nonsense\n");
        let addresses =
            |list: &[&str]| list.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect::<BTreeSet<_>>();
        let wanted = [("db29".to_owned(), addresses(&["10.0.0.29"])), ("-x".to_owned(), addresses(&["fe80::1"]))];
        assert_eq!(read, wanted.into());
    }
}
