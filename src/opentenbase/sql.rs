//! SQL that acts, and the quoting that all SQL goes through.

use std::fmt;

use crate::model::{Endpoint, NodeName};

/// One SQL statement, built here or in [`super::query`] and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sql(String);

impl Sql {
    /// For this room's own builders.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// `name` as an SQL identifier. It stays bare only where no reading of it can go wrong: lower case ASCII that
/// ends in a digit, because OpenTenBase's grammar has no keyword with a digit (src/include/parser/kwlist.h).
pub fn identifier(name: &str) -> String {
    let bare = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.ends_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if bare { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// `text` as an SQL literal. With a backslash in it the `E''` form is used, which means the same whatever
/// standard_conforming_strings says (quote_literal() of the server does likewise).
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The route of a coordinator or datanode. Local to the router it is sent to, one autocommit statement.
/// `forward` is v5's node_forward_port, which ALTER NODE keeps otherwise.
pub fn alter_node(name: &NodeName, to: &Endpoint, forward: Option<u16>) -> Sql {
    let forward = forward.map(|port| format!(",forward={port}")).unwrap_or_default();
    Sql::new(format!(
        "alter node {} with (host={},port={}{forward})",
        identifier(name.as_str()),
        literal(to.host.as_str()),
        to.port
    ))
}

/// The route of the GTM. Works while the GTM is down, and cures the node that runs it.
pub fn alter_gtm_node(name: &NodeName, to: &Endpoint) -> Sql {
    Sql::new(format!(
        "alter gtm node {} with (host={},port={})",
        identifier(name.as_str()),
        literal(to.host.as_str()),
        to.port
    ))
}

/// ALTER NODE takes AccessExclusiveLock on pgxc_node, for which new logins queue: never wait long for it.
pub fn lock_timeout(milliseconds: u32) -> Sql {
    Sql::new(format!("set lock_timeout = {milliseconds}"))
}

/// Makes the pooler take over what pgxc_node says. Not inside a transaction block.
pub fn pool_reload() -> Sql {
    Sql::new("select pgxc_pool_reload()")
}

/// Makes the shutdown checkpoint that follows short.
pub fn checkpoint() -> Sql {
    Sql::new("checkpoint")
}

/// Runs `sql` in the process to which this coordinator's route of `node` leads.
pub fn execute_direct(node: &NodeName, sql: &Sql) -> Sql {
    Sql::new(format!("execute direct on ({}) {}", identifier(node.as_str()), literal(sql.as_str())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Host;

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn place(host: &str, port: u16) -> Endpoint {
        Endpoint { host: Host::new(host).unwrap(), port }
    }

    #[test]
    fn the_exact_texts() {
        let to = place("172.16.0.47", 23001);
        for (sql, text) in [
            (alter_node(&node("dn01"), &to, None), "alter node dn01 with (host='172.16.0.47',port=23001)"),
            (
                alter_node(&node("dn01"), &to, Some(29001)),
                "alter node dn01 with (host='172.16.0.47',port=23001,forward=29001)",
            ),
            (alter_gtm_node(&node("gtm_1"), &to), "alter gtm node gtm_1 with (host='172.16.0.47',port=23001)"),
            (lock_timeout(2000), "set lock_timeout = 2000"),
            (pool_reload(), "select pgxc_pool_reload()"),
            (checkpoint(), "checkpoint"),
            (execute_direct(&node("dn01"), &Sql::new("select 'a'")), "execute direct on (dn01) 'select ''a'''"),
        ] {
            assert_eq!(sql.as_str(), text);
        }
    }

    #[test]
    fn names_that_need_quotes_get_them() {
        for (name, quoted) in [
            ("dn01", "dn01"),
            ("user", "\"user\""),
            ("Dn01", "\"Dn01\""),
            ("1dn", "\"1dn\""),
            ("a\"b", "\"a\"\"b\""),
            ("数据1", "\"数据1\""),
            ("a;drop1", "\"a;drop1\""),
        ] {
            assert_eq!(identifier(name), quoted);
        }
    }

    #[test]
    fn backslashes_use_the_escape_form() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"\' or 1"), r"E'\\'' or 1'");
    }

    proptest! {
        #[test]
        fn a_quoted_identifier_reads_back(name in "\\PC{1,40}") {
            let quoted = identifier(&name);
            let back = match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                Some(inner) => {
                    prop_assert!(!inner.replace("\"\"", "").contains('"'));
                    inner.replace("\"\"", "\"")
                }
                None => quoted,
            };
            prop_assert_eq!(back, name);
        }

        #[test]
        fn a_literal_closes_only_at_its_end(text in ".{0,40}") {
            let quoted = literal(&text);
            let inner = quoted.trim_start_matches('E');
            let inner = &inner[1..inner.len() - 1];
            let unescaped = if quoted.starts_with('E') { inner.replace("\\\\", "\\") } else { inner.to_owned() };
            prop_assert!(!inner.replace("''", "").contains('\''));
            prop_assert_eq!(unescaped.replace("''", "'"), text);
        }
    }
}
