//! Rows through a coordinator, sharded to datanodes.

use super::lab::Lab;
use crate::sandbox::world::{Ran, Wait};

fn with_table() -> Lab {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "create table t(id int primary key, v text) distribute by shard(id)");
    lab.ask("cn01@s29", "insert into t values (1, 'a'), (2, 'b'), (3, 'c')");
    lab
}

#[test]
fn rows_are_sharded_and_read_back_through_any_coordinator() {
    let mut lab = with_table();
    for name in ["cn01@s29", "cn02@s47"] {
        assert_eq!(lab.ask(name, "select count(*), max(id), string_agg(v, '' order by v desc) from t"), "3|3|cba");
    }
    assert_eq!(lab.ask("dn01@s29", "select count(*) from t"), "1");
    assert_eq!(lab.ask("dn02@s47", "select count(*) from t"), "2");
    assert_eq!(lab.ask("dn01@s47", "select v from t"), "b", "the standby has its master's rows");
}

#[test]
fn updates_and_deletes_find_their_rows() {
    let mut lab = with_table();
    assert_eq!(lab.ask("cn01@s29", "update t set v = v || '!' where id = 2"), "UPDATE 1");
    assert_eq!(lab.ask("cn01@s29", "delete from t where v like 'c%'"), "DELETE 1");
    let session = lab.session("cn02@s47");
    assert_eq!(lab.rows(session, "select * from t order by id"), ["1|a", "2|b!"]);
    assert_eq!(
        lab.ask("cn01@s29", "update t set id = 9"),
        "0A000: Distributed column or partition column \"id\" can't be updated in current version"
    );
}

#[test]
fn duplicate_keys_are_refused() {
    let mut lab = with_table();
    assert_eq!(
        lab.ask("cn01@s29", "insert into t values (2, 'x')"),
        "23505: duplicate key value violates unique constraint \"t_pkey\""
    );
    assert_eq!(lab.ask("cn01@s29", "insert into t values (2, 'x') on conflict do nothing"), "INSERT 0");
}

#[test]
fn a_transaction_commits_on_every_datanode_or_on_none() {
    let mut lab = with_table();
    let session = lab.session("cn01@s29");
    lab.one(session, "begin");
    lab.one(session, "update t set v = 'x'");
    assert_eq!(lab.one(session, "select count(*) from t where v = 'x'"), "3");
    assert_eq!(lab.ask("cn02@s47", "select count(*) from t where v = 'x'"), "0");
    lab.kill("dn01@s29");
    assert!(lab.one(session, "commit").starts_with("XX000"));
    lab.start("dn01@s29", None);
    assert_eq!(lab.ask("cn02@s47", "select count(*) from t where v = 'x'"), "0");
}

#[test]
fn a_datanode_that_hangs_makes_statements_wait() {
    let mut lab = with_table();
    let (disk, now) = (lab.disk("dn01@s29"), lab.now());
    lab.world.set_hung(disk, true, now);
    let session = lab.session("cn01@s29");
    assert_eq!(lab.ran(session, "select count(*) from t"), Ran::Wait(Wait::Peer));
    assert_eq!(lab.one(session, "select v from t where id = 1"), "a");
}

#[test]
fn a_full_disk_fails_commits() {
    let mut lab = with_table();
    let disk = lab.disk("dn01@s29");
    lab.world.set_full(disk, true);
    assert!(lab.ask("cn01@s29", "update t set v = 'x' where id = 2").starts_with("53100"));
    assert_eq!(lab.ask("cn01@s29", "select v from t where id = 2"), "b");
}

#[test]
fn a_datanode_takes_rows_directly_only_when_told_so() {
    let mut lab = with_table();
    assert_eq!(
        lab.ask("dn01@s29", "insert into t values (8, 'x')"),
        "25006: cannot execute INSERT in a read-only transaction"
    );
    let session = lab.session_with("dn01@s29", &[("allow_dml_on_datanode", "on")]);
    assert_eq!(lab.one(session, "insert into t values (8, 'x')"), "INSERT 1");
}

#[test]
fn what_it_does_not_know_is_an_error() {
    let mut lab = with_table();
    for (sql, code) in [
        ("select * from nowhere", "42P01"),
        ("select nothing from t", "42703"),
        ("select no_function()", "42883"),
        ("show nothing", "42704"),
        ("set nothing = 1", "42704"),
        ("select 1 union select 2", "0A000"),
        ("vacuum", "0A000"),
        ("select 1/0", "22012"),
        ("select 'x'::int", "22P02"),
        ("insert into t values (99999999999, 'x')", "22003"),
    ] {
        let answer = match crate::sandbox::sql::parse(sql) {
            Ok(_) => lab.ask("cn01@s29", sql),
            Err(error) => error.code.to_owned(),
        };
        assert!(answer.starts_with(code), "{sql}: {answer}");
    }
}
