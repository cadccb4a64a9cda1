//! Locks on the tables of one coordinator, as a hold takes them.

use super::lab::Lab;
use crate::sandbox::world::{GaveUp, Ran, SessionId, Wait};

const LOCK: &str = "lock table only public.t in access exclusive mode";
const INSERT: &str = "insert into t values (1, 'x')";

/// A lab with a table, and a session that acts as another coordinator's, in a transaction.
fn with_holder() -> (Lab, SessionId) {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "create table t(id int primary key, v text) distribute by shard(id)");
    let holder = lab.session("cn01@s29");
    lab.one(holder, "set remotetype to coordinator");
    lab.one(holder, "begin");
    (lab, holder)
}

#[test]
fn a_hold_waits_for_transactions_and_later_statements_wait_behind_it() {
    let (mut lab, holder) = with_holder();
    let (early, late) = (lab.session("cn01@s29"), lab.session("cn01@s29"));
    lab.one(early, "begin");
    lab.one(early, "select count(*) from t");
    assert_eq!(lab.ran(holder, LOCK), Ran::Wait(Wait::Lock));
    // Who has the table already goes on.
    assert_eq!(lab.one(early, "select count(*) from t"), "0");
    assert_eq!(lab.ran(late, INSERT), Ran::Wait(Wait::Lock));
    let waiting = "select count(*) from pg_stat_activity where wait_event = 'relation'";
    assert_eq!(lab.ask("cn01@s29", waiting), "2");
    lab.one(early, "commit");
    assert_eq!(lab.one(holder, LOCK), "LOCK TABLE");
    assert_eq!(lab.ran(late, INSERT), Ran::Wait(Wait::Lock));
    // On the other coordinator nobody waits.
    assert_eq!(lab.ask("cn02@s47", "select count(*) from t"), "0");
    lab.one(holder, "commit");
    assert_eq!(lab.one(late, INSERT), "INSERT 1");
    assert_eq!(lab.ask("cn01@s29", waiting), "0");
}

#[test]
fn an_attempt_that_is_given_up_leaves_the_queue() {
    let (mut lab, holder) = with_holder();
    let (early, late) = (lab.session("cn01@s29"), lab.session("cn01@s29"));
    lab.one(early, "begin");
    lab.one(early, "select count(*) from t");
    assert_eq!(lab.ran(holder, LOCK), Ran::Wait(Wait::Lock));
    let now = lab.now();
    let outcome = lab.world.give_up(holder, Wait::Lock, GaveUp::LockTimeout, now);
    assert_eq!(outcome.result.unwrap_err().code, "55P03");
    assert_eq!(lab.one(late, INSERT), "INSERT 1");
}

#[test]
fn a_hold_ends_with_its_session() {
    let (mut lab, holder) = with_holder();
    let client = lab.session("cn01@s29");
    assert_eq!(lab.one(holder, LOCK), "LOCK TABLE");
    assert_eq!(lab.ran(client, INSERT), Ran::Wait(Wait::Lock));
    lab.world.close(holder);
    assert_eq!(lab.one(client, INSERT), "INSERT 1");
}

#[test]
fn a_setting_of_a_transaction_ends_with_it() {
    let (mut lab, holder) = with_holder();
    lab.one(holder, "set local lock_timeout = 400");
    assert_eq!(lab.one(holder, "show lock_timeout"), "400");
    lab.one(holder, "rollback");
    assert_eq!(lab.one(holder, "show lock_timeout"), "0");
}
