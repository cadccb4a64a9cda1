//! One more copy of dn01 on a server of its own, s63, for as long as it is wanted.

use std::ops::Deref;
use std::sync::Arc;

use super::{Hands, Real, layout};

/// The cluster as before, and a second standby of dn01.
pub(crate) struct Third {
    real: Real,
    before: String,
}

impl Real {
    /// Makes dn01@s63, a standby of dn01@s29 that streams, and declares it.
    pub(crate) fn with_a_third_copy(&self) -> Third {
        let root = self.hands.root().to_str().unwrap();
        let network = self.instance("dn01@s29").endpoint.host.as_str().rsplit_once('.').unwrap().0;
        let declared = layout::with_a_third(&self.declared, root, network);
        let file = self.hands.root().join("cluster.yaml");
        std::fs::write(&file, &declared).unwrap();
        let cluster = otb::config::read(&file).unwrap().cluster;
        let third =
            Third { real: Self { hands: Arc::clone(&self.hands), cluster, declared }, before: self.declared.clone() };
        third.lay_out_server("s63");
        let (master, copy) = (third.instance("dn01@s29"), third.instance("dn01@s63"));
        third.make_standby(copy, master);
        assert!(third.streams(copy, master), "{} does not stream", copy.id);
        third
    }
}

impl Deref for Third {
    type Target = Real;

    fn deref(&self) -> &Real {
        &self.real
    }
}

impl Drop for Third {
    fn drop(&mut self) {
        let s63 = self.hands.root().join("s63");
        Hands::kill(&s63);
        let _ = std::fs::remove_dir_all(s63);
        let _ = std::fs::write(self.hands.root().join("cluster.yaml"), &self.before);
    }
}
