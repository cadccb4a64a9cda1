//! What it shares with the other lanes.

#[path = "../support/fixture.rs"]
pub(crate) mod fixture;
#[path = "../support/ground.rs"]
pub(crate) mod ground;
#[path = "../support/limited.rs"]
pub(crate) mod limited;
#[path = "../support/normal.rs"]
pub(crate) mod normal;
#[path = "../support/over_ssh.rs"]
pub(crate) mod over_ssh;
#[path = "../support/sandbox.rs"]
pub(crate) mod sandbox;
#[path = "../support/script.rs"]
pub(crate) mod script;
#[path = "../support/skip.rs"]
pub(crate) mod skip;
#[path = "../support/sshd.rs"]
pub(crate) mod sshd;
#[path = "../support/terminal.rs"]
pub(crate) mod terminal;
