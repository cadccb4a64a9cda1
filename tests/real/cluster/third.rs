//! One more copy of a node on a server of its own, s63, for as long as it is wanted.

use std::ops::Deref;
use std::sync::Arc;

use otb::model::NodeKind;

use super::{Hands, Real, layout};

/// The cluster as before, and a second standby of one node.
pub(crate) struct Third {
    real: Real,
    before: String,
}

impl Real {
    /// Makes a standby of `node` on s63 that streams from its master on s29, and declares it.
    pub(crate) fn with_a_third_copy(&self, node: &str) -> Third {
        let root = self.hands.root().to_str().unwrap();
        let network = self.instance("dn01@s29").endpoint.host.as_str().rsplit_once('.').unwrap().0;
        let declared = layout::with_a_third(&self.declared, node, root, network);
        let file = self.hands.root().join("cluster.yaml");
        std::fs::write(&file, &declared).unwrap();
        let cluster = otb::config::read(&file).unwrap().cluster;
        let third =
            Third { real: Self { hands: Arc::clone(&self.hands), cluster, declared }, before: self.declared.clone() };
        third.lay_out_server("s63");
        let (master, copy) = (third.instance(&format!("{node}@s29")), third.instance(&format!("{node}@s63")));
        if copy.kind == NodeKind::Gtm {
            third.init_gtm(copy, master);
            third.wait_for_gtm(copy);
        } else {
            third.make_standby(copy, master);
            assert!(third.streams(copy, master), "{} does not stream", copy.id);
        }
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
