//! What it shares with the sandbox's lane.

#[path = "../support/ground.rs"]
pub(crate) mod ground;
#[path = "../support/normal.rs"]
pub(crate) mod normal;
#[path = "../support/over_ssh.rs"]
pub(crate) mod over_ssh;
#[path = "../support/script.rs"]
pub(crate) mod script;
#[path = "../support/sshd.rs"]
pub(crate) mod sshd;
