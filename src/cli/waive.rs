//! `--waive CHECK:SUBJECT --reason ...`, compared with the file, so that a typing error differs from a check that
//! passes.

use super::failure::Failure;
use super::{file_suggestions, habits, terminal};
use crate::codes::ErrorCode;
use crate::model::Cluster;
use crate::plan::{CheckCode, Plan, Waiver, unused_waivers};

/// The placeholder for the reason in a line to paste. It is not a reason: the operator replaces it.
const OPEN_REASON: &str = "...";

/// Each `--waive` with the one `--reason`.
pub(super) fn read(waive: &[String], reason: Option<&str>, cluster: &Cluster) -> Result<Vec<Waiver>, Failure> {
    let usage = |text: &str| Failure::new(ErrorCode::UsageWaiver, text);
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty() && *reason != OPEN_REASON);
    match (reason, waive) {
        (None, []) => Ok(Vec::new()),
        (None, _) => Err(usage("--waive requires a --reason, which the plan records")
            .hint("name who decided it and where that is written: --reason \"CHG-1234\"")),
        (Some(_), []) => Err(usage("--reason requires --waive CHECK:SUBJECT")
            .hint("add --waive with the check as the plan prints it, or remove --reason")),
        (Some(reason), waive) => waive.iter().map(|text| one(text, reason, cluster)).collect(),
    }
}

fn one(text: &str, reason: &str, cluster: &Cluster) -> Result<Waiver, Failure> {
    let waiver = Waiver::new(text, reason);
    let (word, subject) = text.split_once(':').unwrap_or((text, ""));
    let waiver = waiver.map_err(|why| {
        let failure = Failure::new(ErrorCode::UsageWaiver, format!("--waive {text}: {why}"));
        let waivable = CheckCode::ALL.iter().filter(|code| code.is_waivable()).map(|code| code.word());
        match CheckCode::ALL.iter().find(|code| code.word() == word) {
            // It is spelled right.
            Some(code) if !code.is_waivable() => failure.hint(format!(
                "run otb explain {word}: it says why, and \
                what to do"
            )),
            Some(_) => failure.hint("write the check as the plan prints it, with its subject"),
            None => failure.meant("--waive ", word, waivable, text.strip_prefix(word).unwrap_or_default()),
        }
    })?;
    let mut subjects: Vec<String> = vec![cluster.name.to_string()];
    subjects.extend(cluster.nodes.keys().map(ToString::to_string));
    subjects.extend(cluster.instances().map(|instance| instance.id.to_string()));
    if subjects.iter().any(|known| known == subject) {
        return Ok(waiver);
    }
    let text = format!("--waive {text}: the file declares no node or instance {subject}");
    let before = format!("--waive {word}:");
    Err(Failure::new(ErrorCode::UsageWaiver, text).meant(&before, subject, subjects.iter().map(String::as_str), ""))
}

/// Says which waivers lift nothing: a check that the plan does not have, or that is called otherwise.
pub(super) fn tell_unused(plan: &Plan, waivers: &[Waiver]) {
    // Those of a second part are not known yet.
    if plan.afterwards.is_some() {
        return;
    }
    let refusing: Vec<&str> = plan.refusing().map(|check| check.id.as_str()).collect();
    let refusing = if refusing.is_empty() {
        "no check refuses it".to_owned()
    } else {
        format!("it is refused by {}", refusing.join(", "))
    };
    for id in unused_waivers(plan, waivers) {
        terminal::say(&format!("warning: --waive {id}: the plan has no such check; {refusing}"));
    }
}

/// What is typed after `typed` to lift the blocks of a refused plan that can be lifted; `None` means that none can.
fn line(plan: &Plan, typed: &[String]) -> Option<String> {
    let other = |command: &str| [file_suggestions::file_words(typed), vec![command.to_owned()]].concat();
    // A command that wrote the file is followed by its application.
    let is_written = typed.iter().any(|word| word == "--write");
    let typed = if is_written { other("apply") } else { typed.to_vec() };
    let waivable = plan.refusing_in_all().filter(|check| check.code.is_waivable());
    let more: Vec<String> = waivable.flat_map(|check| ["--waive".to_owned(), check.id.to_string()]).collect();
    if more.is_empty() {
        return None;
    }
    let again = [typed.as_slice(), &more].concat();
    if typed.iter().any(|word| word == "--reason" || word.starts_with("--reason=")) && habits::parses(&again) {
        return Some(file_suggestions::line(&again));
    }
    // Some commands, such as the application of a saved plan, take no waivers: these are the plan's.
    let reason = ["--reason", OPEN_REASON].map(str::to_owned);
    let takes_waivers = habits::parses(&[again.as_slice(), &reason].concat());
    let words = if takes_waivers { again } else { [other("plan"), more].concat() };
    Some(format!("{} --reason \"{OPEN_REASON}\"", file_suggestions::line(&words)))
}

/// Prints the command line that waives what refuses `plan`, where that is possible: never folded, ready to paste.
pub(super) fn say_waivers(plan: &Plan) {
    let Some(line) = line(plan, &file_suggestions::typed()) else { return };
    let rest: Vec<&str> =
        plan.refusing().filter(|check| !check.code.is_waivable()).map(|check| check.id.as_str()).collect();
    let rest = match rest.as_slice() {
        [] => String::new(),
        [only] => format!("; first fix {only}, which cannot be waived"),
        several => format!("; first fix the {} checks that cannot be waived", several.len()),
    };
    let part = if plan.afterwards.is_some() { " of the whole run, as far as otb can make its checks now" } else { "" };
    terminal::say(&format!("The waivers{part}, if you accept what these checks found{rest}:"));
    terminal::command(&line);
}
