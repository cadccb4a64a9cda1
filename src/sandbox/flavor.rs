//! Which OpenTenBase a sandbox is.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The differences between the versions that otb meets. Both were seen live (docs/explanation/opentenbase-v5-live.md).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// OpenTenBase v2.6
    #[default]
    #[value(name = "v2.6", alias = "v2")]
    V2,
    /// OpenTenBase v5: forward ports, and a pool reload that ends sessions
    V5,
}

impl Flavor {
    /// The server's own name; configure makes v5's (PACKAGE_VERSION).
    pub fn server_version(self) -> &'static str {
        match self {
            Self::V2 => "10.0 OpenTenBase V2",
            Self::V5 => "10.0 @ OpenTenBase_v5.21.8.11 OpenTenBase V5.21 2025-08-08 17:41:04",
        }
    }
}
