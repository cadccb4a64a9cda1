//! The place of a sandbox's control socket. The relay is compiled with this file too.

use std::path::{Path, PathBuf};

/// The longest path a unix socket may have on Linux, without its NUL.
const MAX_SOCKET_PATH: usize = 107;

/// The control socket: in the directory, or, where that makes too long a path, in the system's
/// temporary directory under a name derived from it.
pub(super) fn socket_path(dir: &Path) -> PathBuf {
    let inside = dir.join("control.sock");
    if inside.as_os_str().len() <= MAX_SOCKET_PATH {
        return inside;
    }
    let hash = dir
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3));
    PathBuf::from(format!("/tmp/otb-sandbox-{hash:016x}.sock"))
}
