//! Whether a server may replicate from another one: logins by psql, as a walreceiver would log in.

use super::conninfo::write_conninfo;
use super::{Command, quote};
use crate::model::{Endpoint, Instance};

/// The most logins as `user` by one psql: each waits for the one before, and the network between two servers may be a long
/// one. `\connect` takes double quotes for its own (psqlscanslash.l).
pub fn most_logins(user: &str) -> usize {
    if user.contains('"') { 1 } else { 8 }
}

/// How long several logins may take together: what was learned by then is read, and the rest asked one by one.
const TOGETHER_SECONDS: u32 = 8;

/// Tries a replication connection from the server of the instances, which all lie on one, to each one's upstream, one after
/// the other: pg_hba.conf, the password and the network between the two are proved or refused by the server itself.
/// IDENTIFY_SYSTEM changes nothing, needs no snapshot and works while the GTM is down (seen live).
///
/// After a failed login psql tries no other one (`\connect` of psql 10 requires an open connection). For several
/// logins, the script prints only the servers' answers, and nothing that a server says about a refused login.
pub fn replication_access(logins: &[(&Instance, &Endpoint)], user: &str) -> Command {
    let mut enter = Vec::new();
    let mut psql = String::from("psql -XAtqw -v ON_ERROR_STOP=1");
    for (instance, upstream) in logins {
        enter.push(format!("cd {} 2>/dev/null", quote(&instance.data)));
        let conninfo = conninfo(upstream, user);
        let login = if enter.len() == 1 {
            format!(" -d {}", quote(&conninfo))
        } else {
            format!(" -c {}", quote(&format!("\\connect {}", quote_for_psql(&conninfo))))
        };
        psql += &login;
        psql += " -c IDENTIFY_SYSTEM";
    }
    if logins.len() > 1 {
        psql = format!("timeout -k 1 {TOGETHER_SECONDS} {psql} 2>/dev/null");
    }
    let enter = enter.join(" && ");
    Command::new(format!(
        "{enter} || {{ echo 'its data directory cannot be entered' >&2; exit 3; }}; {psql} </dev/null"
    ))
}

fn conninfo(upstream: &Endpoint, user: &str) -> String {
    write_conninfo(&[
        ("host", upstream.host.as_str()),
        ("port", &upstream.port.to_string()),
        ("user", user),
        ("dbname", "replication"),
        ("replication", "true"),
        ("connect_timeout", "3"),
        ("application_name", "otb"),
    ])
}

/// One argument of a psql meta-command, in which a backslash quotes, too (psqlscanslash.l).
fn quote_for_psql(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Returns how many logins succeeded, from the first on: each server has reported its system identifier, timeline and
/// position.
pub fn read_replication_access(said: &str) -> usize {
    said.lines().filter(|line| is_identity(line)).count()
}

fn is_identity(line: &str) -> bool {
    let mut columns = line.split('|');
    let is_number = |text: Option<&str>| text.is_some_and(|text| text.parse::<u64>().is_ok());
    is_number(columns.next()) && is_number(columns.next()) && columns.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::super::command::tests::instance;
    use super::*;
    use crate::model::{Host, NodeKind};

    #[test]
    fn the_exact_texts() {
        let dn = instance(NodeKind::Datanode);
        let other = Endpoint { host: Host::new("172.16.0.47").unwrap(), port: 23101 };
        let enter = "cd '/data/dn 01' 2>/dev/null || { echo 'its data directory cannot be entered' >&2; exit 3; }; ";
        let rest = "dbname=replication replication=true connect_timeout=3 application_name=otb";
        let one = format!(
            "{enter}psql -XAtqw -v ON_ERROR_STOP=1 -d 'host=172.16.0.29 port=23001 user=otb {rest}' -c IDENTIFY_SYSTEM \
             </dev/null"
        );
        assert_eq!(replication_access(&[(&dn, &dn.endpoint)], "otb").as_str(), one);
        let two = format!(
            "cd '/data/dn 01' 2>/dev/null && {enter}timeout -k 1 8 psql -XAtqw -v ON_ERROR_STOP=1 \
             -d 'host=172.16.0.29 port=23001 user=otb {rest}' -c IDENTIFY_SYSTEM \
             -c '\\connect '\\''host=172.16.0.47 port=23101 user=otb {rest}'\\''' -c IDENTIFY_SYSTEM 2>/dev/null \
             </dev/null"
        );
        assert_eq!(replication_access(&[(&dn, &dn.endpoint), (&dn, &other)], "otb").as_str(), two);
    }

    #[test]
    fn a_user_of_any_name_is_one_argument_of_psql() {
        let endpoint = instance(NodeKind::Datanode).endpoint;
        let quoted = quote_for_psql(&conninfo(&endpoint, r"o'k\ ay"));
        assert!(quoted.contains(r" user=''o\\''k\\\\ ay'' "), "{quoted}");
    }

    #[test]
    fn logins_are_counted_by_what_the_servers_said() {
        let two = "7713789778691097467|1|0/30087E8|\n7713789834033451996|2|0/30000B0|\n";
        assert_eq!(read_replication_access(two), 2);
        let then_none = "7713789778691097467|1|0/30087E8|\n\\connect: could not connect to server: Connection refused\n\
                         \tIs the server running on host \"127.0.0.47\" and accepting\n\tTCP/IP connections on port 9?\n";
        assert_eq!(read_replication_access(then_none), 1);
        assert_eq!(read_replication_access("its data directory cannot be entered\n"), 0);
        assert_eq!(read_replication_access(""), 0);
    }
}
