//! What two instances of a cluster must not share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::code::Code;
use super::diagnostic::Findings;
use super::node::Placed;
use super::source::Span;
use crate::model::{Host, InstanceId, ServerName};

/// Reports instances that share an endpoint, or a data directory of one server.
pub(super) fn check(mut placed: Vec<Placed>, findings: &mut Findings<'_>) {
    // In the order of the file, so that it is the later one that is reported.
    placed.sort_by_key(|placed| (placed.port, placed.data));
    let mut endpoints: BTreeMap<(String, u16), &Placed> = BTreeMap::new();
    let mut directories: BTreeMap<(&ServerName, &str), &Placed> = BTreeMap::new();
    let mut seen: BTreeSet<&InstanceId> = BTreeSet::new();
    for this in &placed {
        let id = &this.instance.id;
        if !seen.insert(id) {
            // The same node or server twice: reported as that.
            continue;
        }
        let endpoint = &this.instance.endpoint;
        if let Some(first) = endpoints.get(&(canonical(&endpoint.host), endpoint.port)) {
            let message = format!("{id} and {} would both listen on {endpoint}", first.instance.id);
            let (span, hint) = remedy(this, first);
            findings.add(Code::DuplicateEndpoint, span, message, hint);
        } else {
            endpoints.insert((canonical(&endpoint.host), endpoint.port), this);
        }
        if let Some(port) = this.instance.forward_port {
            let place = (canonical(&endpoint.host), port);
            if let Some(first) = endpoints.get(&place) {
                let message = format!("{id} and {} would both listen on {}:{port}", first.instance.id, endpoint.host);
                let hint = "give each instance on one server its own `forward_port`";
                findings.add(Code::DuplicateEndpoint, this.label, message, hint);
            } else {
                endpoints.insert(place, this);
            }
        }
        if let Some(first) = directories.get(&(&id.server, this.instance.data.as_str())) {
            let message = format!("{id} and {} would share the directory {}", first.instance.id, this.instance.data);
            let hint = format!(
                "write another `data`, or put {{node}} into it; the other instance is on line {}",
                first.data.start.line
            );
            findings.add(Code::DuplicateData, this.data, message, hint);
        } else {
            directories.insert((&id.server, this.instance.data.as_str()), this);
        }
    }
}

/// Where to change one of two instances on one endpoint, and how.
fn remedy(this: &Placed, first: &Placed) -> (Span, String) {
    if this.port == first.port {
        // One line gives both their port, so that line cannot be the mistake.
        return (this.label, "give it a `port` of its own, or its server another `address`".to_owned());
    }
    (this.port, format!("write another port; the other instance is on line {}", first.port.start.line))
}

/// One spelling for one host: names do not care for case, addresses have several forms.
fn canonical(host: &Host) -> String {
    match host.as_str().parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host.as_str().to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_by_meaning() {
        let same = |a: &str, b: &str| canonical(&Host::new(a).unwrap()) == canonical(&Host::new(b).unwrap());
        assert!(same("::1", "0:0:0:0:0:0:0:1"));
        assert!(same("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(same("S29.example.org", "s29.EXAMPLE.org"));
        assert!(!same("10.0.0.1", "10.0.0.10"));
    }
}
