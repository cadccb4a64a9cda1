//! otb on a real terminal: the question, what moves while it works, colours, keys, widths, and terminals that can do less.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "../support/fixture.rs"]
mod fixture;
mod keys;
#[path = "../support/limited.rs"]
mod limited;
mod looks;
#[path = "../support/terminal.rs"]
mod terminal;

use fixture::SandboxFixture;
use terminal::Terminal;

/// A sandbox whose dn01 shall move to s47; its pg_ctl takes so many milliseconds longer than it would.
fn moving(slow: u16) -> SandboxFixture {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    place.fault(&format!("slow pg_ctl {slow}"));
    place
}

fn on_terminal(place: &SandboxFixture, line: &str, columns: u16, env: &[(&str, &str)]) -> Terminal {
    Terminal::otb(&place.file(), line, columns, env)
}
