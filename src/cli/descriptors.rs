//! File descriptors: a session takes one, and most systems give a process 1024 where it may have many more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one and says how many there are.
pub(super) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Refused on systems that do not mean their "unlimited": then what there was has to do.
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { limit.current };
    current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}
