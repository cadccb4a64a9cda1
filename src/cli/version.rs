//! What `-V` and `--version` say.

/// `0.1.0 (3cfc23012345)`; without the commit where build.rs could not, or was not to, find it.
pub(super) const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), env!("OTB_BUILD"));

/// With what it works on.
pub(super) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    env!("OTB_BUILD"),
    "\nOpenTenBase v2.6: tried on real clusters; v5: after its source (docs/limits.md)"
);
