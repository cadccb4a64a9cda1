//! What the scenario tests stand on: scripts, and the grounds they are run on.

#![allow(dead_code, reason = "each test that shares this file uses a part of it")]

pub(crate) mod ground;
pub(crate) mod normal;
pub(crate) mod sandbox;
pub(crate) mod script;
