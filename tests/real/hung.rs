//! A master whose first process is stopped, while its old sessions go on writing: otb ends it, and no row that clients saw
//! committed is lost.

use std::time::Duration;

use crate::cluster::Real;
use crate::mishaps::{declare, recovery};
use crate::rows::{compare, rows, settle, table, writers};
use crate::say;
use crate::support::ground::TestCluster as _;

/// Twice: with everything of its server stopped, and with its first process alone. Each ends with the move, or with the old
/// master started again where the standby lacks WAL of it.
pub(crate) fn ended_under_writes(real: &Real) {
    table(real);
    let writers = writers(real);
    std::thread::sleep(Duration::from_secs(1));
    let (mut master, mut other) = ("s29", "s47");
    for all in [false, true] {
        let hung = real.instance(&format!("dn01@{master}"));
        let first = format!("$(head -n 1 {}/postmaster.pid)", hung.data);
        let children = if all { format!(" $(ps -o pid= --ppid {first})") } else { String::new() };
        real.hands().must(&format!("kill -STOP {first}{children}"), 10);
        declare(real, other);
        let ran = real.otb(&["apply".to_owned(), "--auto-approve".to_owned()]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(&format!("done     end:dn01@{master}")), "{said}");
        match ran.code {
            0 => {
                assert_eq!((recovery(real, master).as_str(), recovery(real, other).as_str()), ("t", "f"), "{said}");
                std::mem::swap(&mut master, &mut other);
            }
            // The standby lacked something.
            6 => assert_eq!((recovery(real, master).as_str(), recovery(real, other).as_str()), ("f", "t"), "{said}"),
            code => panic!("exit {code}: {said}"),
        }
        say(&format!("real lane: a hung master was ended with exit {}", ran.code));
        declare(real, master);
        settle(&writers);
    }
    compare(&writers.into_iter().map(crate::writer::Writer::finish).collect::<Vec<_>>(), &rows(real));
}
