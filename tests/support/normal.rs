//! Takes out of an output what differs from run to run and from ground to ground.

use std::path::Path;

/// Replaces the directory, the sandbox's loopback network, durations, sizes, timelines, LSNs and digests by words.
pub(crate) fn normalise(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.display().to_string(), "DIR");
    let mut out: String = text.lines().map(|line| normal_line(line) + "\n").collect();
    if !text.ends_with('\n') {
        out.pop();
    }
    out
}

fn normal_line(line: &str) -> String {
    // Where in the file a hunk of a diff begins depends on the ground's comments.
    if line.starts_with("@@ -") {
        return "@@".to_owned();
    }
    let words: String = line.split_inclusive(' ').map(normal_word).collect();
    measures(&words)
}

fn normal_word(word: &str) -> String {
    let bare = word.trim_end_matches([' ', ',', '.', ';', ')']);
    let rest = &word[bare.len()..];
    let new = loopback(bare)
        .or_else(|| digest(bare))
        .or_else(|| lsn(bare))
        .or_else(|| rights(bare))
        .or_else(|| time(bare))
        .or_else(|| pid(bare));
    new.map_or_else(|| word.to_owned(), |new| new + rest)
}

/// Each sandbox takes a free network below 127.0.0.0/8; scenarios know them as 127.0.0.x.
fn loopback(word: &str) -> Option<String> {
    let at = word.find("127.")?;
    let end = word[at..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(word.len(), |n| at + n);
    let last = word[at..end].rsplit('.').next()?;
    let new = format!("{}127.0.0.{last}", &word[..at]);
    Some(match loopback(&word[end..]) {
        Some(rest) => new + &rest,
        None => new + &word[end..],
    })
}

/// The pids of a sandbox begin at five millions.
fn pid(word: &str) -> Option<String> {
    (word.len() == 7 && word.starts_with("50") && word.chars().all(|c| c.is_ascii_digit())).then(|| "N".to_owned())
}

fn digest(word: &str) -> Option<String> {
    (word.len() >= 12 && word.chars().all(|c| c.is_ascii_hexdigit()) && word.chars().any(|c| c.is_ascii_digit()))
        .then(|| "DIGEST".to_owned())
}

fn lsn(word: &str) -> Option<String> {
    let word = word.trim_start_matches('(');
    let (high, low) = word.split_once('/')?;
    let hex = |part: &str| !part.is_empty() && part.len() <= 8 && part.chars().all(|c| c.is_ascii_hexdigit());
    (hex(high) && hex(low)).then(|| "LSN".to_owned())
}

/// Owner and mode of a file: whose the servers are differs from ground to ground.
fn rights(word: &str) -> Option<String> {
    let (owner, mode) = word.split_once(':')?;
    let is_owner = !owner.is_empty() && owner.chars().all(|c| c.is_ascii_alphabetic());
    let is_mode = mode.len() == 3 && mode.chars().all(|c| ('0'..='7').contains(&c));
    (is_owner && is_mode).then(|| format!("OWNER:{mode}"))
}

/// A point in time, RFC 3339 in UTC, with or without a fraction of a second.
fn time(word: &str) -> Option<String> {
    let word = match word.split_once('.') {
        Some((whole, fraction)) if fraction.ends_with('Z') => format!("{whole}Z"),
        _ => word.to_owned(),
    };
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    (shape == "0000-00-00T00:00:00Z").then(|| "TIME".to_owned())
}

/// `412 ms` becomes `T ms`, `8.0 KiB` becomes `N KiB`.
fn measures(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut out = Vec::new();
    for (n, word) in words.iter().enumerate() {
        let unit = words.get(n + 1).map(|unit| unit.trim_end_matches([',', '.', ';', ':', ')']));
        out.push(match unit {
            Some("ms" | "s") if word.parse::<f64>().is_ok() => "T",
            Some("B" | "KiB" | "MiB" | "GiB") if word.parse::<f64>().is_ok() => "N",
            _ if n > 0 && words[n - 1] == "xid" && word.parse::<u32>().is_ok() => "N",
            // Real processes have been promoted before.
            _ if n > 0 && words[n - 1] == "timeline" && word.parse::<u32>().is_ok() => "N",
            _ if n > 0 && words[n - 1] == "timeline" && word.trim_end_matches(',').parse::<u32>().is_ok() => "N,",
            _ => word,
        });
    }
    out.join(" ")
}
