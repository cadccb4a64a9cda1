//! A datanode with much to flush: a table of about 1 GB in its buffers, and clients that go on changing it.

use std::path::PathBuf;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::cluster::Real;
use crate::support::ground::TestCluster as _;

/// How the load is called in tables.
pub(crate) const NAME: &str = "1 GB dirty";

/// Of which a datanode holds about half, some 5 KB on disk each.
const ROWS: u32 = 400_000;

/// Large enough that nothing is written before a checkpoint, and no checkpoint comes by itself.
const SETTINGS: &str = "\nshared_buffers = 1700MB\nfsync = on\nmax_wal_size = 16GB\ncheckpoint_timeout = 1h\n\
                        full_page_writes = off\nwal_log_hints = off\nbgwriter_lru_maxpages = 0\n";

/// What a standby may be behind before a move begins: otb refuses more, and nobody should have to wait for it.
const BEHIND: u64 = 1 << 20;

/// Gives dn01 room and the table.
pub(crate) fn grow(real: &Real) {
    for copy in ["dn01@s47", "dn01@s29"] {
        let ran = real.hands().run(
            &format!("printf '%s' \"$1\" >>{}/postgresql.conf", real.instance(copy).data),
            &[SETTINGS],
            10,
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        real.start_anew(copy);
    }
    let create =
        "create table otb_fat(id int primary key, n int, filler text) with (fillfactor = 60) distribute by shard(id)";
    real.tell(real.instance("cn01@s29"), "drop table if exists otb_fat");
    real.tell(real.instance("cn01@s29"), create);
    // Into the datanode itself, which keeps what is of its shards: twice as fast, and nobody else has to hold it.
    let fill = format!("insert into otb_fat select i, 0, repeat('x', 1500) from generate_series(1, {ROWS}) i");
    write(real, "dn01@s29", &fill);
}

/// Makes most of the table's pages dirty on the master, and waits until the standby has them.
pub(crate) fn dirty(real: &Real, master: &str, standby: &str) {
    let (master, standby) = (format!("dn01@{master}"), format!("dn01@{standby}"));
    for third in 0..3 {
        write(real, &master, &format!("update otb_fat set n = n + 1 where id % 6 = {third}"));
    }
    let begun = Instant::now();
    loop {
        let end = real.sql(&master, "select pg_current_wal_lsn()").stdout.trim().to_owned();
        let left = real.sql(&standby, &format!("select pg_wal_lsn_diff('{end}', pg_last_wal_replay_lsn())::bigint"));
        if left.stdout.trim().parse::<i64>().is_ok_and(|left| left < BEHIND.cast_signed()) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{standby} does not catch up: {}", left.stderr);
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn write(real: &Real, at: &str, statement: &str) {
    let (host, port) = real.endpoint(at);
    let psql = format!(
        "PGOPTIONS='-c allow_dml_on_datanode=on' psql -X -q -v ON_ERROR_STOP=1 -h {host} -p {port} -U {} -d postgres -c \"$1\"",
        real.user()
    );
    let ran = real.hands().run(&psql, &[statement], 300);
    assert_eq!(ran.code, 0, "{at}: {statement}\n{}", ran.stderr);
}

/// pgbench through a coordinator; begun again whenever the move has cut off all its clients.
pub(crate) struct Load<'a> {
    real: &'a Real,
    flag: PathBuf,
}

/// Ends the load when it goes, so that whoever waits for it does not wait for ever.
pub(crate) struct Running<'scope> {
    flag: PathBuf,
    _thread: ScopedJoinHandle<'scope, ()>,
}

impl<'a> Load<'a> {
    pub(crate) fn begin(real: &'a Real) -> Self {
        let flag = real.hands().root().join("load.sql");
        let one = format!("\\set id random(1, {ROWS})\nupdate otb_fat set n = n + 1 where id = :id;\n");
        std::fs::write(&flag, one).unwrap();
        Self { real, flag }
    }

    pub(crate) fn run<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Running<'scope> {
        let thread = scope.spawn(|| {
            let (host, port) = self.real.endpoint("cn01@s29");
            let (flag, user) = (self.flag.display(), self.real.user());
            let pgbench = format!("timeout 5 pgbench -n -c 4 -T 3600 -f {flag} -h {host} -p {port} -U {user} postgres");
            let forever = format!("while test -e {flag}; do {pgbench} >/dev/null 2>&1; sleep 0.2; done");
            self.real.hands().run(&forever, &[], 3600);
        });
        Running { flag: self.flag.clone(), _thread: thread }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.flag);
    }
}
