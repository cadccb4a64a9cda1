//! Names that this machine resolves.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::opentenbase::Addresses;

/// Returns the addresses of `hosts` by this machine's resolver, each asked for at most `limit`; a host that it does not
/// know is missing.
pub async fn resolve_here(hosts: &[&str], limit: Duration) -> Addresses {
    let found = hosts.iter().map(async |host| {
        let addresses = timeout(limit, lookup_host((*host, 0))).await.ok()?.ok()?;
        Some(((*host).to_owned(), addresses.map(|at| at.ip()).collect()))
    });
    join_all(found).await.into_iter().flatten().collect()
}
