//! libpq connection strings, `host=… port=…`, as pg_stat_wal_receiver and recovery.conf have them.

use crate::model::{Endpoint, Host};

/// Returns the address in a connection string, if it names one host and a port (5432 if it names none).
pub fn read_conninfo(text: &str) -> Option<Endpoint> {
    let pairs = pairs(text)?;
    let last = |wanted: &str| pairs.iter().rev().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
    // libpq prefers hostaddr for the connection itself.
    let host = last("hostaddr").filter(|value| !value.is_empty()).or_else(|| last("host"))?;
    let port = last("port").filter(|value| !value.is_empty()).map_or(Some(5432), |port| port.parse().ok())?;
    Some(Endpoint { host: Host::new(host).ok()?, port })
}

/// The last value of `key`.
pub(super) fn conninfo_value(text: &str, key: &str) -> Option<String> {
    pairs(text)?.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// A connection string from its parts.
pub fn write_conninfo(parts: &[(&str, &str)]) -> String {
    parts.iter().map(|(key, value)| format!("{key}={}", quote_value(value))).collect::<Vec<_>>().join(" ")
}

fn quote_value(value: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '\'' | '\\');
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

/// libpq's own reading (fe-connect.c, conninfo_parse): spaces around `=`, quotes, backslashes.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.trim_start();
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start())?;
        pairs.push((key.trim().to_owned(), value));
        rest = after.trim_start();
    }
    Some(pairs)
}

fn value(text: &str) -> Option<(String, &str)> {
    let (quoted, body) = text.strip_prefix('\'').map_or((false, text), |body| (true, body));
    let mut value = String::new();
    let mut letters = body.char_indices();
    while let Some((at, c)) = letters.next() {
        match c {
            '\\' => value.extend(letters.next().map(|(_, c)| c)),
            '\'' if quoted => return Some((value, &body[at + 1..])),
            c if !quoted && c.is_whitespace() => return Some((value, &body[at..])),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shows(text: &str) -> Option<String> {
        read_conninfo(text).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn what_a_live_receiver_says() {
        let live = "user=opentenbase passfile=/home/opentenbase/.pgpass dbname=replication host=127.0.0.29 port=23001 \
                    application_name=dn01_b fallback_application_name=walreceiver sslmode=prefer sslcompression=1 \
                    target_session_attrs=any";
        assert_eq!(shows(live).as_deref(), Some("127.0.0.29:23001"));
    }

    #[test]
    fn quotes_and_spaces() {
        for (text, endpoint) in [
            ("host = 'db.example' port= 1", Some("db.example:1")),
            ("password='it\\'s host=x' host=y port=2", Some("y:2")),
            ("host=a", Some("a:5432")),
            ("host=a host=b port=1 port=3", Some("b:3")),
            ("host=name hostaddr=10.0.0.1 port=1", Some("10.0.0.1:1")),
            ("port=1", None),
            ("host=a,b port=1,2", None),
            ("host='a port=1", None),
            ("host=a port=99999", None),
            ("postgresql://a:1/", None),
            ("", None),
        ] {
            assert_eq!(shows(text).as_deref(), endpoint, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(password in ".{0,20}", port in 1_u16..) {
            let text = write_conninfo(&[("password", &password), ("host", "h"), ("port", &port.to_string())]);
            prop_assert_eq!(shows(&text), Some(format!("h:{port}")));
            prop_assert_eq!(&pairs(&text).unwrap()[0].1, &password);
        }

        #[test]
        fn anything_is_read_or_refused(text in ".{0,60}") {
            let _ = read_conninfo(&text);
        }
    }
}
