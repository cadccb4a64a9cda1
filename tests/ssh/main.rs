//! The ssh lane: a sandbox whose servers are reached through real sshds on their own loopback addresses, with
//! throw-away keys. Without an sshd it is skipped, and says so.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod cut;
mod few_sessions;
mod greeting;
mod refused;
mod support;
mod switchover;
mod terminal;

use support::fixture::SandboxFixture;
use support::sshd::Sshds;

fn available() -> bool {
    let missing = Sshds::missing();
    if let Some(why) = &missing {
        support::skip::skipped("1 test of the ssh lane", why);
    }
    missing.is_none()
}

fn borrowed(servers: &[(String, String)]) -> Vec<(&str, &str)> {
    servers.iter().map(|(name, address)| (name.as_str(), address.as_str())).collect()
}

/// A sandbox behind sshds, with the way otb gets there on its PATH.
struct Behind {
    place: SandboxFixture,
    sshds: Sshds,
}

impl Behind {
    fn up() -> Option<Self> {
        Self::through(Sshds::start)
    }

    fn a_bastion() -> Option<Self> {
        Self::through(Sshds::behind_a_bastion)
    }

    fn a_greeting() -> Option<Self> {
        Self::through(Sshds::that_greet)
    }

    fn one_session() -> Option<Self> {
        Self::through(Sshds::of_one_session)
    }

    fn through(start: fn(&[(&str, &str)]) -> Sshds) -> Option<Self> {
        if !available() {
            return None;
        }
        let place = SandboxFixture::up("");
        std::fs::write(place.file(), place.text().replace("via: local", "via: ssh")).unwrap();
        let sshds = start(&borrowed(&support::over_ssh::servers(&place.file())));
        Some(Self { place, sshds })
    }

    fn otb(&self, line: &str) -> support::limited::Otb {
        let path = support::over_ssh::path(&self.sshds);
        self.place.otb(line).env("PATH", path.to_str().unwrap())
    }
}
