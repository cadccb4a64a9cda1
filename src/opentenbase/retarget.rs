//! A standby's own recovery.conf with another upstream: all else in it stays.

use super::Command;
use super::conf::{FENCE, NO_FENCE, conf_literal, recovery_conf, setting};
use super::conninfo::{pairs, write_conninfo};
use super::{quote, sanitize_for_display};
use crate::model::{Endpoint, RecoverySettings};

/// The settings that otb writes; all others are the operator's.
const OURS: [&str; 3] = ["standby_mode", "primary_conninfo", "recovery_target_timeline"];

/// The parts of a connection string that otb writes.
const PARTS: [&str; 5] = ["host", "hostaddr", "port", "user", "application_name"];

/// Returns the text of `own` as a standby of `upstream`: other settings and comments stay, and so do the user,
/// application_name and other keys of its primary_conninfo. Without `own` it returns the usual text; a
/// primary_conninfo that cannot be read (an URI) is written as a new one.
pub fn retargeted(own: &str, upstream: &Endpoint, user: &str, application_name: &str) -> String {
    if own.trim().is_empty() {
        return recovery_conf(upstream, user, application_name, false);
    }
    let mut missing: Vec<&str> = OURS.to_vec();
    let mut out = format!("{NO_FENCE}\n");
    for line in own.lines().filter(|line| ![FENCE, NO_FENCE].contains(&line.trim())) {
        let ours = setting(line).filter(|(key, _)| OURS.contains(&key.as_str()));
        let Some((key, value)) = ours else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        // If a setting appears twice, the last one counts, so one is enough.
        if let Some(at) = missing.iter().position(|name| *name == key) {
            missing.remove(at);
            let own = last(own, &key).unwrap_or(value);
            out.push_str(&written(&key, &own, upstream, user, application_name));
        }
    }
    for key in missing {
        out.push_str(&written(key, "", upstream, user, application_name));
    }
    out
}

fn last(text: &str, wanted: &str) -> Option<String> {
    text.lines().filter_map(setting).filter(|(key, _)| key == wanted).map(|(_, value)| value).next_back()
}

fn written(key: &str, own: &str, upstream: &Endpoint, user: &str, application_name: &str) -> String {
    match key {
        "standby_mode" => "standby_mode = 'on'\n".to_owned(),
        "recovery_target_timeline" => "recovery_target_timeline = 'latest'\n".to_owned(),
        _ => {
            let conninfo = conninfo(own, upstream, user, application_name);
            format!("primary_conninfo = {}\n", conf_literal(&conninfo))
        }
    }
}

fn conninfo(own: &str, upstream: &Endpoint, user: &str, application_name: &str) -> String {
    let port = upstream.port.to_string();
    let places = [("host", upstream.host.as_str()), ("port", port.as_str())];
    let defaults = [("user", user), ("application_name", application_name)];
    let own: Vec<(String, String)> = pairs(own).unwrap_or_default();
    let mut parts: Vec<(&str, &str)> = Vec::new();
    for (key, value) in own.iter().filter(|(key, _)| key != "hostaddr") {
        let place = places.iter().find(|(name, _)| name == key);
        // libpq takes the last of several.
        parts.retain(|(name, _)| name != key);
        parts.push((key, place.map_or(value.as_str(), |(_, value)| value)));
    }
    let has = |parts: &[(&str, &str)], key: &str| parts.iter().any(|(name, _)| *name == key);
    for (at, part) in places.into_iter().enumerate() {
        if !has(&parts, part.0) {
            parts.insert(at.min(parts.len()), part);
        }
    }
    for part in defaults {
        if !has(&parts, part.0) {
            parts.push(part);
        }
    }
    write_conninfo(&parts)
}

/// The operator's own settings in a recovery.conf: only their names, because values may be secrets; and the delay.
pub fn recovery_settings(text: &str) -> RecoverySettings {
    let settings: Vec<(String, String)> = text.lines().filter_map(setting).collect();
    let others = settings.iter().map(|(key, _)| key.as_str()).filter(|key| !OURS.contains(key));
    let mut keeps: Vec<String> = others.map(sanitize_for_display).collect();
    let conninfo = last(text, "primary_conninfo").and_then(|conninfo| pairs(&conninfo)).unwrap_or_default();
    keeps
        .extend(conninfo.iter().map(|(key, _)| sanitize_for_display(key)).filter(|key| !PARTS.contains(&key.as_str())));
    keeps.sort();
    keeps.dedup();
    let delay = last(text, "recovery_min_apply_delay");
    let is_some = |delay: &String| delay.chars().any(|c| ('1'..='9').contains(&c));
    let slot = last(text, "primary_slot_name").filter(|slot| !slot.is_empty());
    RecoverySettings {
        keeps,
        delay: delay.filter(is_some).map(|delay| sanitize_for_display(&delay)),
        slot: slot.map(|slot| sanitize_for_display(&slot)),
    }
}

/// Keeps a copy of a recovery.conf that otb did not write, beside it.
pub fn keep_old_recovery_conf(path: &str) -> Command {
    let (path, old) = (quote(path), quote(&format!("{path}.otb-old")));
    Command::new(format!(
        "if test -f {path} && ! grep -qx -e '{FENCE}' -e '{NO_FENCE}' {path}; then cp -p {path} {old}; fi"
    ))
    .shown_as(format!("cp -p {path} {old}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Host;

    fn to() -> Endpoint {
        Endpoint { host: Host::new("10.0.0.47").unwrap(), port: 23101 }
    }

    #[test]
    fn only_the_upstream_changes() {
        let own = "# third copy, see wiki\nstandby_mode = on\nrestore_command = 'cp /arch/%f %p'\n\
                   primary_conninfo = 'host=10.0.0.29 hostaddr=10.0.0.29 port=23001 user=repl sslmode=verify-full \
                   application_name=dr password=''s3'' passfile=/p'\nprimary_slot_name = dr\nrecovery_min_apply_delay = 4h\n\
                   trigger_file = '/tmp/t'\n";
        assert_eq!(
            retargeted(own, &to(), "otb", "dn01_s63"),
            "# otb wrote\n# third copy, see wiki\nstandby_mode = 'on'\nrestore_command = 'cp /arch/%f %p'\n\
             primary_conninfo = 'host=10.0.0.47 port=23101 user=repl sslmode=verify-full application_name=dr password=s3 \
             passfile=/p'\nprimary_slot_name = dr\nrecovery_min_apply_delay = 4h\ntrigger_file = '/tmp/t'\n\
             recovery_target_timeline = 'latest'\n"
        );
        let settings = recovery_settings(own);
        assert_eq!(
            settings.keeps,
            [
                "passfile",
                "password",
                "primary_slot_name",
                "recovery_min_apply_delay",
                "restore_command",
                "sslmode",
                "trigger_file"
            ]
        );
        assert_eq!((settings.delay.as_deref(), settings.slot.as_deref()), (Some("4h"), Some("dr")));
    }

    #[test]
    fn what_otb_wrote_itself_stays_the_same_text() {
        for fence in [true, false] {
            let own = recovery_conf(&to(), "otb", "dn01_s29", fence);
            assert_eq!(retargeted(&own, &to(), "x", "y"), recovery_conf(&to(), "otb", "dn01_s29", false));
            assert_eq!(recovery_settings(&own), RecoverySettings::default());
        }
        assert_eq!(retargeted("", &to(), "otb", "a"), recovery_conf(&to(), "otb", "a", false));
        assert_eq!(recovery_settings("recovery_min_apply_delay = 0\n").delay, None);
    }

    #[test]
    fn an_uri_is_written_anew() {
        let text = retargeted("primary_conninfo = 'postgresql://u@a:1/'\nslot = x\n", &to(), "otb", "a");
        assert!(text.contains("primary_conninfo = 'host=10.0.0.47 port=23101 user=otb application_name=a'"), "{text}");
        assert!(text.contains("standby_mode = 'on'"), "{text}");
    }
}
