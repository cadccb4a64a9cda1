//! recovery.conf and gtm.conf: what an instance would start as.

use super::conninfo::{read_conninfo, write_conninfo};
use crate::model::{Endpoint, Host};

/// The line by which otb knows a file it wrote into an old master: this copy must not come up as a master.
pub const FENCE: &str = "# otb fence";

/// The first line of any other recovery.conf that otb wrote. As long as [`FENCE`]: one becomes the other in its place.
pub(super) const NO_FENCE: &str = "# otb wrote";

const _: () = assert!(NO_FENCE.len() == FENCE.len(), "a longer line would move the others");

/// The settings of recovery.conf, or the corresponding ones of gtm.conf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandbyConf {
    /// It makes the instance a standby.
    pub standby: bool,
    pub upstream: Option<Endpoint>,
    pub fence: bool,
}

/// recovery.conf for a standby of `upstream` that follows it over promotions.
pub fn recovery_conf(upstream: &Endpoint, user: &str, application_name: &str, fence: bool) -> String {
    let conninfo = write_conninfo(&[
        ("host", upstream.host.as_str()),
        ("port", &upstream.port.to_string()),
        ("user", user),
        ("application_name", application_name),
    ]);
    let mark = if fence { FENCE } else { NO_FENCE };
    format!(
        "{mark}\nstandby_mode = 'on'\nprimary_conninfo = {}\nrecovery_target_timeline = 'latest'\n",
        conf_literal(&conninfo)
    )
}

/// Returns, for a recovery.conf made by [`recovery_conf`], the same text with the fence, and the text to write over
/// its beginning to remove the fence.
pub(super) fn fenced(recovery_conf: &str) -> Option<(String, &'static str)> {
    let rest = recovery_conf.strip_prefix(NO_FENCE)?;
    Some((format!("{FENCE}{rest}"), NO_FENCE))
}

/// A recovery.conf that otb wrote, with the fence.
pub fn with_fence(recovery_conf: &str) -> String {
    fenced(recovery_conf).map_or_else(|| format!("{FENCE}\n{recovery_conf}"), |(fenced, _)| fenced)
}

/// The lines that make a GTM start as a standby of `upstream`.
pub fn gtm_standby_lines(upstream: &Endpoint, fence: bool) -> String {
    let fence = if fence { format!("{FENCE}\n") } else { String::new() };
    format!(
        "{fence}startup = STANDBY\nactive_host = {}\nactive_port = {}\n",
        conf_literal(upstream.host.as_str()),
        upstream.port
    )
}

pub fn read_recovery_conf(text: &str) -> StandbyConf {
    let mut conf = StandbyConf::default();
    for line in text.lines() {
        conf.fence |= line.trim() == FENCE;
        match setting(line) {
            Some((key, value)) if key == "standby_mode" => conf.standby = is_on(&value),
            Some((key, value)) if key == "primary_conninfo" => conf.upstream = read_conninfo(&value),
            _ => {}
        }
    }
    conf
}

/// The connection string of a recovery.conf.
pub(super) fn primary_conninfo(text: &str) -> Option<String> {
    text.lines().filter_map(setting).filter(|(key, _)| key == "primary_conninfo").map(|(_, value)| value).next_back()
}

/// The last line of a kind counts, as for the GTM itself (it appends `startup = ACT` when promoted).
pub fn read_gtm_conf(text: &str) -> StandbyConf {
    let (mut host, mut port) = (None, None);
    let mut conf = StandbyConf::default();
    for line in text.lines() {
        conf.fence |= line.trim() == FENCE;
        match setting(line) {
            Some((key, value)) if key == "startup" => conf.standby = value.eq_ignore_ascii_case("standby"),
            Some((key, value)) if key == "active_host" => host = Host::new(value).ok(),
            Some((key, value)) if key == "active_port" => port = value.parse().ok(),
            _ => {}
        }
    }
    if conf.standby {
        conf.upstream = host.zip(port).map(|(host, port)| Endpoint { host, port });
    }
    conf
}

/// One `key = value` line of a configuration file: `=` is optional, values may be quoted, `#` begins a comment.
pub(super) fn setting(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    if key.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let value = match rest.strip_prefix('\'') {
        Some(body) => unquote(body)?,
        None => rest.split(|c: char| c.is_whitespace() || c == '#').next().unwrap_or_default().to_owned(),
    };
    Some((key.to_ascii_lowercase(), value))
}

/// Reads a quoted text as guc-file.l's GUC_scanstr does (except `\ooo`, which is not used).
fn unquote(body: &str) -> Option<String> {
    let mut value = String::new();
    let mut letters = body.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\'' if letters.peek() == Some(&'\'') => value.extend(letters.next()),
            '\'' => return Some(value),
            '\\' => value.push(match letters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

pub(super) fn conf_literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n"))
}

fn is_on(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "yes" | "1" | "t" | "y")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(host: &str) -> Endpoint {
        Endpoint { host: Host::new(host).unwrap(), port: 23101 }
    }

    #[test]
    fn a_live_recovery_conf() {
        let live = "standby_mode = on\nprimary_conninfo = 'host=127.0.0.29 port=23001 user=opentenbase \
                    application_name=dn01_b'\nrecovery_target_timeline = 'latest'\n";
        let conf = read_recovery_conf(live);
        assert!(conf.standby && !conf.fence);
        assert_eq!(conf.upstream.unwrap().to_string(), "127.0.0.29:23001");
    }

    #[test]
    fn the_exact_texts() {
        assert_eq!(
            recovery_conf(&place("172.16.0.47"), "otb", "dn01@s29", true),
            "# otb fence\nstandby_mode = 'on'\nprimary_conninfo = 'host=172.16.0.47 port=23101 user=otb \
             application_name=dn01@s29'\nrecovery_target_timeline = 'latest'\n"
        );
        assert_eq!(
            gtm_standby_lines(&place("172.16.0.47"), false),
            "startup = STANDBY\nactive_host = '172.16.0.47'\nactive_port = 23101\n"
        );
    }

    #[test]
    fn the_last_line_of_a_gtm_conf_counts() {
        let conf =
            "#startup = ACT\nport = 21000\nstartup = STANDBY # note\nactive_host = '127.0.0.29'\nactive_port=21000\n";
        assert_eq!(read_gtm_conf(conf).upstream.unwrap().to_string(), "127.0.0.29:21000");
        assert_eq!(read_gtm_conf(&format!("{conf}startup = ACT\n")), StandbyConf::default());
    }

    #[test]
    fn the_fence_is_all_that_differs() {
        let [with, without] = [true, false].map(|fence| recovery_conf(&place("h"), "otb", "dn01_s29", fence));
        assert!(without.starts_with("# otb wrote\nstandby_mode"), "{without}");
        assert_eq!(fenced(&without), Some((with.clone(), NO_FENCE)));
        assert_eq!(fenced(&with), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(user in "[^\\x00]{1,20}", fence: bool) {
            let to = place("h.example");
            let conf = read_recovery_conf(&recovery_conf(&to, &user, "a", fence));
            // A user name with a line end in it is the one thing a line-wise reader may lose.
            if !user.contains(['\n', '\r']) {
                prop_assert_eq!(conf, StandbyConf { standby: true, upstream: Some(to), fence });
            }
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,80}") {
            let _ = (read_recovery_conf(&text), read_gtm_conf(&text));
        }
    }
}
