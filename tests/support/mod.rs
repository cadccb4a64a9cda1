//! What the scenario tests stand on: scripts, and the grounds they are run on.

pub(crate) mod ground;
pub(crate) mod normal;
pub(crate) mod sandbox;
pub(crate) mod script;
